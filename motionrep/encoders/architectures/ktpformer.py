"""KTPFormer (CVPR 2024, arXiv 2404.00658): spatio-temporal transformer with kinematic and trajectory priors.

Written from the paper and the names, shapes and outputs of the published model, which this one reproduces.
"""

import re
from collections.abc import Mapping
from typing import cast

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
    require_input_channels,
    require_window,
)
from motionrep.encoders.frame_rates import Refinable
from motionrep.layouts import H36M_17, JointLayout

# (regular expression of the name here, what it becomes in published files)
PUBLISHED_NAMES = (
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


class KTPFormer(Refinable):
    """Joints attend to each other, then frames, in turns, after one block of each that knows the graph.

    The window is fixed: `frames` is part of the weights. With `input_channels` 3 the confidence is the third column;
    its weights start at zero, so weights for two columns keep their output.

    Args:
        depth: Pairs of blocks after the two with priors.
        drop_path: Chance that the last pair's residuals are skipped in training; grows linearly from 0.
        fps: Frame rate of the clips it was trained on; None when they had several or it is not known. `embed` gives it
            every n-th frame of faster clips and fills slower ones up, so that motion has the speed it knows.
        local_input: Gives the first layer x and y relative to the person's mean place and size in the window as well.
            An addition of motionrep: the published model has to learn that a person may stand anywhere and at any
            distance.
    """

    architecture = "ktpformer"
    layout: JointLayout = H36M_17
    normalisation = "width"
    fixed_window = True

    def __init__(
        self,
        frames: int = 243,
        channels: int = 512,
        depth: int = 7,
        heads: int = 8,
        mlp_ratio: float = 2.0,
        input_channels: int = 2,
        drop_path: float = 0.1,
        fps: float | None = None,
        local_input: bool = False,
    ):
        super().__init__()
        require_input_channels(input_channels)
        self.config = {
            "frames": frames,
            "channels": channels,
            "depth": depth,
            "heads": heads,
            "mlp_ratio": mlp_ratio,
            "input_channels": input_channels,
            "drop_path": drop_path,
            "fps": fps,
            "local_input": local_input,
        }
        self.name = self.architecture
        self.frames, self.channels, self.input_channels, self.fps = frames, channels, input_channels, fps
        self.local_input = local_input
        joints = self.layout.joint_count
        skeleton = graph_adjacency(self.layout.bones, joints)
        chain = _chain(frames)

        self.joint_prior = GraphLayer(JointGraphConvolution(input_channels + 2 * local_input, channels, skeleton))
        if input_channels == 3:
            nn.init.zeros_(self.joint_prior.gconv.W[:, 2])
        self.joint_position = nn.Parameter(torch.zeros(1, joints, channels))
        self.joint_prior_block = TransformerBlock(channels, heads, "joints", mlp_ratio, attention_eps=1e-5)
        self.frame_priors = nn.Sequential(
            GraphLayer(FrameGraphConvolution(channels, channels, chain)),
            GraphLayer(FrameGraphConvolution(channels, channels, chain)),
        )
        self.frame_position = nn.Parameter(torch.zeros(1, frames, channels))
        self.frame_prior_block = TransformerBlock(channels, heads, "frames", mlp_ratio, attention_eps=1e-5)

        rates = drop_path_rates(drop_path, depth + 1)[1:]
        self.joint_blocks = nn.ModuleList(
            TransformerBlock(channels, heads, "joints", mlp_ratio, drop_path=rate) for rate in rates
        )
        self.frame_blocks = nn.ModuleList(
            TransformerBlock(channels, heads, "frames", mlp_ratio, drop_path=rate) for rate in rates
        )
        # One norm each for all layers, as published.
        self.joint_norm = nn.LayerNorm(channels, eps=1e-6)
        self.frame_norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(
        self, keypoints: Float[Tensor, "batch frames joints inputs"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        """Representation of windows of exactly `self.frames` frames, from normalised keypoints."""
        require_window(self, keypoints)
        if self.local_input:
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

    def _finer_weights(self, times: int) -> dict[str, Tensor]:
        weights = self.state_dict()
        weights["frame_position"] = weights["frame_position"].repeat_interleave(times, 1)
        neighbours = _chain(times * self.frames).to(self.frame_position)
        for number, layer in enumerate(self.frame_priors):
            of_layer = f"frame_priors.{number}.gconv."
            gconv = cast(FrameGraphConvolution, cast(GraphLayer, layer).gconv)
            weights[of_layer + "M"] = gconv.M.repeat_interleave(times, 0)
            weights[of_layer + "adj2"] = torch.kron(gconv.adjacency(), torch.eye(times).to(neighbours)) - neighbours
        return weights


def _chain(frames: int) -> Float[Tensor, "frames frames"]:
    return graph_adjacency(tuple((t, t + 1) for t in range(frames - 1)), frames)


def published_config(weights: Mapping[str, Tensor]) -> dict[str, int | float]:
    """What the shapes of a published state dict tell of the configuration."""
    _, inputs, channels = weights["kpattention.attn.kpa.gconv.W"].shape
    return {
        "frames": weights["tpattention.attn.Temporal_pos_embed"].shape[1],
        "channels": channels,
        "depth": sum(re.fullmatch(r"STEblocks\.\d+\.norm1\.weight", name) is not None for name in weights),
        "mlp_ratio": weights["kpattention.mlp.fc1.weight"].shape[0] / channels,
        "input_channels": inputs,
    }
