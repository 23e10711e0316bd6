"""Keypoints in, motion representation, any head, something you can look at."""
