"""Encoders and heads outside of Python scripts: live streams, ONNX and torch.export files."""
