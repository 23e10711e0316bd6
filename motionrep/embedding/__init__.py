"""From the keypoints of a clip of any length to its motion embedding."""

from motionrep.embedding.encoding import embed, encode
from motionrep.embedding.inputs import encoder_input, mirrored

__all__ = ["embed", "encode", "encoder_input", "mirrored"]
