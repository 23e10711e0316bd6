"""Videos of motions: `render` writes a file, `render_frames` yields its pictures, `RenderOptions` is how they look."""

from motionrep.rendering.movie import render, render_frames
from motionrep.rendering.options import RenderOptions
from motionrep.rendering.video.writing import write_video

__all__ = ["RenderOptions", "render", "render_frames", "write_video"]
