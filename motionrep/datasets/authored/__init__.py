"""Motions written down as tables of poses; they ship with the package and need no download."""
