"""Motions written as tables of poses; they come with the package and need no download."""
