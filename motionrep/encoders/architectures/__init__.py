"""One file for each encoder architecture."""
