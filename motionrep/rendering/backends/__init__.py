"""Back ends that draw surfaces, one file each: one line in `BACKENDS` for each. Nothing is imported before it draws."""

# "module:function" of a function that takes a torch device. It returns what the back end draws with, in words, and its
# layer. It raises ImportError if the back end is not installed, and RuntimeError if it does not work here.
BACKENDS = {
    "raster": "motionrep.rendering.backends.raster_layer:open_raster",
    "pyrender": "motionrep.rendering.backends.pyrender_layer:open_pyrender",
    "pytorch3d": "motionrep.rendering.backends.pytorch3d_fragments:open_pytorch3d",
}
