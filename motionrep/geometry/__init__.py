"""Cameras and rotations."""
