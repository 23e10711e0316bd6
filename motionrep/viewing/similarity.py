"""How alike moments of a clip are to the encoder."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from motionrep.types import MotionEmbedding


def moments(embedding: MotionEmbedding) -> Float[Tensor, "frames numbers"]:
    """A unit vector for each frame: the values of all joints minus their mean over the clip.

    Without the mean, which says who is seen from where, all frames of a clip look alike. A frame equal to the mean is
    a zero vector.
    """
    values = embedding.values.flatten(1)
    return normalize(values - values.mean(0), dim=1)


def similarity_to(moment: Float[Tensor, "frames numbers"], frame: int) -> Float[Tensor, " frames"]:
    """Cosine similarity of every frame to one, -1 to 1, from `moments`."""
    return (moment @ moment[frame]).clamp(-1, 1)


def self_similarity(moment: Float[Tensor, "frames numbers"]) -> Float[Tensor, "frames frames"]:
    """Cosine similarity of every frame to every other; movements that repeat show as parallels to the diagonal."""
    return torch.clamp(moment @ moment.T, -1, 1)
