"""Shipped encoders and heads, one folder each."""
