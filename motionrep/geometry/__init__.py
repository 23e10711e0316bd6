"""Cameras, rotations, and tracks of points."""
