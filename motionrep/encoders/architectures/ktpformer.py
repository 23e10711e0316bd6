"""KTPFormer (CVPR 2024, arXiv 2404.00658): spatio-temporal transformer with kinematic and trajectory priors.

Written from the paper and the names, shapes and outputs of the published model, which this one reproduces.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.encoders.architectures.layers import (
    FrameGraphConvolution,
    GraphLayer,
    JointGraphConvolution,
    TransformerBlock,
    drop_path_rates,
    graph_adjacency,
    local_coordinates,
    pose3d_head,
    transformer_blocks,
)
from motionrep.encoders.base import Encoder, EncoderConfig
from motionrep.encoders.published_format import PublishedFormat

# See `PublishedFormat.names`.
_PUBLISHED_NAMES = (
    (r"^joint_prior\.", "kpattention.attn.kpa."),
    (r"^joint_position$", "kpattention.attn.Spatial_pos_embed"),
    (r"^joint_prior_block\.norm1\.", "kpattention.attn.norm1."),
    (r"^joint_prior_block\.attn\.", "kpattention.attn."),
    (r"^joint_prior_block\.", "kpattention."),
    (r"^frame_priors\.0\.", "tpattention.attn.tpa.gconv1."),
    (r"^frame_priors\.1\.", "tpattention.attn.tpa.gconv2."),
    (r"^frame_position$", "tpattention.attn.Temporal_pos_embed"),
    (r"^frame_prior_block\.norm1\.", "tpattention.attn.norm1."),
    (r"^frame_prior_block\.attn\.", "tpattention.attn."),
    (r"^frame_prior_block\.", "tpattention."),
    (r"^joint_blocks\.", "STEblocks."),
    (r"^frame_blocks\.", "TTEblocks."),
    (r"^joint_norm\.", "Spatial_norm."),
    (r"^frame_norm\.", "Temporal_norm."),
)


@dataclass(frozen=True, kw_only=True)
class KTPFormerConfig(EncoderConfig):
    """Options of `KTPFormer`; the defaults are the published ones.

    Attributes:
        depth: Pairs of blocks behind the two that know the graph.
        heads: Heads of each attention.
        mlp_ratio: Width of the perceptrons over that of the tokens.
        drop_path: Chance that the last pair's residuals are skipped in training. It grows linearly from 0.
        local_input: The first layer also reads x and y relative to the person's mean place and size in the window.
            This is an addition of motionrep: without it, the model has to learn that a person may stand anywhere and
            at any distance.
    """

    input_channels: int = 2
    depth: int = 7
    heads: int = 8
    mlp_ratio: float = 2.0
    drop_path: float = 0.1
    local_input: bool = False


def _published_config(weights: Mapping[str, Tensor]) -> KTPFormerConfig:
    _, inputs, channels = weights["kpattention.attn.kpa.gconv.W"].shape
    return KTPFormerConfig(
        frames=weights["tpattention.attn.Temporal_pos_embed"].shape[1],
        channels=channels,
        depth=sum(re.fullmatch(r"STEblocks\.\d+\.norm1\.weight", name) is not None for name in weights),
        mlp_ratio=weights["kpattention.mlp.fc1.weight"].shape[0] / channels,
        input_channels=inputs,
    )


class KTPFormer(Encoder):
    """Blocks over joints and over frames in turns, after one block of each kind that knows the graph.

    The window is fixed: `frames` is part of the weights. With `input_channels` 3 the confidence is the third column.
    Its weights start at zero, so weights for two columns keep their output.
    """

    architecture = "ktpformer"
    config_type = KTPFormerConfig
    config: KTPFormerConfig
    published = PublishedFormat(
        _PUBLISHED_NAMES,
        _published_config,
        pose3d_head,
        first_layer="kpattention.attn.kpa.gconv.W",
        mark="kpattention.attn.Spatial_pos_embed",
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        config, channels = self.config, self.channels
        joints = self.layout.joint_count
        skeleton = graph_adjacency(self.layout.bones, joints)
        chain = _chain(self.frames)

        self.joint_prior = GraphLayer(
            JointGraphConvolution(self.input_channels + 2 * config.local_input, channels, skeleton)
        )
        if self.input_channels == 3:
            nn.init.zeros_(self.joint_prior.gconv.W[:, 2])
        self.joint_position = nn.Parameter(torch.zeros(1, joints, channels))
        self.joint_prior_block = TransformerBlock(
            channels, config.heads, "joints", config.mlp_ratio, attention_eps=1e-5
        )
        self.frame_priors = nn.Sequential(
            GraphLayer(FrameGraphConvolution(channels, channels, chain)),
            GraphLayer(FrameGraphConvolution(channels, channels, chain)),
        )
        self.frame_position = nn.Parameter(torch.zeros(1, self.frames, channels))
        self.frame_prior_block = TransformerBlock(
            channels, config.heads, "frames", config.mlp_ratio, attention_eps=1e-5
        )

        rates = drop_path_rates(config.drop_path, config.depth + 1)[1:]
        self.joint_blocks = transformer_blocks(channels, config.heads, "joints", config.mlp_ratio, rates)
        self.frame_blocks = transformer_blocks(channels, config.heads, "frames", config.mlp_ratio, rates)
        # One norm each for all layers, as published.
        self.joint_norm = nn.LayerNorm(channels, eps=1e-6)
        self.frame_norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(
        self, keypoints: Float[Tensor, "batch frames joints inputs"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        """Representation of windows of exactly `frames` frames, from normalised keypoints."""
        self.require_window(keypoints)
        if self.config.local_input:
            keypoints = torch.cat([keypoints, local_coordinates(keypoints)], -1)
        # Positions take the dtype of x: under autocast all that follows then stays in bfloat16.
        x = self.joint_prior(keypoints)
        x = self.joint_norm(self.joint_prior_block(x + self.joint_position[:, None].to(x.dtype)))
        x = x + self.frame_priors(x) + self.frame_position[:, :, None].to(x.dtype)
        x = self.frame_norm(self.frame_prior_block(x))
        for joint_block, frame_block in zip(self.joint_blocks, self.frame_blocks, strict=True):
            x = self.joint_norm(joint_block(x))
            x = self.frame_norm(frame_block(x))
        return x

    def layer_groups(self) -> list[Sequence[nn.Module]]:
        return [*zip(self.joint_blocks, self.frame_blocks, strict=True), (self.joint_norm, self.frame_norm)]

    def _upsampled(self, times: int) -> tuple[dict[str, Any], Mapping[str, Tensor]]:
        weights = self.state_dict()
        weights["frame_position"] = weights["frame_position"].repeat_interleave(times, 1)
        neighbours = _chain(times * self.frames).to(self.frame_position)
        for name, gconv in self.frame_priors.named_modules(prefix="frame_priors"):
            if isinstance(gconv, FrameGraphConvolution):
                weights[f"{name}.M"] = gconv.M.repeat_interleave(times, 0)
                spread = torch.kron(gconv.adjacency(), torch.eye(times).to(neighbours))
                weights[f"{name}.adj2"] = spread - neighbours
        return {}, weights


def _chain(frames: int) -> Float[Tensor, "frames frames"]:
    return graph_adjacency(tuple((t, t + 1) for t in range(frames - 1)), frames)
