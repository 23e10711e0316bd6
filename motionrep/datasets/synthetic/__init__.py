"""Training clips filmed by virtual cameras: motion in, noisy keypoints and their truth out."""
