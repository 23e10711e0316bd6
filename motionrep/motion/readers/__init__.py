"""Readers of motion files, one format each."""
