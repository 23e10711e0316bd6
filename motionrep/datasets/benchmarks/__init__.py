"""Readers of the files of published data sets."""
