"""Layers that architectures share. Clips are `batch frames joints channels`; attention runs over frames or joints."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Axis = Literal["frames", "joints"]
Arithmetic = Literal["fused", "plain"]

_LEAST_PADDED = 24  # tokens; fewer are not faster when padded


class UnroundedLinear(nn.Linear):
    """A linear layer whose results stay float32 in bfloat16 inference (`inference.for_inference`).

    For results that are far larger than the differences between tokens, and for the representation itself.
    """


class Attention(nn.Module):
    """Multi-head self-attention among the joints of each frame, or among the frames of each joint.

    Args:
        arithmetic: "plain" computes product, softmax and product one after the other, and rounds like the published
            models. "fused" is faster.
    """

    def __init__(self, channels: int, heads: int, over: Axis, qkv_bias: bool = True, arithmetic: Arithmetic = "fused"):
        super().__init__()
        if channels % heads:
            raise ValueError(f"channels must be a multiple of heads, got {channels} channels and {heads} heads")
        self.heads = heads
        self.over: Axis = over
        self.arithmetic: Arithmetic = arithmetic
        self.qkv = nn.Linear(channels, 3 * channels, bias=qkv_bias)
        self.proj = UnroundedLinear(channels, channels)

    def forward(
        self, x: Float[Tensor, "batch frames joints channels"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        return self.proj(attention(qkv, self.over, self.arithmetic))


class MLP(nn.Module):
    """Two linear layers with an exact (erf) GELU between them."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, x: Float[Tensor, "*batch channels"]) -> Float[Tensor, "*batch channels"]:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """A mixer and an MLP, each behind a norm and with a residual.

    In training whole rows skip a residual with probability `drop_path` (stochastic depth).

    Args:
        attn: The mixer: it mixes tokens, and takes and returns `batch frames joints channels`.
        over: What the mixer mixes. A row is then the joints of one frame, the frames of one joint, or, with None, the
            whole clip.
        attention_eps: Epsilon of the norm before the mixer, if it is not `eps`.
        layer_scale: Initial value of a learned factor for each channel of both residuals; None for no factors.
    """

    def __init__(
        self,
        attn: nn.Module,
        over: Axis | None,
        channels: int,
        mlp_ratio: float,
        *,
        drop_path: float = 0.0,
        eps: float = 1e-6,
        attention_eps: float | None = None,
        layer_scale: float | None = None,
    ):
        super().__init__()
        self.over = over
        self.norm1 = nn.LayerNorm(channels, eps=eps if attention_eps is None else attention_eps)
        self.attn = attn
        self.norm2 = nn.LayerNorm(channels, eps=eps)
        self.mlp = MLP(channels, int(channels * mlp_ratio))
        self.drop_path = drop_path
        scales = [None if layer_scale is None else nn.Parameter(torch.full((channels,), layer_scale)) for _ in "12"]
        self.layer_scale_1, self.layer_scale_2 = scales

    def forward(
        self, x: Float[Tensor, "batch frames joints channels"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        # Torch 2.13 adds numbers of one type twice as fast as numbers of two.
        x = x + self._residual(self.attn(self.norm1(x)), self.layer_scale_1).to(x.dtype)
        return x + self._residual(self.mlp(self.norm2(x)), self.layer_scale_2).to(x.dtype)

    def _residual(self, x: Tensor, scale: Tensor | None) -> Tensor:
        if scale is not None:
            x = x * scale.to(x.dtype)
        if not self.training or self.drop_path == 0:
            return x
        batch, frames, joints, _ = x.shape
        rows = (batch, frames if self.over == "joints" else 1, joints if self.over == "frames" else 1, 1)
        kept = 1 - self.drop_path
        return x * x.new_empty(rows).bernoulli_(kept).div_(kept)


class TransformerBlock(Block):
    """A block whose mixer is attention among joints or among frames."""

    def __init__(
        self,
        channels: int,
        heads: int,
        over: Axis,
        mlp_ratio: float,
        *,
        drop_path: float = 0.0,
        qkv_bias: bool = True,
        eps: float = 1e-6,
        attention_eps: float | None = None,
        layer_scale: float | None = None,
        arithmetic: Arithmetic = "fused",
    ):
        super().__init__(
            Attention(channels, heads, over, qkv_bias, arithmetic), over, channels, mlp_ratio,
            drop_path=drop_path, eps=eps, attention_eps=attention_eps, layer_scale=layer_scale,
        )  # fmt: skip


def transformer_blocks(
    channels: int, heads: int, over: Axis, mlp_ratio: float, drop_path_rates: Sequence[float]
) -> nn.ModuleList:
    """A block for each drop-path rate."""
    return nn.ModuleList(TransformerBlock(channels, heads, over, mlp_ratio, drop_path=rate) for rate in drop_path_rates)


class Fusion(nn.Module):
    """Weighted sum of two streams.

    The two weights of a token are the softmax of a linear layer that reads both streams. They are equal at first.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.gate = UnroundedLinear(2 * channels, 2)
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, 0.5)

    def forward(
        self, first: Float[Tensor, "*batch channels"], second: Float[Tensor, "*batch channels"]
    ) -> Float[Tensor, "*batch channels"]:
        weights = self.gate(torch.cat([first, second], -1)).softmax(-1).to(first.dtype)
        return weights[..., :1] * first + weights[..., 1:] * second


