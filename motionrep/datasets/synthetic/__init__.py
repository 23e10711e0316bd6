"""Clips simulated from motion: virtual cameras, a noisy detector, and data augmentation."""
