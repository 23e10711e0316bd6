"""Checks of what users hand in; each names the field and what was expected."""
