"""Small encoders of every architecture."""

import torch

from motionrep.encoders import ENCODERS

SMALL = {"frames": 9, "channels": 32, "depth": 2, "heads": 4, "input_channels": 3}


INSIDE = {name: {"inner_channels": 16} for name in ("dstformer", "motionagformer", "ssr_stf")}


def build(architecture, **changes):
    """Small, with every parameter moved away from its initial value, so that none is without effect."""
    torch.manual_seed(0)
    encoder = ENCODERS[architecture](**(SMALL | INSIDE.get(architecture, {}) | changes))
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return encoder.eval()
