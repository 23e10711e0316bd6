"""Encoders: normalised keypoints in, a representation of every joint in every frame out.

An encoder is an `nn.Module` with these attributes; nothing else is asked of it:

- `architecture`: its key in `ENCODERS`; `name`: which weights these are
- `layout`, `input_channels` (2: x, y; 3: x, y, confidence), `normalisation` (see `motionrep.embedding.normalise`)
- `frames`: the window it reads; `channels`: what it puts out per joint
- `config`: keyword arguments that build the same encoder again
"""

from collections.abc import Callable

from torch import nn

from motionrep.encoders.ktpformer import KTPFormer

ENCODERS: dict[str, Callable[..., nn.Module]] = {"ktpformer": KTPFormer}

__all__ = ["ENCODERS", "KTPFormer"]
