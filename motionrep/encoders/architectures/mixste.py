"""MixSTE (CVPR 2022, arXiv 2203.00859): joints attend to each other, then frames, in turns.

Written from the paper and the names, shapes and outputs of the published model, which this one reproduces.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.encoders.architectures.layers import (
    TransformerBlock,
    drop_path_rates,
    require_input_channels,
    require_window,
)
from motionrep.encoders.base import Shareable
from motionrep.layouts import H36M_17, JointLayout

# (regular expression of the name here, what it becomes in published files)
PUBLISHED_NAMES = (
    (r"^embed\.", "Spatial_patch_to_embedding."),
    (r"^joint_position$", "Spatial_pos_embed"),
    (r"^frame_position$", "Temporal_pos_embed"),
    (r"^joint_blocks\.", "STEblocks."),
    (r"^frame_blocks\.", "TTEblocks."),
    (r"^joint_norm\.", "Spatial_norm."),
    (r"^frame_norm\.", "Temporal_norm."),
)


class MixSTE(Shareable):
    """Pairs of transformer blocks, over joints and over frames, with one norm each for all pairs.

    The window is fixed: `frames` is part of the weights.

    Args:
        depth: Pairs of blocks.
        drop_path: Chance that the last pair's residuals are skipped in training; grows linearly from 0.
        fps: Frame rate of the clips it was trained on; None when they had several or it is not known.
    """

    architecture = "mixste"
    layout: JointLayout = H36M_17
    normalisation = "width"
    fixed_window = True

    def __init__(
        self,
        frames: int = 243,
        channels: int = 512,
        depth: int = 8,
        heads: int = 8,
        mlp_ratio: float = 2.0,
        input_channels: int = 2,
        drop_path: float = 0.1,
        fps: float | None = None,
    ):
        super().__init__()
        require_input_channels(input_channels)
        self.config = {
            "frames": frames, "channels": channels, "depth": depth, "heads": heads, "mlp_ratio": mlp_ratio,
            "input_channels": input_channels, "drop_path": drop_path, "fps": fps,
        }  # fmt: skip
        self.name = self.architecture
        self.frames, self.channels, self.input_channels, self.fps = frames, channels, input_channels, fps

        self.embed = nn.Linear(input_channels, channels)
        self.joint_position = nn.Parameter(torch.zeros(1, self.layout.joint_count, channels))
        self.frame_position = nn.Parameter(torch.zeros(1, frames, channels))
        rates = drop_path_rates(drop_path, depth)
        self.joint_blocks = nn.ModuleList(
            TransformerBlock(channels, heads, "joints", mlp_ratio, drop_path=rate) for rate in rates
        )
        self.frame_blocks = nn.ModuleList(
            TransformerBlock(channels, heads, "frames", mlp_ratio, drop_path=rate) for rate in rates
        )
        self.joint_norm = nn.LayerNorm(channels, eps=1e-6)
        self.frame_norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(
        self, keypoints: Float[Tensor, "batch frames joints inputs"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        """Representation of windows of exactly `self.frames` frames, from normalised keypoints."""
        require_window(self, keypoints)
        x = self.embed(keypoints)
        x = x + self.joint_position[:, None].to(x.dtype)
        for layer, (joint_block, frame_block) in enumerate(zip(self.joint_blocks, self.frame_blocks, strict=True)):
            x = self.joint_norm(joint_block(x))
            if layer == 0:
                x = x + self.frame_position[:, :, None].to(x.dtype)
            x = self.frame_norm(frame_block(x))
        return x


def published_config(weights: Mapping[str, Tensor]) -> dict[str, int | float]:
    """What the shapes of a published state dict tell of the configuration."""
    channels, inputs = weights["Spatial_patch_to_embedding.weight"].shape
    return {
        "frames": weights["Temporal_pos_embed"].shape[1],
        "channels": channels,
        "depth": len({name.split(".")[1] for name in weights if name.startswith("STEblocks.")}),
        "mlp_ratio": weights["STEblocks.0.mlp.fc1.weight"].shape[0] / channels,
        "input_channels": inputs,
    }
