"""Training: heads on encoders (fine-tuning), and encoders themselves (pretraining)."""
