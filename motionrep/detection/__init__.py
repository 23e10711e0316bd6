"""Keypoints from videos and pictures."""
