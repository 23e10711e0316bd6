"""Videos of motions: `render` writes a file, `render_frames` yields the pictures."""

from motionrep.rendering.movie import render, render_frames
from motionrep.rendering.video.writing import write_video

__all__ = ["render", "render_frames", "write_video"]
