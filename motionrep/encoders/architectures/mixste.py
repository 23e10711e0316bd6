"""MixSTE (CVPR 2022, arXiv 2203.00859): joints attend to each other, then frames, in turns.

Written from the paper and the names, shapes and outputs of the published model, which this one reproduces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.encoders.architectures.layers import drop_path_rates, pose3d_head, transformer_blocks
from motionrep.encoders.base import Encoder, EncoderConfig
from motionrep.encoders.published_format import PublishedFormat

# See `PublishedFormat.names`.
_PUBLISHED_NAMES = (
    (r"^embed\.", "Spatial_patch_to_embedding."),
    (r"^joint_position$", "Spatial_pos_embed"),
    (r"^frame_position$", "Temporal_pos_embed"),
    (r"^joint_blocks\.", "STEblocks."),
    (r"^frame_blocks\.", "TTEblocks."),
    (r"^joint_norm\.", "Spatial_norm."),
    (r"^frame_norm\.", "Temporal_norm."),
)


@dataclass(frozen=True, kw_only=True)
class MixSTEConfig(EncoderConfig):
    """Options of `MixSTE`; the defaults are the published ones.

    Attributes:
        depth: Pairs of blocks.
        heads: Heads of each attention.
        mlp_ratio: Width of the perceptrons over that of the tokens.
        drop_path: Chance that the last pair's residuals are skipped in training. It grows linearly from 0.
    """

    input_channels: int = 2
    depth: int = 8
    heads: int = 8
    mlp_ratio: float = 2.0
    drop_path: float = 0.1


def _published_config(weights: Mapping[str, Tensor]) -> MixSTEConfig:
    channels, inputs = weights["Spatial_patch_to_embedding.weight"].shape
    return MixSTEConfig(
        frames=weights["Temporal_pos_embed"].shape[1],
        channels=channels,
        depth=len({name.split(".")[1] for name in weights if name.startswith("STEblocks.")}),
        mlp_ratio=weights["STEblocks.0.mlp.fc1.weight"].shape[0] / channels,
        input_channels=inputs,
    )


class MixSTE(Encoder):
    """Pairs of transformer blocks, over joints and over frames, with one norm each for all pairs.

    The window is fixed: `frames` is part of the weights.
    """

    architecture = "mixste"
    config_type = MixSTEConfig
    config: MixSTEConfig
    published = PublishedFormat(
        _PUBLISHED_NAMES,
        _published_config,
        pose3d_head,
        first_layer="Spatial_patch_to_embedding.weight",
        mark="Spatial_pos_embed",
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        config, channels = self.config, self.channels
        self.embed = nn.Linear(self.input_channels, channels)
        self.joint_position = nn.Parameter(torch.zeros(1, self.layout.joint_count, channels))
        self.frame_position = nn.Parameter(torch.zeros(1, self.frames, channels))
        rates = drop_path_rates(config.drop_path, config.depth)
        self.joint_blocks = transformer_blocks(channels, config.heads, "joints", config.mlp_ratio, rates)
        self.frame_blocks = transformer_blocks(channels, config.heads, "frames", config.mlp_ratio, rates)
        self.joint_norm = nn.LayerNorm(channels, eps=1e-6)
        self.frame_norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(
        self, keypoints: Float[Tensor, "batch frames joints inputs"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        """Representation of windows of exactly `self.frames` frames, from normalised keypoints."""
        self.require_window(keypoints)
        x = self.embed(keypoints)
        x = x + self.joint_position[:, None].to(x.dtype)
        for layer, (joint_block, frame_block) in enumerate(zip(self.joint_blocks, self.frame_blocks, strict=True)):
            x = self.joint_norm(joint_block(x))
            if layer == 0:
                x = x + self.frame_position[:, :, None].to(x.dtype)
            x = self.frame_norm(frame_block(x))
        return x

    def layer_groups(self) -> list[Sequence[nn.Module]]:
        return [*zip(self.joint_blocks, self.frame_blocks, strict=True), (self.joint_norm, self.frame_norm)]
