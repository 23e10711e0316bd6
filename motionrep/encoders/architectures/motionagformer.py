"""MotionAGFormer (WACV 2024, arXiv 2310.16288): attention and graph convolution side by side.

Written from the paper and the names, shapes and outputs of the published model, which this one reproduces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.encoders.architectures.layers import (
    Axis,
    Block,
    Fusion,
    TransformerBlock,
    UnroundedLinear,
    drop_path_rates,
    linear_pose3d_head,
)
from motionrep.encoders.base import Encoder, EncoderConfig
from motionrep.encoders.published_format import PublishedFormat
from motionrep.layouts import JointLayout

# As published.
SIZES: dict[str, dict[str, int]] = {
    "xs": {"depth": 12, "inner_channels": 64, "frames": 27},
    "s": {"depth": 26, "inner_channels": 64, "frames": 81},
    "b": {"depth": 16, "inner_channels": 128, "frames": 243},
    "l": {"depth": 26, "inner_channels": 128, "frames": 243},
}

# The published joint graph is the skeleton in both directions, except that these rows lack these neighbours.
_LACKING = (("pelvis", "left_hip"), ("thorax", "left_shoulder"), ("thorax", "right_shoulder"))

# Variances of frames are compared for windows of at least twice so many, and only where they are smooth otherwise.
_LEAST_AT_END, _ROUGHEST = 4, 0.1

# See `PublishedFormat.names`.
_PUBLISHED_NAMES = (
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


@dataclass(frozen=True, kw_only=True)
class MotionAGFormerConfig(EncoderConfig):
    """Options of `MotionAGFormer`; the defaults are those of the published size B.

    Attributes:
        inner_channels: Channels inside.
        depth: Layers.
        heads: Heads of each attention.
        mlp_ratio: Width of the perceptrons over `inner_channels`.
        neighbours: Every frame of a joint is linked to this many frames most like it, itself included.
        temporal_links: Every frame of a joint is linked to itself and to so many next frames instead, as the published
            code does without `use_temporal_similarity`. 0 links it to the frames most like it.
        layer_scale: Initial factor of every residual.
        drop_path: Chance that the last layer's residuals are skipped in training. It grows linearly from 0.
    """

    inner_channels: int = 128
    depth: int = 16
    heads: int = 8
    mlp_ratio: float = 4.0
    neighbours: int = 2
    temporal_links: int = 0
    layer_scale: float = 1e-5
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.neighbours <= self.frames:
            raise ValueError(f"neighbours must be from 1 to the {self.frames} frames, got {self.neighbours}")
        if not 0 <= self.temporal_links < self.frames:
            raise ValueError(
                f"temporal_links must be from 0 to {self.frames - 1}, fewer than the frames, got {self.temporal_links}"
            )


def _published_config(weights: Mapping[str, Tensor]) -> MotionAGFormerConfig:
    inner_channels, inputs = weights["joints_embed.weight"].shape
    return MotionAGFormerConfig(
        frames=weights["layers.0.graph_temporal.mixer.batch_norm.weight"].shape[0],
        channels=weights["rep_logit.fc.weight"].shape[0],
        input_channels=inputs,
        inner_channels=inner_channels,
        depth=len({name.split(".")[1] for name in weights if name.startswith("layers.")}),
        mlp_ratio=weights["layers.0.att_spatial.mlp.fc1.weight"].shape[0] / inner_channels,
        temporal_links=_links_told(weights) or 0,
    )


def _untold(weights: Mapping[str, Tensor]) -> Mapping[str, str]:
    if _links_told(weights) is not None:
        return {}
    return {
        "temporal_links": "0 where use_temporal_similarity was true (as in all published models), otherwise its "
        "temporal_connection_len, such as 1"
    }


def _links_told(weights: Mapping[str, Tensor]) -> int | None:
    """The `temporal_links` that weights were trained with; None if they do not tell, as those of no training.

    Names and shapes are the same with and without temporal similarity, but the variances that the first layer's batch
    normalisation has seen are not. Nothing before it treats frames differently, so these are alike in all frames. With
    links to the next frames, the last frames lack some, and the remaining ones weigh more: their variances stand out,
    by the squared sums of rows of the graph.
    """
    variance = weights["layers.0.graph_temporal.mixer.batch_norm.running_var"].double()
    if len(variance) < 2 * _LEAST_AT_END:
        return None
    bends = variance.diff(n=2) / variance.median()
    last = min(12, len(variance) // 2)
    inner, end = bends[:-last], bends[-last:]
    roughness = float(inner.abs().max())
    if roughness > _ROUGHEST or not bool(variance.diff().any()):
        return None
    likeness = []
    for links in range(1, last - 2):
        expected = _next_frames(len(variance), links).double().sum(-1).square().diff(n=2)[-last:]
        likeness.append(float(torch.cosine_similarity(end, expected, dim=0)))
    best = max(range(len(likeness)), key=likeness.__getitem__)
    if likeness[best] > 0.9 and float(end.abs().max()) > 0.01:
        return best + 1
    return 0 if float(end.abs().max()) < 3 * roughness + 0.005 else None


def _next_frames(frames: int, links: int) -> Float[Tensor, "frames frames"]:
    """The graph that links every frame to itself and to the next ones, balanced."""
    return _balanced(torch.ones(frames, frames).triu().tril(links))


class MotionAGFormer(Encoder):
    """An attention stream and a graph stream in each layer, both over joints and then over frames; fused.

    The window is fixed: `frames` is part of the weights. Each channel of the representation lies between -1 and 1.

    Rounding can decide which frames are neighbours in the graph of frames. Results of two devices, or of a window alone
    and in a batch, may therefore differ by 1e-2 in places, most of all where frames repeat. Neighbours are always
    found in float32 or better. In float32 on a CPU they are those of the published model.
    """

    architecture = "motionagformer"
    config_type = MotionAGFormerConfig
    config: MotionAGFormerConfig
    published = PublishedFormat(
        _PUBLISHED_NAMES,
        _published_config,
        linear_pose3d_head,
        first_layer="joints_embed.weight",
        mark="rep_logit.fc.weight",
        untold=_untold,
    )
    coco_recipe = "mhformer"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        config, width = self.config, self.config.inner_channels
        self.embed = nn.Linear(self.input_channels, width)
        self.joint_position = nn.Parameter(torch.zeros(1, self.layout.joint_count, width))
        rates = drop_path_rates(config.drop_path, config.depth)
        self.layers = nn.ModuleList(_Layer(config, self.layout, rate) for rate in rates)
        self.norm = nn.LayerNorm(width)
        self.representation = UnroundedLinear(width, self.channels)

    def forward(
        self, keypoints: Float[Tensor, "batch frames joints inputs"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        """Representation of windows of exactly `frames` frames, from normalised keypoints."""
        self.require_window(keypoints)
        x = self.embed(keypoints)
        x = x + self.joint_position[:, None].to(x.dtype)
        for layer in self.layers:
            x = layer(x)
        return torch.tanh(self.representation(self.norm(x)))

    def layer_groups(self) -> list[Sequence[nn.Module]]:
        return [*([layer] for layer in self.layers), (self.norm, self.representation)]


class _Layer(nn.Module):
    def __init__(self, config: MotionAGFormerConfig, layout: JointLayout, drop_path: float):
        super().__init__()
        width, ratio = config.inner_channels, config.mlp_ratio
        common = {"layer_scale": config.layer_scale, "drop_path": drop_path, "eps": 1e-5}

        def attend(over: Axis) -> Block:
            # Plain attention rounds like the published model, so that the same frames become neighbours.
            return TransformerBlock(width, config.heads, over, ratio, qkv_bias=False, arithmetic="plain", **common)

        self.attention = nn.Sequential(attend("joints"), attend("frames"))
        over_frames = FrameGraphMixer(width, config.frames, config.neighbours, config.temporal_links)
        self.graph = nn.Sequential(
            Block(JointGraphMixer(width, layout), "joints", width, ratio, **common),
            Block(over_frames, "frames", width, ratio, **common),
        )
        self.fusion = Fusion(width)

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
    """Over the frames of each joint. Frames are linked to those most like them, or to the next ones."""

    adjacency: Tensor | None

    def __init__(self, channels: int, frames: int, neighbours: int, links: int):
        super().__init__(channels, frames)
        self.neighbours = neighbours
        self.register_buffer("adjacency", _next_frames(frames, links) if links else None, persistent=False)

    def forward(
        self, x: Float[Tensor, "batch frames joints channels"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        z = x.transpose(1, 2)  # batch joints frames channels
        graph = self._graph(z.detach()) if self.adjacency is None else self.adjacency
        return self.mixed(z, graph).transpose(1, 2)

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
