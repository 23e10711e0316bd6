"""Body motion: read from files, retargeted, edited, measured and written."""
