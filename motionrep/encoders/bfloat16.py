"""Linear layers and blocks in bfloat16, for evaluation only, that lose as little as they can."""

import platform
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.encoders.layers import Attention, Axis, Block, attention

_MEAN_OF = 8  # frames of a window


class Product(nn.Module):
    """What a linear layer computes, from rounded numbers and rounded to bfloat16 at the end.

    Args:
        scale: A factor for each output.
        packed: On a CPU that `has_packed_products`, let oneDNN lay out the weight once, add the bias and take the GELU
            before the result is rounded.
    """

    def __init__(self, linear: nn.Linear, packed: bool, scale: Tensor | None = None):
        super().__init__()
        self.exact, self.bias = linear.weight.detach(), None if linear.bias is None else linear.bias.detach()
        if scale is not None:
            self.exact = self.exact * scale[:, None]
            self.bias = None if self.bias is None else self.bias * scale
        self.packed = packed
        self._rounded: Tensor | None = None

    def forward(
        self,
        x: Float[Tensor, "*batch inputs"],
        bias: Float[Tensor, " outputs"] | None = None,
        after: Literal["none", "gelu"] = "none",
    ) -> Float[Tensor, "*batch outputs"]:
        """With `bias` in place of the layer's own where one is given."""
        bias = self.bias if bias is None else bias
        x = x.to(torch.bfloat16)
        if self.packed:
            return torch.ops.mkldnn._linear_pointwise(x, self._weight(x), bias, after, [], "none")
        result = F.linear(x, self._weight(x), None if bias is None else bias.to(torch.bfloat16))
        return F.gelu(result) if after == "gelu" else result

    def of_mean(self, mean: Float[Tensor, " inputs"]) -> Float[Tensor, " outputs"]:
        """What the layer makes of one vector, in float32."""
        with torch.autocast(mean.device.type, enabled=False):
            return F.linear(mean, self.exact, self.bias)

    def _weight(self, x: Tensor) -> Tensor:
        """Rounded and, for products with packed weights, laid out for as many rows as `x` has."""
        if self._rounded is not None:
            return self._rounded
        rounded = self.exact.to(torch.bfloat16)
        if self.packed:
            rounded = torch.ops.mkldnn._reorder_linear_weight(rounded, x.numel() // x.shape[-1])
        self._rounded = rounded
        return rounded

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_rounded": None}  # packed weights can be neither copied nor stored


class PreciseProduct(Product):
    """One whose result is float32: a second product finds what rounding took from the first."""

    def forward(
        self, x: Float[Tensor, "*batch inputs"], bias: Float[Tensor, " outputs"] | None = None
    ) -> Float[Tensor, "*batch outputs"]:
        """With `bias` in place of the layer's own where one is given."""
        bias = self.bias if bias is None else bias
        x = x.to(torch.bfloat16)
        weight = self._weight(x)
        if self.packed:
            products = torch.ops.mkldnn._linear_pointwise
            rough = products(x, weight, None, "none", [], "none")
            rest = products.binary(x, rough, weight, None, "sub")
        else:
            rows = x.flatten(0, -2)
            rough = rows @ weight.T
            rest = torch.addmm(rough, rows, weight.T, beta=-1)
        result = rough.float().add_(rest)
        return (result if bias is None else result.add_(bias)).view(*x.shape[:-1], -1)


class Block16(nn.Module):
    """A block in evaluation mode, whose sums stay float32.

    Most of what linear layers read, and most of the value of attention, is the same for every token, and would take
    most of the few digits that bfloat16 has. So they read it less its mean over some of the tokens, and what the layer
    makes of the mean is added to its bias, in float32. Attention passes on what all values share, so it goes into the
    bias of the next layer; softmax does not see what all keys share. What attention adds to the sum is far larger than
    what the MLP does and is not rounded.
    """

    def __init__(self, block: Block, packed: bool):
        super().__init__()
        self.norm1, self.norm2 = block.norm1, block.norm2
        scale_1, scale_2 = block.layer_scale_1, block.layer_scale_2
        self.mixer, self.scale = None, None
        if type(block.attn) is Attention:
            self.heads = block.attn.heads
            self.over: Axis = block.attn.over
            self.qkv = Product(block.attn.qkv, packed)
            self.proj = PreciseProduct(block.attn.proj, packed, scale_1)
        else:
            self.mixer, self.scale = block.attn, scale_1
        self.fc1, self.fc2 = Product(block.mlp.fc1, packed), Product(block.mlp.fc2, packed, scale_2)

    def forward(
        self, x: Float[Tensor, "batch frames joints channels"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        if self.mixer is None:
            x = self._attention(x).add_(x)
        else:
            y = self.mixer(self.norm1(x))
            x = x + (y if self.scale is None else y * self.scale.to(y.dtype)).to(x.dtype)
        normed, mean = _centred(self.norm2, x)
        hidden = self.fc1(normed, self.fc1.of_mean(mean), "gelu")
        return x.add_(self.fc2(hidden))

    def _attention(self, x: Tensor) -> Tensor:
        normed, mean = _centred(self.norm1, x)
        of_query, _, of_value = self.qkv.of_mean(mean).chunk(3)
        bias = torch.cat([of_query, torch.zeros_like(of_query).repeat(2)])
        qkv = self.qkv(normed, bias).unflatten(-1, (3, self.heads, -1))
        return self.proj(attention(qkv, self.over), self.proj.of_mean(of_value))


def has_packed_products() -> bool:
    """Whether this CPU, of x86, and this torch have the products with packed weights that compiled models use."""
    names = ("_linear_pointwise", "_reorder_linear_weight", "_is_mkldnn_bf16_supported")
    return (
        platform.machine() in ("x86_64", "AMD64")
        and all(hasattr(torch.ops.mkldnn, name) for name in names)
        and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


def _centred(
    norm: nn.LayerNorm, x: Float[Tensor, "batch frames joints channels"]
) -> tuple[Float[Tensor, "batch frames joints channels"], Float[Tensor, " channels"]]:
    """What `norm` makes of x less about its mean over tokens, and that mean."""
    mean = norm(x[:, :: max(1, x.shape[1] // _MEAN_OF)]).mean((0, 1, 2))
    return F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias - mean, norm.eps), mean
