"""MotionAGFormer (WACV 2024, arXiv 2310.16288): attention and graph convolution side by side.

Written from the paper and the names, shapes and outputs of the published model, which this one reproduces.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.encoders.architectures.layers import (
    Block,
    Fusion,
    TransformerBlock,
    drop_path_rates,
    require_input_channels,
    require_window,
)
from motionrep.encoders.base import Shareable
from motionrep.layouts import H36M_17, JointLayout

# As published.
SIZES: dict[str, dict[str, int]] = {
    "xs": {"depth": 12, "inner_channels": 64, "frames": 27},
    "s": {"depth": 26, "inner_channels": 64, "frames": 81},
    "b": {"depth": 16, "inner_channels": 128, "frames": 243},
    "l": {"depth": 26, "inner_channels": 128, "frames": 243},
}

# The published joint graph is the skeleton in both directions, except that these rows lack these neighbours.
_LACKING = (("pelvis", "left_hip"), ("thorax", "left_shoulder"), ("thorax", "right_shoulder"))

# (regular expression of the name here, what it becomes in published files)
PUBLISHED_NAMES = (
    (r"^embed\.", "joints_embed."),
    (r"^joint_position$", "pos_embed"),
    (r"\.attention\.0\.", ".att_spatial."),
    (r"\.attention\.1\.", ".att_temporal."),
    (r"\.graph\.0\.", ".graph_spatial."),
    (r"\.graph\.1\.", ".graph_temporal."),
    (r"\.attn\.", ".mixer."),
    (r"\.fusion\.gate\.", ".fusion."),
    (r"^representation\.", "rep_logit.fc."),
)


class MotionAGFormer(Shareable):
    """In each layer an attention stream and a graph stream, both over joints and then over frames; fused.

    The window is fixed: `frames` is part of the weights. Which frames are neighbours in the graph of frames is a choice
    that rounding can flip, so results of two devices, or of a window alone and in a batch, may differ by 1e-2 in
    places, most of all where frames repeat. It is never made in less than float32, and in float32 on the CPU as the
    published model makes it.

    Args:
        channels: What it puts out per joint, each between -1 and 1.
        inner_channels: Channels inside.
        neighbours: Every frame of a joint is linked to the so many frames, itself included, most like it.
        drop_path: Chance that the last layer's residuals are skipped in training; grows linearly from 0.
        fps: Frame rate of the clips it was trained on; None when they had several or it is not known.
    """

    architecture = "motionagformer"
    layout: JointLayout = H36M_17
    normalisation = "width"
    coco_recipe = "mhformer"
    fixed_window = True

    def __init__(
        self,
        frames: int = 243,
        channels: int = 512,
        inner_channels: int = 128,
        depth: int = 16,
        heads: int = 8,
        mlp_ratio: float = 4.0,
        input_channels: int = 3,
        neighbours: int = 2,
        layer_scale: float = 1e-5,
        drop_path: float = 0.0,
        fps: float | None = None,
    ):
        super().__init__()
        require_input_channels(input_channels)
        if not 1 <= neighbours <= frames:
            raise ValueError(f"neighbours must be at least 1 and at most {frames} frames, got {neighbours}")
        self.config = {
            "frames": frames, "channels": channels, "inner_channels": inner_channels, "depth": depth, "heads": heads,
            "mlp_ratio": mlp_ratio, "input_channels": input_channels, "neighbours": neighbours,
            "layer_scale": layer_scale, "drop_path": drop_path, "fps": fps,
        }  # fmt: skip
        self.name = self.architecture
        self.frames, self.channels, self.input_channels, self.fps = frames, channels, input_channels, fps

        self.embed = nn.Linear(input_channels, inner_channels)
        self.joint_position = nn.Parameter(torch.zeros(1, self.layout.joint_count, inner_channels))
        self.layers = nn.ModuleList(
            _Layer(inner_channels, heads, mlp_ratio, self.layout, frames, neighbours, layer_scale, rate)
            for rate in drop_path_rates(drop_path, depth)
        )
        self.norm = nn.LayerNorm(inner_channels)
        self.representation = nn.Linear(inner_channels, channels)

    def forward(
        self, keypoints: Float[Tensor, "batch frames joints inputs"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        """Representation of windows of exactly `self.frames` frames, from normalised keypoints."""
        require_window(self, keypoints)
        x = self.embed(keypoints)
        x = x + self.joint_position[:, None].to(x.dtype)
        for layer in self.layers:
            x = layer(x)
        return torch.tanh(self.representation(self.norm(x)))


class _Layer(nn.Module):
    def __init__(
        self,
        inner_channels: int,
        heads: int,
        mlp_ratio: float,
        layout: JointLayout,
        frames: int,
        neighbours: int,
        layer_scale: float,
        drop_path: float,
    ):
        super().__init__()
        # Plain attention rounds as the published model's, so that rounding links the same frames.
        common = {"layer_scale": layer_scale, "drop_path": drop_path, "eps": 1e-5}
        self.attention = nn.Sequential(
            TransformerBlock(inner_channels, heads, "joints", mlp_ratio, qkv_bias=False, arithmetic="plain", **common),
            TransformerBlock(inner_channels, heads, "frames", mlp_ratio, qkv_bias=False, arithmetic="plain", **common),
        )
        self.graph = nn.Sequential(
            Block(JointGraphMixer(inner_channels, layout), "joints", inner_channels, mlp_ratio, **common),
            Block(FrameGraphMixer(inner_channels, frames, neighbours), "frames", inner_channels, mlp_ratio, **common),
        )
        self.fusion = Fusion(inner_channels)

    def forward(
        self, x: Float[Tensor, "batch frames joints channels"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        return self.fusion(self.attention(x), self.graph(x))


class GraphMixer(nn.Module):
    """`ReLU(z + batch_norm(A V(z) + U(z)))`, with batch normalisation of each node over everything else."""

    def __init__(self, channels: int, nodes: int):
        super().__init__()
        self.U = nn.Linear(channels, channels)
        self.V = nn.Linear(channels, channels)
        self.batch_norm = nn.BatchNorm1d(nodes)

    def mixed(
        self, z: Float[Tensor, "batch rows nodes channels"], adjacency: Float[Tensor, "*graphs nodes nodes"]
    ) -> Float[Tensor, "batch rows nodes channels"]:
        """The formula, for a graph of `nodes` in each row."""
        y = adjacency @ self.V(z) + self.U(z)
        return F.relu(z + self.batch_norm(y.flatten(0, 1)).view(z.shape))


class JointGraphMixer(GraphMixer):
    """Over the skeleton, in each frame."""

    adjacency: Tensor

    def __init__(self, channels: int, layout: JointLayout):
        super().__init__(channels, layout.joint_count)
        edges = torch.zeros(layout.joint_count, layout.joint_count)
        for a, b in layout.bones:
            edges[a, b] = edges[b, a] = 1
        for row, neighbour in _LACKING:
            edges[layout.index(row), layout.index(neighbour)] = 0
        self.register_buffer("adjacency", _balanced(edges), persistent=False)

    def forward(
        self, x: Float[Tensor, "batch frames joints channels"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        return self.mixed(x, self.adjacency)


class FrameGraphMixer(GraphMixer):
    """Over the frames of each joint, linked by how alike they are."""

    def __init__(self, channels: int, frames: int, neighbours: int):
        super().__init__(channels, frames)
        self.neighbours = neighbours

    def forward(
        self, x: Float[Tensor, "batch frames joints channels"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        z = x.transpose(1, 2)  # batch joints frames channels
        return self.mixed(z, self._graph(z.detach())).transpose(1, 2)

    def _graph(self, z: Tensor) -> Tensor:
        with torch.autocast(z.device.type, enabled=False):
            precise = z.to(torch.promote_types(z.dtype, torch.float32))
            alike = precise @ precise.transpose(-2, -1)
            least = alike.topk(self.neighbours, -1).values[..., -1:]
            return _balanced((alike >= least).to(z.dtype))


def _balanced(edges: Float[Tensor, "*batch nodes nodes"]) -> Float[Tensor, "*batch nodes nodes"]:
    """`D^-1/2 A D^-1/2` with the row sums D."""
    scale = edges.sum(-1).rsqrt()
    return scale[..., :, None] * edges * scale[..., None, :]


def published_config(weights: Mapping[str, Tensor]) -> dict[str, int | float]:
    """What the shapes of a published state dict tell of the configuration."""
    inner_channels, inputs = weights["joints_embed.weight"].shape
    return {
        "frames": weights["layers.0.graph_temporal.mixer.batch_norm.weight"].shape[0],
        "channels": weights["rep_logit.fc.weight"].shape[0],
        "inner_channels": inner_channels,
        "depth": len({name.split(".")[1] for name in weights if name.startswith("layers.")}),
        "mlp_ratio": weights["layers.0.att_spatial.mlp.fc1.weight"].shape[0] / inner_channels,
        "input_channels": inputs,
    }