class GraphConvolution(nn.Module):
    """Modulated graph convolution with a learned correction of the adjacency.

    Parameters have their names in the published KTPFormer. With `A = adj + adj2` made symmetric,
    `y = diag(A) * (M * x W[0]) + offdiag(A) @ (M * x W[1]) + bias`.
    """

    adj: Tensor

    def __init__(self, inputs: int, outputs: int, adjacency: Float[Tensor, "nodes nodes"]):
        super().__init__()
        nodes = adjacency.shape[0]
        self.W = nn.Parameter(nn.init.xavier_uniform_(torch.empty(2, inputs, outputs), gain=1.414))
        self.M = nn.Parameter(torch.ones(nodes, outputs))
        self.adj2 = nn.Parameter(torch.full((nodes, nodes), 1e-6))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-(outputs**-0.5), outputs**-0.5))
        self.register_buffer("adj", adjacency, persistent=False)

    def adjacency(self) -> Float[Tensor, "nodes nodes"]:
        """The corrected, symmetric adjacency."""
        corrected = self.adj + self.adj2
        return (corrected + corrected.T) / 2


class JointGraphConvolution(GraphConvolution):
    """Graph convolution over the joints of each frame, for few input channels: one matrix product."""

    def forward(self, x: Float[Tensor, "batch frames joints inputs"]) -> Float[Tensor, "batch frames joints outputs"]:
        return (x.flatten(2) @ self.operator()).unflatten(-1, self.M.shape) + self.bias

    def operator(self) -> Float[Tensor, "joints_inputs joints_outputs"]:
        """The convolution as one matrix, without the bias."""
        adjacency = self.adjacency()
        diagonal = torch.diag(adjacency.diag())
        own, other = (
            torch.einsum("ab,bo,io->biao", mix, self.M, weight)
            for mix, weight in zip((diagonal, adjacency - diagonal), self.W, strict=True)
        )
        return (own + other).flatten(2).flatten(0, 1)


class FrameGraphConvolution(GraphConvolution):
    """Graph convolution over the frames of each joint."""

    def forward(self, x: Float[Tensor, "batch frames joints inputs"]) -> Float[Tensor, "batch frames joints outputs"]:
        adjacency = self.adjacency()
        diagonal = adjacency.diag()
        own = (x @ self.W[0]) * (diagonal[:, None] * self.M)[:, None]
        other = (x @ self.W[1]) * self.M[:, None]
        mixed = (adjacency - torch.diag(diagonal)) @ other.flatten(2)  # batch frames joints*outputs
        return own + mixed.unflatten(-1, own.shape[2:]) + self.bias


class GraphLayer(nn.Module):
    """Graph convolution, batch normalisation over everything but the channels, ReLU."""

    def __init__(self, gconv: GraphConvolution):
        super().__init__()
        self.gconv = gconv
        self.bn = ChannelBatchNorm(gconv.bias.shape[0])

    def forward(self, x: Float[Tensor, "batch frames joints inputs"]) -> Float[Tensor, "batch frames joints outputs"]:
        return F.relu(self.bn(self.gconv(x)))


