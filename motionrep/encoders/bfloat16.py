"""Linear layers and blocks in bfloat16 that lose as little precision as possible; for evaluation only."""

import platform
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.encoders.architectures.layers import Attention, Axis, Block, attention

_ROWS = 4096  # tokens for which packed weights are laid out: about as many as `embed` encodes at a time on a CPU


class Product(nn.Module):
    """A linear layer in bfloat16: inputs and weights are rounded, and the result is rounded at the end.

    Args:
        packed: Only on a CPU that `has_packed_products`: oneDNN lays out the weight once, and adds the bias and takes
            the GELU before the result is rounded.
        scale: A factor for each output.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear, packed: bool, scale: Tensor | None = None):
        super().__init__()
        weight, bias = linear.weight.detach(), None if linear.bias is None else linear.bias.detach()
        if scale is not None:
            weight, bias = weight * scale[:, None], None if bias is None else bias * scale
        self.exact: Tensor | None = weight
        self.packed = packed
        rounded = weight.to(torch.bfloat16)
        if packed:
            self.weight = torch.ops.mkldnn._reorder_linear_weight(rounded, _ROWS)
        else:
            self.register_buffer("weight", rounded)
        self.register_buffer("bias", bias)

    def forward(
        self, input: Float[Tensor, "*batch inputs"], after: Literal["none", "gelu"] = "none"
    ) -> Float[Tensor, "*batch outputs"]:
        x = input.to(torch.bfloat16)
        if self.packed:
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, after, [], "none")
        result = F.linear(x, self.weight, None if self.bias is None else self.bias.to(torch.bfloat16))
        return F.gelu(result) if after == "gelu" else result

    def take_in(self, part: Float[Tensor, " inputs"]) -> None:
        """Adds to the bias what the exact weight makes of `part`, which the input must not contain from now on."""
        assert self.exact is not None
        with torch.autocast(part.device.type, enabled=False):
            self.bias = F.linear(part, self.exact, self.bias)
        self.exact = None

    def __getstate__(self) -> dict[str, Any]:
        """Packed weights can be neither copied nor stored, so copies have unpacked ones."""
        state = super().__getstate__()
        return {**state, "weight": self.weight.to_dense(), "packed": False} if self.packed else state


class PreciseProduct(Product):
    """A product whose result is float32: a second product recovers what rounding took from the first."""

    def forward(self, input: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        x = input.to(torch.bfloat16)
        if self.packed:
            products = torch.ops.mkldnn._linear_pointwise
            rough = products(x, self.weight, None, "none", [], "none")
            rest = products.binary(x, rough, self.weight, None, "sub")
        else:
            rough = x.flatten(0, -2) @ self.weight.T
            rest = torch.addmm(rough, x.flatten(0, -2), self.weight.T, beta=-1)
        result = rough.float().add_(rest)
        result = result if self.bias is None else result.add_(self.bias)
        return result.view(*x.shape[:-1], result.shape[-1])


class Block16(nn.Module):
    """A block in evaluation mode, whose sums stay float32.

    Most of what linear layers read, and most of the values of attention, is the same for every token. It would take
    most of the few digits of bfloat16. So each layer reads its input minus a mean, and what the layer makes of the mean
    goes into its bias. Attention passes on what all values share, so that goes into the bias of the next layer. Softmax
    ignores what all keys share. The mean is that of the first window the block reads. Any mean would be right, so
    windows have no influence on each other.

    What attention adds to the sum is far larger than what the MLP adds, and is not rounded.
    """

    def __init__(self, block: Block, packed: bool):
        super().__init__()
        self.norm1, self.norm2 = block.norm1, block.norm2
        self.shift1: Tensor | None = None
        self.shift2: Tensor | None = None
        self.mixer, self.scale = None, None
        if type(block.attn) is Attention:
            self.heads = block.attn.heads
            self.over: Axis = block.attn.over
            self.qkv = Product(block.attn.qkv, packed)
            self.proj = PreciseProduct(block.attn.proj, packed, block.layer_scale_1)
        else:
            self.mixer, self.scale = block.attn, block.layer_scale_1
        self.fc1, self.fc2 = Product(block.mlp.fc1, packed), Product(block.mlp.fc2, packed, block.layer_scale_2)
        self.fc2.exact = None

    def forward(
        self, x: Float[Tensor, "batch frames joints channels"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        if self.mixer is None:
            if self.shift1 is None:
                self._centre_attention(x)
            qkv = self.qkv(_shifted(self.norm1, x, self.shift1)).unflatten(-1, (3, self.heads, -1))
            x = self.proj(attention(qkv, self.over)).add_(x)
        else:
            y = self.mixer(self.norm1(x))
            x = x + (y if self.scale is None else y * self.scale.to(y.dtype)).to(x.dtype)
        if self.shift2 is None:
            mean = _mean(self.norm2, x)
            self.fc1.take_in(mean)
            self.shift2 = self.norm2.bias - mean
        return x.add_(self.fc2(self.fc1(_shifted(self.norm2, x, self.shift2), "gelu")))

    def _centre_attention(self, x: Tensor) -> None:
        mean = _mean(self.norm1, x)
        self.qkv.take_in(mean)
        assert self.qkv.bias is not None
        of_query, of_key, of_value = self.qkv.bias.chunk(3)
        self.qkv.bias = torch.cat([of_query, torch.zeros_like(of_key), torch.zeros_like(of_value)])
        self.proj.take_in(of_value)
        self.shift1 = self.norm1.bias - mean


def has_packed_products() -> bool:
    """Whether this is an x86 CPU and a torch with the products of packed weights that compiled models use."""
    names = ("_linear_pointwise", "_reorder_linear_weight", "_is_mkldnn_bf16_supported")
    return (
        platform.machine() in ("x86_64", "AMD64")
        and all(hasattr(torch.ops.mkldnn, name) for name in names)
        and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


def _mean(norm: nn.LayerNorm, x: Float[Tensor, "batch frames joints channels"]) -> Float[Tensor, " channels"]:
    return norm(x[:1]).float().mean((0, 1, 2)).nan_to_num(0, 0, 0)


def _shifted(norm: nn.LayerNorm, x: Tensor, bias: Tensor | None) -> Tensor:
    return F.layer_norm(x, norm.normalized_shape, norm.weight, bias, norm.eps)
