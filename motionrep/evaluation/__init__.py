"""Scores of trained heads: on synthesised views of held-out motion, and by the published protocols."""
