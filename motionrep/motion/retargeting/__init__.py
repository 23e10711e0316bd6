"""Retargets the motion of a BVH skeleton to a body."""
