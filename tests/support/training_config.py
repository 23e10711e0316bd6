"""A configuration that trains in seconds."""

from motionrep.training.config import FinetuneConfig

NEW_ENCODER = {
    "architecture": "ktpformer", "frames": 8, "channels": 16, "depth": 1, "heads": 2, "input_channels": 3,
}  # fmt: skip


CONFIG = FinetuneConfig(
    head="pose3d", new_encoder=NEW_ENCODER, epochs=1, clips_per_epoch=8, batch_size=4, precision="float32"
)
