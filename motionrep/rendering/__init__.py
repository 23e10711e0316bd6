"""Videos of motions: `render` writes a file, `render_frames` yields its pictures, `RenderOptions` is how they look."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motionrep.rendering.movie import render, render_frames
    from motionrep.rendering.options import RenderOptions
    from motionrep.rendering.video.writing import write_video

__all__ = ["RenderOptions", "render", "render_frames", "write_video"]

# Imported when first asked for: the command line reads `looks` and `backends` without torch.
_MODULES = {"RenderOptions": "options", "render": "movie", "render_frames": "movie", "write_video": "video.writing"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"motionrep.rendering.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'motionrep.rendering' has no attribute {name!r}")
