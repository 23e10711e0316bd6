"""Clips to train on and to score with: from files of motion and of benchmarks, simulated, or written by hand."""
