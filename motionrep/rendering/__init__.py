"""Videos of motions: `render` writes a file, `render_frames` yields the pictures."""

from motionrep.rendering.labels import Label, labels_from_scores
from motionrep.rendering.movie import render, render_frames
from motionrep.rendering.video import write_video

__all__ = ["Label", "labels_from_scores", "render", "render_frames", "write_video"]
