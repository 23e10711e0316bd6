"""SSR-STF (arXiv 2412.19676): a local and a global stream side by side.

An independent implementation from the paper's description. The authors published neither code nor weights, so it is
compared with nothing, and the results they state are not claimed for it. What the paper leaves open is an argument of
`SSRSTF`. What each stream and the fusion bring was measured: docs/ssr_stf.md.
"""

import re
from itertools import zip_longest
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.encoders.architectures.layers import (
    Axis,
    Block,
    Fusion,
    attention,
    drop_path_rates,
    local_coordinates,
    require_input_channels,
    require_window,
)
from motionrep.encoders.frame_rates import Refinable
from motionrep.layouts import H36M_17, JointLayout

# Those of MotionAGFormer, from which the architecture descends; the paper's own are not all known.
SIZES: dict[str, dict[str, int]] = {
    "xs": {"depth": 12, "inner_channels": 64, "frames": 27},
    "s": {"depth": 26, "inner_channels": 64, "frames": 81},
    "b": {"depth": 16, "inner_channels": 128, "frames": 243},
    "l": {"depth": 26, "inner_channels": 128, "frames": 243},
}

# Kernels along frames that get a tap for each of the frames between when `frame_scale` grows; the strips that see far
# leave more out instead.
_FILLED_KERNELS = re.compile(r"\.(attn\.structure|attn\.select|attn\.near\.1\.conv)\.weight$")


