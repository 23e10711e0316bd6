"""Solves for a body from joints or keypoints."""
