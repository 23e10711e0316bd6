"""Selects which weights of an encoder learn and how fast: all, the last layers, low-rank additions, or none."""

from typing import Any

import torch
from torch import Tensor, nn

from motionrep.encoders import Encoder
from motionrep.encoders.architectures.layers import Block
from motionrep.training.config import FinetuneConfig, last_layers
from motionrep.training.muon import Float32Muon

_MUON_FACTOR = 10
_SMALLEST_MATRIX = 32


def prepare(encoder: Encoder, config: FinetuneConfig) -> Any:
    """Selects the parameters that learn, by `config.tune`; for `lora` adds them.

    Returns:
        What `finish` takes: peft's model around the encoder for `lora`, None otherwise.

    Raises:
        ValueError: More last layers than the encoder has, or `lora` for an encoder without `Block`s.
        ImportError: `lora` without peft.
    """
    if config.tune == "lora":
        return _with_lora(encoder, config.lora_rank)
    count = last_layers(config.tune)
    if config.tune == "frozen":
        encoder.requires_grad_(False)
    elif count is not None:
        numbers = encoder.layer_numbers()
        depth = len(encoder.layer_groups()) - 1
        if count > depth:
            raise ValueError(f"tune: {config.tune}, but the encoder has {depth} layers; full trains all of it")
        for name, parameter in encoder.named_parameters():
            parameter.requires_grad_(numbers[name] > depth - count)
    return None


def finish(encoder: Encoder, prepared: Any) -> None:
    """Merges low-rank additions into the weights, so that the encoder is an ordinary one again."""
    if prepared is not None:
        prepared.merge_and_unload()


def optimizers(encoder: Encoder, head_parameters: list[Tensor], config: FinetuneConfig) -> list[torch.optim.Optimizer]:
    """AdamW, and Muon for the encoder's matrices if the configuration has it.

    Learning rates fall by `layer_decay` from each layer to the one before it (Clark et al., ELECTRA, ICLR 2020).
    """
    numbers = encoder.layer_numbers()
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
        on_cpu = all(weight.device.type == "cpu" for group in muon_groups for weight in group["params"])
        muon = Float32Muon if on_cpu else torch.optim.Muon
        chosen.append(muon(muon_groups, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"))
    return chosen


def _with_lora(encoder: Encoder, rank: int) -> Any:
    """Adds low-rank matrices to those of the blocks' mixers and perceptrons (Hu et al., LoRA, ICLR 2022)."""
    try:
        from peft import LoraConfig
        from peft.tuners.lora import LoraModel
    except ImportError as error:
        raise ImportError('tune: lora needs peft: pip install "motionrep[lora]"') from error
    blocks = [module for module in encoder.modules() if isinstance(module, Block)]
    inside = {module for block in blocks for module in block.modules() if isinstance(module, nn.Linear)}
    names = [name for name, module in encoder.named_modules() if module in inside]
    if not names:
        raise ValueError(f"tune: lora needs an encoder of `Block`s, and {encoder.name} has none; take full or last-N")
    return LoraModel(encoder, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=names), "default")
