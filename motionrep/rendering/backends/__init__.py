"""Rasterisers that can draw meshes: motionrep's own, OpenGL through pyrender, PyTorch3D."""
