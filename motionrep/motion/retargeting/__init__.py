"""Carries the motion of a BVH skeleton over to a body."""
