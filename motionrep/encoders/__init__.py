"""Encoders: normalised keypoints in, a representation of every joint in every frame out.

`Encoder` says what an encoder is and how to add an architecture.
"""

from motionrep.encoders.architectures import SSRSTF, DSTformer, KTPFormer, MixSTE, MotionAGFormer
from motionrep.encoders.architectures.layers import pose3d_head
from motionrep.encoders.base import Encoder, EncoderConfig, as_encoder, weights_digest
from motionrep.encoders.loading import load_encoder
from motionrep.encoders.model_cards import Provenance
from motionrep.encoders.published import from_published, load_published
from motionrep.encoders.published_format import PublishedFormat
from motionrep.encoders.saving import ENCODERS

__all__ = [
    "ENCODERS",
    "SSRSTF",
    "DSTformer",
    "Encoder",
    "EncoderConfig",
    "KTPFormer",
    "MixSTE",
    "MotionAGFormer",
    "Provenance",
    "PublishedFormat",
    "as_encoder",
    "from_published",
    "load_encoder",
    "load_published",
    "pose3d_head",
    "weights_digest",
]
