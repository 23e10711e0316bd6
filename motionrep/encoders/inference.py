"""A faster twin of an encoder, for evaluation only."""

import copy
import os
import shutil

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.encoders.architectures.layers import (
    MLP,
    Attention,
    Block,
    GraphLayer,
    JointGraphConvolution,
    TransformerBlock,
    UnroundedLinear,
)
from motionrep.encoders.base import Encoder, as_encoder
from motionrep.encoders.bfloat16 import Block16, PreciseProduct, has_packed_products

COMPILERS = ("g++", "clang++", "cl")

# Linear layers with fewer inputs read coordinates, which bfloat16 would round to several pixels.
_LEAST_INPUTS = 16
_LINEAR = (nn.Linear, UnroundedLinear)


def for_inference(encoder: Encoder, dtype: torch.dtype = torch.float32, compile: bool = False) -> nn.Module:
    """A faster twin of the encoder in evaluation mode: normalised keypoints in, a float32 representation out.

    Batch normalisation is folded into graph convolutions. With bfloat16, matrix products and attention are computed in
    bfloat16. Sums, norms and the layers that read coordinates stay float32. Poses of the shipped encoders then differ
    from those of float32 by 0.8 to 0.9 mm (benchmarks/encoders.md).

    The encoder itself does not change. The twin shares the weights that stay the same and copies the others. Make a new
    twin after training further, and make it of a copy if the encoder is trained meanwhile. Layers with hooks or
    reparametrised weights stay as they are.

    Args:
        compile: Compiles each kind of block with `torch.compile`: a minute once, then faster. Needs a C++ compiler.

    Raises:
        TypeError: It is no encoder.
        ValueError: Another dtype than float32 or bfloat16.
        RuntimeError: `compile` without a C++ compiler.
    """
    if dtype not in (torch.float32, torch.bfloat16):
        raise ValueError(f"dtype must be torch.float32 or torch.bfloat16, got {dtype}")
    encoder = as_encoder(encoder)
    tensors = [*encoder.parameters(), *encoder.buffers()]
    if all(tensor.dtype == torch.float32 or not tensor.is_floating_point() for tensor in tensors):
        twin = copy.deepcopy(encoder, {id(tensor): tensor for tensor in tensors})
    else:
        twin = copy.deepcopy(encoder).float()
    on_cpu = all(tensor.device.type == "cpu" for tensor in tensors)
    packed = on_cpu and not compile and has_packed_products()
    with torch.no_grad():
        twin = _changed(twin.eval(), dtype, packed)
    if compile:
        _require_compiler()
    return _Inference(twin, dtype, compile)


class _Inference(nn.Module):
    def __init__(self, encoder: nn.Module, dtype: torch.dtype, compile: bool):
        super().__init__()
        self.encoder, self.dtype, self.to_compile = encoder, dtype, compile

    @torch.no_grad()
    def forward(
        self, keypoints: Float[Tensor, "batch frames joints inputs"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        with torch.autocast(keypoints.device.type, self.dtype, enabled=self.dtype != torch.float32):
            if self.to_compile:
                self.encoder(keypoints[:1])  # after the first window a `Block16` changes no more
                for module in self.encoder.modules():
                    if isinstance(module, (Block, Block16)):
                        module.compile()
                self.to_compile = False
            return self.encoder(keypoints).float()


class _Precise(nn.Module):
    """A module that autocast leaves alone."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        with torch.autocast(x.device.type, enabled=False):
            return self.module(x.float())


class _JointGraph(nn.Module):
    """Graph convolution among joints, its batch normalisation and its ReLU as one matrix product."""

    operator: Tensor
    bias: Tensor

    def __init__(self, gconv: JointGraphConvolution):
        super().__init__()
        self.register_buffer("operator", gconv.operator())
        self.register_buffer("bias", gconv.bias)
        self.nodes = gconv.M.shape[0]

    def forward(self, x: Float[Tensor, "batch frames joints inputs"]) -> Float[Tensor, "batch frames joints outputs"]:
        return F.relu((x.flatten(2) @ self.operator).unflatten(-1, (self.nodes, -1)) + self.bias)


def _changed(module: nn.Module, dtype: torch.dtype, packed: bool) -> nn.Module:
    """The module, or a faster one in its place, with the same done to all modules inside."""
    if isinstance(module, GraphLayer) and not _hooked(module) and _is_plain(module.gconv) and _is_plain(module.bn):
        module = _folded(module)
    elif dtype == torch.float32:
        pass
    elif isinstance(module, Block) and _is_plain_block(module):
        module = Block16(module, packed)
    elif isinstance(module, Attention):
        module.arithmetic = "fused"
    elif isinstance(module, nn.Linear) and type(module) in _LINEAR and _is_plain(module):
        return _in_bfloat16(module)
    for name, child in module.named_children():
        setattr(module, name, _changed(child, dtype, packed))
    return module


def _in_bfloat16(linear: nn.Linear) -> nn.Module:
    if linear.in_features < _LEAST_INPUTS:
        return _Precise(linear)
    if isinstance(linear, UnroundedLinear):
        return PreciseProduct(linear, packed=False)
    linear.weight = _parameter(linear.weight.bfloat16())
    if linear.bias is not None:
        linear.bias = _parameter(linear.bias.bfloat16())
    return linear


def _is_plain_block(block: Block) -> bool:
    """Whether all its parts are those of this library, unchanged, so that `Block16` computes the same."""
    if type(block) not in (Block, TransformerBlock) or type(block.mlp) is not MLP:
        return False
    norms, inside, layers = [block.norm1, block.norm2], [block, block.mlp], [block.mlp.fc1, block.mlp.fc2]
    if type(block.attn) is Attention:
        inside.append(block.attn)
        layers += [block.attn.qkv, block.attn.proj]
    return (
        all(type(norm) is nn.LayerNorm and norm.bias is not None for norm in norms)
        and all(type(layer) in _LINEAR and _is_plain(layer) for layer in layers)
        and not any(map(_hooked, norms + inside))
    )


def _is_plain(module: nn.Module) -> bool:
    """Whether its own parameters say what it computes: it has no hooks, and no weight made of other tensors."""
    return not _hooked(module) and ("weight" in module._parameters or "W" in module._parameters)


def _hooked(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _folded(layer: GraphLayer) -> nn.Module:
    gconv, bn = layer.gconv, layer.bn
    assert bn.running_mean is not None
    assert bn.running_var is not None
    scale = bn.weight * (bn.running_var + bn.eps).rsqrt()
    gconv.W = _parameter(gconv.W * scale)
    gconv.bias = _parameter((gconv.bias - bn.running_mean) * scale + bn.bias)
    if isinstance(gconv, JointGraphConvolution):
        return _Precise(_JointGraph(gconv))
    layer.register_module("bn", nn.Identity())
    return layer


def _parameter(tensor: Tensor) -> nn.Parameter:
    return nn.Parameter(tensor, requires_grad=False)


def _require_compiler() -> None:
    names = [name for name in (os.environ.get("CXX"), *COMPILERS) if name]
    if not any(map(shutil.which, names)):
        raise RuntimeError(
            f"compile=True needs a C++ compiler, none of these is on the path: {', '.join(names)}; "
            "install one (on Debian: apt-get install g++) or leave compile out"
        )