class ChannelBatchNorm(nn.BatchNorm1d):
    """Batch normalisation of the last axis; every other axis counts as batch."""

    def forward(self, input: Float[Tensor, "*batch channels"]) -> Float[Tensor, "*batch channels"]:
        return super().forward(input.reshape(-1, input.shape[-1])).view(input.shape)


def attention(
    qkv: Float[Tensor, "batch frames joints 3 heads depth"], over: Axis, arithmetic: Arithmetic = "fused"
) -> Float[Tensor, "batch frames joints channels"]:
    """Softmax attention among joints or among frames; `channels` is heads times depth."""
    axes = (3, 0, 1, 4, 2, 5) if over == "joints" else (3, 0, 2, 4, 1, 5)
    q, k, v = qkv.permute(axes).flatten(1, 2)  # rows heads tokens depth
    mixed = _attend(q, k, v, arithmetic).unflatten(0, (qkv.shape[0], -1))
    back = (0, 1, 3, 2, 4) if over == "joints" else (0, 3, 1, 2, 4)
    return mixed.permute(back).flatten(3)


def _attend(q: Tensor, k: Tensor, v: Tensor, arithmetic: Arithmetic) -> Tensor:
    """Fused attention, except in bfloat16 training on a CPU, where it is 4 to 12 times slower (torch 2.13)."""
    if arithmetic == "plain":
        return (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1).to(v.dtype) @ v
    if q.dtype == torch.bfloat16 and q.device.type == "cpu":
        if q.requires_grad:
            return (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(-1).to(v.dtype) @ v
        if k.shape[-2] > _LEAST_PADDED:
            return _padded_attention(q, k, v)
    return F.scaled_dot_product_attention(q, k, v)


def _padded_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Fused attention, padded with masked tokens to a multiple of 16: up to twice as fast on a CPU (torch 2.13)."""
    tokens = k.shape[-2]
    fill = -tokens % 16
    mask = F.pad(q.new_zeros(tokens), (0, fill), value=-torch.inf).expand(1, 1, q.shape[-2], -1)
    k, v = (F.pad(one, (0, 0, 0, fill)) for one in (k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def graph_adjacency(edges: tuple[tuple[int, int], ...], nodes: int) -> Float[Tensor, "nodes nodes"]:
    """Neighbours of each node weighted by 1 / its degree, and 1 on the diagonal."""
    adjacency = torch.zeros(nodes, nodes)
    for a, b in edges:
        adjacency[a, b] = adjacency[b, a] = 1
    adjacency /= adjacency.sum(1, keepdim=True).clamp(min=1)
    return adjacency.fill_diagonal_(1)


def local_coordinates(keypoints: Float[Tensor, "batch frames joints inputs"]) -> Float[Tensor, "batch frames joints 2"]:
    """x and y, standardised by their mean and standard deviation over the window's seen joints; 0 where unseen."""
    xy = keypoints[..., :2]
    seen = (keypoints[..., 2:] > 0).to(xy) if keypoints.shape[-1] == 3 else torch.ones_like(xy[..., :1])
    count = seen.sum((1, 2), keepdim=True).clamp(min=1)
    centred = (xy - (xy * seen).sum((1, 2), keepdim=True) / count) * seen
    size = (centred.square().sum((1, 2, 3), keepdim=True) / count).sqrt()
    return centred / size.clamp(min=1e-3)


def drop_path_rates(last: float, depth: int) -> Sequence[float]:
    """Growing linearly from 0 in the first of `depth` layers to `last` in the last."""
    return [last * layer / max(depth - 1, 1) for layer in range(depth)]


def pose3d_head(channels: int) -> nn.Sequential:
    """The pose head of KTPFormer and MixSTE: `head(encoder(x))` is the root-relative pose in metres, camera axes.

    Its entries are called `0` (LayerNorm) and `1` (Linear), in published files with the prefix `head.`.
    """
    return nn.Sequential(nn.LayerNorm(channels, eps=1e-5), nn.Linear(channels, 3))


def linear_pose3d_head(channels: int) -> nn.Linear:
    """The pose head of DSTformer and MotionAGFormer. Its x, y and z are in normalised image units."""
    return nn.Linear(channels, 3)