class SSRSTF(Refinable):
    """In each layer a global stream of criss-cross attention and a local one of large separable kernels; fused.

    Reads clips of any length up to `frames`. From `heads` on the arguments are choices of this implementation.

    Args:
        frames: The longest clip it reads.
        channels: What it puts out per joint, each between -1 and 1.
        inner_channels: Channels inside.
        heads: Half of them attend over joints, half over frames.
        structure_kernel: Side of the depthwise kernel that gives attention the place of its values.
        kernel: Length of the strips that see near frames and joints.
        dilated_kernel: Length of the strips that see far ones, in steps of `dilation`.
        selection_kernel: Side of the kernel that weighs near against far at every frame and joint.
        frame_scale: For clips of this many times the frame rate that kernels were chosen for: along frames they reach
            this many times as far.
        layer_scale: Initial factor of every residual; the 1e-5 of the lineage learns much more slowly.
        drop_path: Chance that the last layer's residuals are skipped in training; grows linearly from 0.
        fps: Frame rate of the clips it was trained on; None when they had several or it is not known.
        local_input: As for `KTPFormer`.
        streams: Only the global or only the local stream, to see what each of them brings.
        fusion: "mean" counts both streams equally everywhere, to see what the adaptive weights bring.
    """

    architecture = "ssr_stf"
    layout: JointLayout = H36M_17
    normalisation = "width"
    fixed_window = False

    def __init__(
        self,
        frames: int = 243,
        channels: int = 512,
        inner_channels: int = 128,
        depth: int = 16,
        input_channels: int = 3,
        heads: int = 8,
        mlp_ratio: float = 4.0,
        structure_kernel: int = 3,
        kernel: int = 5,
        dilated_kernel: int = 7,
        dilation: int = 3,
        selection_kernel: int = 7,
        frame_scale: int = 1,
        layer_scale: float = 1.0,
        drop_path: float = 0.0,
        fps: float | None = None,
        local_input: bool = False,
        streams: Literal["both", "global", "local"] = "both",
        fusion: Literal["adaptive", "mean"] = "adaptive",
    ):
        super().__init__()
        require_input_channels(input_channels)
        kernels = (structure_kernel, kernel, dilated_kernel, selection_kernel)
        if any(size < 1 or size % 2 == 0 for size in kernels):
            raise ValueError(f"kernels must be odd, so that each has a middle; got {kernels}")
        if frame_scale < 1 or frame_scale != int(frame_scale):
            raise ValueError(f"frame_scale must be a whole number from 1 on, got {frame_scale}")
        if heads % 2 or inner_channels % heads:
            raise ValueError(f"heads must be even and divide inner_channels ({inner_channels}), got {heads}")
        if streams not in ("both", "global", "local") or fusion not in ("adaptive", "mean"):
            raise ValueError(
                f"streams must be 'both', 'global' or 'local', fusion 'adaptive' or 'mean', got {streams!r}, {fusion!r}"
            )
        self.config = {
            "frames": frames, "channels": channels, "inner_channels": inner_channels, "depth": depth,
            "input_channels": input_channels, "heads": heads, "mlp_ratio": mlp_ratio,
            "structure_kernel": structure_kernel, "kernel": kernel, "dilated_kernel": dilated_kernel,
            "dilation": dilation, "selection_kernel": selection_kernel, "frame_scale": frame_scale,
            "layer_scale": layer_scale, "drop_path": drop_path, "fps": fps, "local_input": local_input,
            "streams": streams, "fusion": fusion,
        }  # fmt: skip
        self.name = self.architecture
        self.frames, self.channels, self.input_channels, self.fps = frames, channels, input_channels, fps
        self.local_input, self.streams = local_input, streams

        def stream(*mixers: nn.Module) -> nn.ModuleList:
            rates = drop_path_rates(drop_path, depth)[: len(mixers)]
            return nn.ModuleList(
                Block(mixer, None, inner_channels, mlp_ratio, drop_path=rate, layer_scale=layer_scale)
                for mixer, rate in zip(mixers, rates, strict=True)
            )

        far_depth, near_depth = (depth if streams in (name, "both") else 0 for name in ("global", "local"))
        fusion_depth = depth if streams == "both" and fusion == "adaptive" else 0
        self.embed = nn.Linear(input_channels + 2 * local_input, inner_channels)
        self.joint_position = nn.Parameter(torch.zeros(1, 1, self.layout.joint_count, inner_channels))
        self.frame_position = nn.Parameter(torch.zeros(1, frames, 1, inner_channels))
        self.far_blocks = stream(
            *(CrissCrossAttention(inner_channels, heads, structure_kernel, frame_scale) for _ in range(far_depth))
        )
        self.near_blocks = stream(
            *(
                SelectiveRefinement(inner_channels, kernel, dilated_kernel, dilation, selection_kernel, frame_scale)
                for _ in range(near_depth)
            )
        )
        self.fusions = nn.ModuleList(Fusion(inner_channels) for _ in range(fusion_depth))
        self.norm = nn.LayerNorm(inner_channels, eps=1e-6)
        self.representation = nn.Linear(inner_channels, channels)

    def forward(
        self, keypoints: Float[Tensor, "batch frames joints inputs"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        """Representation of clips of at most `self.frames` frames, from normalised keypoints."""
        require_window(self, keypoints)
        if self.local_input:
            keypoints = torch.cat([keypoints, local_coordinates(keypoints)], -1)
        x = self.embed(keypoints)
        x = x + (self.joint_position + self.frame_position[:, : x.shape[1]]).to(x.dtype)
        for far, near, fuse in zip_longest(self.far_blocks, self.near_blocks, self.fusions):
            match self.streams:
                case "global":
                    x = far(x)
                case "local":
                    x = near(x)
                case "both":
                    x = (far(x) + near(x)) / 2 if fuse is None else fuse(far(x), near(x))
        return torch.tanh(self.representation(self.norm(x)))

    def _finer_config(self, times: int) -> dict[str, Any]:
        return super()._finer_config(times) | {"frame_scale": times * self.config["frame_scale"]}

    def _finer_weights(self, times: int) -> dict[str, Tensor]:
        weights = self.state_dict()
        weights["frame_position"] = weights["frame_position"].repeat_interleave(times, 1)
        for name, kernel in weights.items():
            if _FILLED_KERNELS.search(name):
                weights[name] = kernel.new_zeros(*kernel.shape[:2], _scaled(kernel.shape[2], times), kernel.shape[3])
                weights[name][:, :, ::times] = kernel
        return weights


class CrissCrossAttention(nn.Module):
    """Half of the heads attend over the joints of a frame, the other half over the frames of a joint.

    Each half adds a depthwise convolution of its values over frames and joints.
    """

    def __init__(self, channels: int, heads: int, structure_kernel: int, frame_scale: int = 1):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(channels, 3 * channels)
        size = (_scaled(structure_kernel, frame_scale), structure_kernel)
        self.structure = nn.Conv2d(channels, channels, size, padding="same", groups=channels)
        self.proj = nn.Linear(channels, channels)

    def forward(
        self, x: Float[Tensor, "batch frames joints channels"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        over_joints, over_frames = qkv.chunk(2, dim=4)
        mixed = torch.cat([attention(over_joints, "joints"), attention(over_frames, "frames")], -1)
        value = qkv[:, :, :, 2].flatten(3).permute(0, 3, 1, 2)  # batch channels frames joints
        return self.proj(mixed + self.structure(value).permute(0, 2, 3, 1))


class SelectiveRefinement(nn.Module):
    """Skeleton selective refine attention: large kernels, split into strips, say how much of each input counts.

    The clip is read as an image of frames and joints; joints lie in the order of the layout.
    """

    def __init__(
        self,
        channels: int,
        kernel: int,
        dilated_kernel: int,
        dilation: int,
        selection_kernel: int,
        frame_scale: int = 1,
    ):
        super().__init__()
        self.near = nn.Sequential(
            Strip(channels, "joints", kernel), Strip(channels, "frames", _scaled(kernel, frame_scale))
        )
        self.far = nn.Sequential(
            Strip(channels, "joints", dilated_kernel, dilation),
            Strip(channels, "frames", dilated_kernel, dilation * frame_scale),
        )
        self.near_proj = nn.Linear(channels, channels // 2)
        self.far_proj = nn.Linear(channels, channels // 2)
        size = (_scaled(selection_kernel, frame_scale), selection_kernel)
        self.select = nn.Conv2d(2, 2, size, padding="same")
        self.proj = nn.Linear(channels // 2, channels)

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

    A dilated convolution is computed as an ordinary one on `dilation` interleaved strips; zeros are added before, and
    channels stay last. Each of these makes torch 2.13 several times faster on a CPU.
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
