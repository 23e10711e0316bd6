"""DSTformer, the encoder of MotionBERT (ICCV 2023, arXiv 2210.06551).

Written from the paper and the names, shapes and outputs of the published model, which this one reproduces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.encoders.architectures.layers import (
    Axis,
    Fusion,
    TransformerBlock,
    UnroundedLinear,
    drop_path_rates,
    linear_pose3d_head,
)
from motionrep.encoders.base import Encoder, EncoderConfig
from motionrep.encoders.declaration import Normalisation
from motionrep.encoders.published_format import PublishedFormat

# As published: MotionBERT and MotionBERT-Lite.
SIZES: dict[str, dict[str, int | float]] = {
    "full": {"inner_channels": 512, "mlp_ratio": 2.0},
    "lite": {"inner_channels": 256, "mlp_ratio": 4.0},
}

# See `PublishedFormat.names`.
_PUBLISHED_NAMES = (
    (r"^embed\.", "joints_embed."),
    (r"^joint_position$", "pos_embed"),
    (r"^frame_position$", "temp_embed"),
    (r"^joints_first\.(\d+)\.0\.(\w+)", r"blocks_st.\1.\2_s"),
    (r"^joints_first\.(\d+)\.1\.(\w+)", r"blocks_st.\1.\2_t"),
    (r"^frames_first\.(\d+)\.0\.(\w+)", r"blocks_ts.\1.\2_t"),
    (r"^frames_first\.(\d+)\.1\.(\w+)", r"blocks_ts.\1.\2_s"),
    (r"^fusions\.(\d+)\.gate\.", r"ts_attn.\1."),
    (r"^representation\.", "pre_logits.fc."),
)


@dataclass(frozen=True, kw_only=True)
class DSTformerConfig(EncoderConfig):
    """Options of `DSTformer`; the defaults are the published ones.

    Attributes:
        inner_channels: Channels inside.
        depth: Layers.
        heads: Heads of each attention.
        mlp_ratio: Width of the perceptrons over `inner_channels`.
        drop_path: Chance that the last layer's residuals are skipped in training. It grows linearly from 0.
        normalisation: "width" for weights of the Human3.6M benchmark, "crop" for in-the-wild, mesh and action weights.
        crop_ratio: For "crop", the side of the box over the longer side of the person; published action models take 2.
    """

    inner_channels: int = 512
    depth: int = 5
    heads: int = 8
    mlp_ratio: float = 2.0
    drop_path: float = 0.0
    normalisation: Normalisation = "width"
    crop_ratio: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.normalisation not in ("width", "crop") or self.crop_ratio <= 0:
            raise ValueError(
                "normalisation must be 'width' or 'crop' and crop_ratio positive, "
                f"got {self.normalisation!r} and {self.crop_ratio}"
            )


def _published_config(weights: Mapping[str, Tensor]) -> DSTformerConfig:
    inner_channels, inputs = weights["joints_embed.weight"].shape
    return DSTformerConfig(
        frames=weights["temp_embed"].shape[1],
        channels=weights["pre_logits.fc.weight"].shape[0],
        inner_channels=inner_channels,
        depth=len({name.split(".")[1] for name in weights if name.startswith("blocks_st.")}),
        mlp_ratio=weights["blocks_st.0.mlp_s.fc1.weight"].shape[0] / inner_channels,
        input_channels=inputs,
    )


class DSTformer(Encoder):
    """Two streams in each layer, fused: one attends over joints and then frames, the other over frames first.

    Reads clips of any length up to `frames`. Each channel of the representation lies between -1 and 1.
    """

    architecture = "dstformer"
    config_type = DSTformerConfig
    config: DSTformerConfig
    published = PublishedFormat(
        _PUBLISHED_NAMES,
        _published_config,
        linear_pose3d_head,
        first_layer="joints_embed.weight",
        mark="temp_embed",
    )
    fixed_window = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        config, width = self.config, self.config.inner_channels
        self.normalisation, self.crop_ratio = config.normalisation, config.crop_ratio

        def stream(*order: Axis) -> nn.ModuleList:
            return nn.ModuleList(
                nn.Sequential(
                    *(TransformerBlock(width, config.heads, over, config.mlp_ratio, drop_path=rate) for over in order)
                )
                for rate in drop_path_rates(config.drop_path, config.depth)
            )

        self.embed = nn.Linear(self.input_channels, width)
        self.joint_position = nn.Parameter(torch.zeros(1, self.layout.joint_count, width))
        self.frame_position = nn.Parameter(torch.zeros(1, self.frames, 1, width))
        self.joints_first = stream("joints", "frames")
        self.frames_first = stream("frames", "joints")
        self.fusions = nn.ModuleList(Fusion(width) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.representation = UnroundedLinear(width, self.channels)

    def forward(
        self, keypoints: Float[Tensor, "batch frames joints inputs"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        """Representation of clips of at most `self.frames` frames, from normalised keypoints."""
        self.require_window(keypoints)
        x = self.embed(keypoints)
        x = x + (self.joint_position[:, None] + self.frame_position[:, : x.shape[1]]).to(x.dtype)
        for joints_first, frames_first, fuse in zip(self.joints_first, self.frames_first, self.fusions, strict=True):
            x = fuse(joints_first(x), frames_first(x))
        return torch.tanh(self.representation(self.norm(x)))

    def layer_groups(self) -> list[Sequence[nn.Module]]:
        layers = zip(self.joints_first, self.frames_first, self.fusions, strict=True)
        return [*layers, (self.norm, self.representation)]
