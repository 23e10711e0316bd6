"""Back ends, one file each: motionrep's own rasteriser, OpenGL through pyrender, PyTorch3D."""
