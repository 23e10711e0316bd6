"""Which weights of an encoder learn, and how fast: all, the last layers, low-rank additions, or none."""

import re
from typing import Any, cast

import torch
from torch import Tensor, nn

from motionrep.training.config import FinetuneConfig, last_layers

_MUON_FACTOR = 10
_SMALLEST_MATRIX = 32
# What the architectures call the module lists with an item for each layer, and what comes behind the last layer.
_LAYERS = (
    "joint_blocks",
    "frame_blocks",
    "joints_first",
    "frames_first",
    "layers",
    "far_blocks",
    "near_blocks",
    "fusions",
)
_BEHIND = ("norm", "joint_norm", "frame_norm", "representation")


def layer_numbers(encoder: nn.Module) -> dict[str, int]:
    """The layer of every parameter: 0 before the first one, 1 to the depth, and the depth + 1 behind the last."""
    depth = len(next(cast(nn.ModuleList, getattr(encoder, name)) for name in _LAYERS if hasattr(encoder, name)))

    def number(name: str) -> int:
        first, _, rest = name.partition(".")
        return int(rest.split(".")[0]) + 1 if first in _LAYERS else depth + 1 if first in _BEHIND else 0

    return {name: number(name) for name, _ in encoder.named_parameters()}


def prepare(encoder: nn.Module, config: FinetuneConfig) -> Any:
    """Says which parameters learn, as `config.tune` has it; for `lora` adds them.

    Returns:
        What `finish` wants: peft's model around the encoder for `lora`, None otherwise.

    Raises:
        ValueError: More last layers than the encoder has.
        ImportError: `lora` without peft.
    """
    if config.tune == "lora":
        return _with_lora(encoder, config.lora_rank)
    count = last_layers(config.tune)
    if config.tune == "frozen":
        encoder.requires_grad_(False)
    elif count is not None:
        numbers = layer_numbers(encoder)
        depth = max(numbers.values()) - 1
        if count > depth:
            raise ValueError(f"tune: {config.tune}, but the encoder has {depth} layers; full trains all of it")
        for name, parameter in encoder.named_parameters():
            parameter.requires_grad_(numbers[name] > depth - count)
    return None


def finish(encoder: nn.Module, prepared: Any) -> None:
    """Adds low-rank additions to the weights they belong to, so that the encoder is an ordinary one again."""
    if prepared is not None:
        prepared.merge_and_unload()


def optimizers(
    encoder: nn.Module, head_parameters: list[Tensor], config: FinetuneConfig
) -> list[torch.optim.Optimizer]:
    """AdamW for the heads and what is no matrix, Muon for the encoder's matrices if the configuration has it.

    Rates fall by `layer_decay` from each layer to the one before it (Clark et al., ELECTRA, ICLR 2020).
    """
    numbers = layer_numbers(encoder)
    last = max(numbers.values())
    linear = {f"{name}.weight" for name, module in encoder.named_modules() if isinstance(module, nn.Linear)}
    matrices: dict[int, list[Tensor]] = {}
    rest: dict[int, list[Tensor]] = {}
    for name, parameter in encoder.named_parameters():
        if parameter.requires_grad:
            is_matrix = config.optimizer == "muon" and name in linear and min(parameter.shape) >= _SMALLEST_MATRIX
            (matrices if is_matrix else rest).setdefault(numbers[name], []).append(parameter)

    def groups(parameters: dict[int, list[Tensor]], lr: float) -> list[dict[str, Any]]:
        return [
            {"params": some, "lr": lr * config.layer_decay ** (last - number)} for number, some in parameters.items()
        ]

    adam_groups = [{"params": head_parameters, "lr": config.head_lr}, *groups(rest, config.encoder_lr)]
    chosen: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(adam_groups, weight_decay=config.weight_decay, betas=(0.9, 0.98))
    ]
    if matrices:
        muon_groups = groups(matrices, _MUON_FACTOR * config.encoder_lr)
        chosen.append(torch.optim.Muon(muon_groups, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"))
    return chosen


def _with_lora(encoder: nn.Module, rank: int) -> Any:
    """Low-rank additions (Hu et al., LoRA, ICLR 2022) to every matrix of the layers' attention and perceptrons."""
    try:
        from peft import LoraConfig
        from peft.tuners.lora import LoraModel
    except ImportError as error:
        raise ImportError('tune: lora needs peft: pip install "motionrep[lora]"') from error
    inside = re.compile(r"\.(qkv|proj|near_proj|far_proj|fc1|fc2|U|V)$")
    names = [name for name, module in encoder.named_modules() if isinstance(module, nn.Linear) and inside.search(name)]
    return LoraModel(encoder, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=names), "default")
