"""Small encoders of every architecture in the table, also of those that come later."""

import dataclasses

import pytest
import torch

from motionrep.encoders import ENCODERS, Provenance

SMALL = {"frames": 9, "channels": 32, "inner_channels": 16, "depth": 2, "heads": 4, "input_channels": 3}
_NOT_EVERYWHERE = ("inner_channels", "depth", "heads", "layer_scale", "drop_path")

_RESULT = {
    "metrics": {"mpjpe": 40.3},
    "units": {"mpjpe": "mm"},
    "protocol": {"id": "synthetic-views-1", "split": "val"},
    "head": "mine-head",
}
PROVENANCE = Provenance("clips of mine", 12.5, "by hand", "CC-BY-4.0", "indoors", [_RESULT], ["me/clips"])


def options_for(architecture, **options):
    """The options without those that this architecture lacks and need not have."""
    known = [field.name for field in dataclasses.fields(ENCODERS[architecture].config_type)]
    return {name: value for name, value in options.items() if name in known or name not in _NOT_EVERYWHERE}


def build(architecture, **changes):
    """Small, with every parameter moved away from its initial value, so that none is without effect."""
    torch.manual_seed(0)
    encoder = ENCODERS[architecture](**options_for(architecture, **(SMALL | changes)))
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return encoder.eval()


def require_option(architecture, name):
    """Skips the test for architectures without this option."""
    if not options_for(architecture, **{name: 0}):
        pytest.skip(f"{architecture} has no option {name}")
