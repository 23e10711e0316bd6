"""SSR-STF (arXiv 2412.19676): a local and a global stream side by side.

An independent implementation from the paper's description. The authors published neither code nor weights, so there is
nothing to compare it with, and the results they state are not claimed for it. What the paper leaves open is an option
in `SSRSTFConfig`. docs/ssr_stf.md measures what each stream and the fusion bring.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.encoders.architectures import motionagformer
from motionrep.encoders.architectures.layers import (
    Axis,
    Block,
    Fusion,
    UnroundedLinear,
    attention,
    drop_path_rates,
    local_coordinates,
)
from motionrep.encoders.base import Encoder, EncoderConfig

# The architecture descends from MotionAGFormer. The paper does not give all of its own sizes.
SIZES = motionagformer.SIZES

# Kernels along frames that get more taps when `frame_scale` grows. The dilated strips get more dilation instead.
_UPSAMPLED_KERNELS = re.compile(r"\.(attn\.structure|attn\.select|attn\.near\.1\.conv)\.weight$")


@dataclass(frozen=True, kw_only=True)
class SSRSTFConfig(EncoderConfig):
    """Options of `SSRSTF`. From `heads` on they are choices of this implementation.

    Attributes:
        inner_channels: Channels inside.
        depth: Layers.
        heads: Heads of each attention: half of them attend over joints, half over frames.
        mlp_ratio: Width of the perceptrons over `inner_channels`.
        structure_kernel: Side of the depthwise kernel that tells attention where its values lie.
        kernel: Length of the strips that see near frames and joints.
        dilated_kernel: Length of the strips that see far ones, in steps of `dilation`.
        dilation: See `dilated_kernel`.
        selection_kernel: Side of the kernel that weighs near against far at every frame and joint.
        frame_scale: Kernels reach this many times as far along frames, for clips of this many times the frame rate.
        layer_scale: Initial factor of every residual. The 1e-5 of the lineage learns much more slowly.
        drop_path: Chance that the last layer's residuals are skipped in training. It grows linearly from 0.
        local_input: As in `KTPFormerConfig`.
        streams: "global" or "local" leaves out the other stream, to see what each of them brings.
        fusion: "mean" counts both streams equally everywhere, to see what the adaptive weights bring.
    """

    inner_channels: int = 128
    depth: int = 16
    heads: int = 8
    mlp_ratio: float = 4.0
    structure_kernel: int = 3
    kernel: int = 5
    dilated_kernel: int = 7
    dilation: int = 3
    selection_kernel: int = 7
    frame_scale: int = 1
    layer_scale: float = 1.0
    drop_path: float = 0.0
    local_input: bool = False
    streams: Literal["both", "global", "local"] = "both"
    fusion: Literal["adaptive", "mean"] = "adaptive"

    def __post_init__(self) -> None:
        super().__post_init__()
        kernels = (self.structure_kernel, self.kernel, self.dilated_kernel, self.selection_kernel)
        if any(size < 1 or size % 2 == 0 for size in kernels):
            raise ValueError(f"kernels must be odd, so that each has a middle; got {kernels}")
        if self.frame_scale < 1 or self.frame_scale != int(self.frame_scale):
            raise ValueError(f"frame_scale must be a whole number from 1 on, got {self.frame_scale}")
        if self.heads % 2 or self.inner_channels % self.heads:
            raise ValueError(f"heads must be even and divide inner_channels ({self.inner_channels}), got {self.heads}")
        if self.streams not in ("both", "global", "local") or self.fusion not in ("adaptive", "mean"):
            raise ValueError(
                "streams must be 'both', 'global' or 'local', fusion 'adaptive' or 'mean', "
                f"got {self.streams!r}, {self.fusion!r}"
            )


class SSRSTF(Encoder):
    """A global stream of criss-cross attention and a local one of large separable kernels in each layer, fused.

    Reads clips of any length up to `frames`. Each channel of the representation lies between -1 and 1.
    """

    architecture = "ssr_stf"
    config_type = SSRSTFConfig
    config: SSRSTFConfig
    fixed_window = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        config, width = self.config, self.config.inner_channels

        def stream(name: str, mixer: type[CrissCrossAttention | SelectiveRefinement]) -> nn.ModuleList:
            rates = drop_path_rates(config.drop_path, config.depth) if config.streams in (name, "both") else []
            mixers = [mixer(config) for _ in rates]  # all before the blocks, or seeds would give other initial weights
            return nn.ModuleList(
                Block(mixed, None, width, config.mlp_ratio, drop_path=rate, layer_scale=config.layer_scale)
                for mixed, rate in zip(mixers, rates, strict=True)
            )

        self.embed = nn.Linear(self.input_channels + 2 * config.local_input, width)
        self.joint_position = nn.Parameter(torch.zeros(1, 1, self.layout.joint_count, width))
        self.frame_position = nn.Parameter(torch.zeros(1, self.frames, 1, width))
        self.far_blocks = stream("global", CrissCrossAttention)
        self.near_blocks = stream("local", SelectiveRefinement)
        fused = config.streams == "both" and config.fusion == "adaptive"
        self.fusions = nn.ModuleList(Fusion(width) for _ in range(config.depth if fused else 0))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.representation = UnroundedLinear(width, self.channels)

    def forward(
        self, keypoints: Float[Tensor, "batch frames joints inputs"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        """Representation of clips of at most `frames` frames, from normalised keypoints."""
        self.require_window(keypoints)
        if self.config.local_input:
            keypoints = torch.cat([keypoints, local_coordinates(keypoints)], -1)
        x = self.embed(keypoints)
        x = x + (self.joint_position + self.frame_position[:, : x.shape[1]]).to(x.dtype)
        for far, near, fuse in zip_longest(self.far_blocks, self.near_blocks, self.fusions):
            match self.config.streams:
                case "global":
                    x = far(x)
                case "local":
                    x = near(x)
                case "both":
                    x = (far(x) + near(x)) / 2 if fuse is None else fuse(far(x), near(x))
        return torch.tanh(self.representation(self.norm(x)))

    def layer_groups(self) -> list[Sequence[nn.Module]]:
        layers = zip_longest(self.far_blocks, self.near_blocks, self.fusions)
        groups = [[module for module in layer if module is not None] for layer in layers]
        return [*groups, [self.norm, self.representation]]

    def _upsampled(self, times: int) -> tuple[dict[str, Any], Mapping[str, Tensor]]:
        weights = self.state_dict()
        weights["frame_position"] = weights["frame_position"].repeat_interleave(times, 1)
        for name, kernel in weights.items():
            if _UPSAMPLED_KERNELS.search(name):
                weights[name] = kernel.new_zeros(*kernel.shape[:2], _scaled(kernel.shape[2], times), kernel.shape[3])
                weights[name][:, :, ::times] = kernel
        return {"frame_scale": times * self.config.frame_scale}, weights


class CrissCrossAttention(nn.Module):
    """Half of the heads attend over the joints of a frame, the other half over the frames of a joint.

    Each half adds a depthwise convolution of its values over frames and joints.
    """

    def __init__(self, config: SSRSTFConfig):
        super().__init__()
        channels, kernel = config.inner_channels, config.structure_kernel
        self.heads = config.heads
        self.qkv = nn.Linear(channels, 3 * channels)
        size = (_scaled(kernel, config.frame_scale), kernel)
        self.structure = nn.Conv2d(channels, channels, size, padding="same", groups=channels)
        self.proj = UnroundedLinear(channels, channels)

    def forward(
        self, x: Float[Tensor, "batch frames joints channels"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        over_joints, over_frames = qkv.chunk(2, dim=4)
        mixed = torch.cat([attention(over_joints, "joints"), attention(over_frames, "frames")], -1)
        value = qkv[:, :, :, 2].flatten(3).permute(0, 3, 1, 2)  # batch channels frames joints
        return self.proj(mixed + self.structure(value).permute(0, 2, 3, 1))


class SelectiveRefinement(nn.Module):
    """Skeleton selective refine attention: what large kernels see scales each input.

    The kernels are split into strips. The clip is read as an image of frames and joints in the order of the layout.
    """

    def __init__(self, config: SSRSTFConfig):
        super().__init__()
        channels, scale = config.inner_channels, config.frame_scale
        self.near = nn.Sequential(
            Strip(channels, "joints", config.kernel), Strip(channels, "frames", _scaled(config.kernel, scale))
        )
        self.far = nn.Sequential(
            Strip(channels, "joints", config.dilated_kernel, config.dilation),
            Strip(channels, "frames", config.dilated_kernel, config.dilation * scale),
        )
        self.near_proj = nn.Linear(channels, channels // 2)
        self.far_proj = nn.Linear(channels, channels // 2)
        size = (_scaled(config.selection_kernel, scale), config.selection_kernel)
        self.select = nn.Conv2d(2, 2, size, padding="same")
        self.proj = UnroundedLinear(channels // 2, channels)

    def forward(
        self, x: Float[Tensor, "batch frames joints channels"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        near = self.near(x)
        near, far = self.near_proj(near), self.far_proj(self.far(near))
        both = torch.cat([near, far], -1)
        weights = self.select(torch.stack([both.mean(-1), both.amax(-1)], 1)).sigmoid()  # batch 2 frames joints
        return x * self.proj(weights[:, 0, ..., None] * near + weights[:, 1, ..., None] * far)


class Strip(nn.Module):
    """Depthwise convolution along the frames of each joint or the joints of each frame, with zeros around the clip.

    Three things make it several times faster on a CPU (torch 2.13): a dilated convolution is an ordinary one on
    `dilation` interleaved strips, the zeros are added first, and channels stay last.
    """

    def __init__(self, channels: int, over: Axis, kernel: int, dilation: int = 1):
        super().__init__()
        self.over, self.dilation = over, dilation
        self.conv = nn.Conv2d(channels, channels, (kernel, 1), groups=channels)

    def forward(
        self, x: Float[Tensor, "batch frames joints channels"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        rows = x if self.over == "frames" else x.flatten(0, 1)[:, :, None]  # rows length others channels
        length, reach = rows.shape[1], self.dilation * (self.conv.kernel_size[0] // 2)
        filled = F.pad(rows, (0, 0, 0, 0, reach, reach + -length % self.dilation))
        strips = filled.unflatten(1, (-1, self.dilation)).flatten(2, 3).permute(0, 3, 1, 2)
        mixed = self.conv(strips).permute(0, 2, 3, 1)
        return mixed.reshape(rows.shape[0], -1, *rows.shape[2:])[:, :length].reshape(x.shape)


def _scaled(kernel: int, scale: int) -> int:
    """The size of a kernel that reaches `scale` times as far on both sides."""
    return (kernel - 1) * scale + 1
