"""DSTformer, the encoder of MotionBERT (ICCV 2023, arXiv 2210.06551).

Written from the paper and the names, shapes and outputs of the published model, which this one reproduces.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.encoders.architectures.layers import (
    Axis,
    Fusion,
    TransformerBlock,
    drop_path_rates,
    require_input_channels,
    require_window,
)
from motionrep.encoders.base import Shareable
from motionrep.layouts import H36M_17, JointLayout

# As published: MotionBERT and MotionBERT-Lite.
SIZES: dict[str, dict[str, int | float]] = {
    "full": {"inner_channels": 512, "mlp_ratio": 2.0},
    "lite": {"inner_channels": 256, "mlp_ratio": 4.0},
}

# (regular expression of the name here, what it becomes in published files)
PUBLISHED_NAMES = (
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


class DSTformer(Shareable):
    """Two streams in each layer, one attends over joints and then frames, the other the other way round; fused.

    Reads clips of any length up to `frames`.

    Args:
        frames: The longest clip it reads.
        channels: What it puts out per joint, each between -1 and 1.
        inner_channels: Channels inside.
        drop_path: Chance that the last layer's residuals are skipped in training; grows linearly from 0.
        fps: Frame rate of the clips it was trained on; None when they had several or it is not known.
        normalisation: "width" for weights of the Human3.6M benchmark, "crop" for in-the-wild, mesh and action ones.
        crop_ratio: With "crop", side of the box over the longer side of the person; published action models read 2.
    """

    architecture = "dstformer"
    layout: JointLayout = H36M_17
    fixed_window = False

    def __init__(
        self,
        frames: int = 243,
        channels: int = 512,
        inner_channels: int = 512,
        depth: int = 5,
        heads: int = 8,
        mlp_ratio: float = 2.0,
        input_channels: int = 3,
        drop_path: float = 0.0,
        fps: float | None = None,
        normalisation: Literal["width", "crop"] = "width",
        crop_ratio: float = 1.0,
    ):
        super().__init__()
        require_input_channels(input_channels)
        if normalisation not in ("width", "crop") or crop_ratio <= 0:
            raise ValueError(
                "normalisation must be 'width' or 'crop' and crop_ratio positive, "
                f"got {normalisation!r} and {crop_ratio}"
            )
        self.config = {
            "frames": frames, "channels": channels, "inner_channels": inner_channels, "depth": depth, "heads": heads,
            "mlp_ratio": mlp_ratio, "input_channels": input_channels, "drop_path": drop_path, "fps": fps,
            "normalisation": normalisation, "crop_ratio": crop_ratio,
        }  # fmt: skip
        self.name = self.architecture
        self.frames, self.channels, self.input_channels, self.fps = frames, channels, input_channels, fps
        self.normalisation, self.crop_ratio = normalisation, crop_ratio

        def stream(*order: Axis) -> nn.ModuleList:
            return nn.ModuleList(
                nn.Sequential(
                    *(TransformerBlock(inner_channels, heads, over, mlp_ratio, drop_path=rate) for over in order)
                )
                for rate in drop_path_rates(drop_path, depth)
            )

        self.embed = nn.Linear(input_channels, inner_channels)
        self.joint_position = nn.Parameter(torch.zeros(1, self.layout.joint_count, inner_channels))
        self.frame_position = nn.Parameter(torch.zeros(1, frames, 1, inner_channels))
        self.joints_first = stream("joints", "frames")
        self.frames_first = stream("frames", "joints")
        self.fusions = nn.ModuleList(Fusion(inner_channels) for _ in range(depth))
        self.norm = nn.LayerNorm(inner_channels, eps=1e-6)
        self.representation = nn.Linear(inner_channels, channels)

    def forward(
        self, keypoints: Float[Tensor, "batch frames joints inputs"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        """Representation of clips of at most `self.frames` frames, from normalised keypoints."""
        require_window(self, keypoints)
        x = self.embed(keypoints)
        x = x + (self.joint_position[:, None] + self.frame_position[:, : x.shape[1]]).to(x.dtype)
        for joints_first, frames_first, fuse in zip(self.joints_first, self.frames_first, self.fusions, strict=True):
            x = fuse(joints_first(x), frames_first(x))
        return torch.tanh(self.representation(self.norm(x)))


def published_config(weights: Mapping[str, Tensor]) -> dict[str, int | float]:
    """What the shapes of a published state dict tell of the configuration."""
    inner_channels, inputs = weights["joints_embed.weight"].shape
    return {
        "frames": weights["temp_embed"].shape[1],
        "channels": weights["pre_logits.fc.weight"].shape[0],
        "inner_channels": inner_channels,
        "depth": len({name.split(".")[1] for name in weights if name.startswith("blocks_st.")}),
        "mlp_ratio": weights["blocks_st.0.mlp_s.fc1.weight"].shape[0] / inner_channels,
        "input_channels": inputs,
    }
