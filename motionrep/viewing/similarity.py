"""How similar the moments of a clip are to the encoder."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from motionrep.types import MotionEmbedding


def moments(embedding: MotionEmbedding) -> Float[Tensor, "frames numbers"]:
    """A unit vector for each frame: the values of all joints minus their mean over the clip.

    The mean says who is seen from where; with it, all frames of a clip look alike. A frame equal to the mean gives a
    zero vector.
    """
    values = embedding.values.flatten(1)
    return normalize(values - values.mean(0), dim=1)


def similarity_to(moment: Float[Tensor, "frames numbers"], frame: int) -> Float[Tensor, " frames"]:
    """Cosine similarity of every frame to one, -1 to 1, from `moments`."""
    return (moment @ moment[frame]).clamp(-1, 1)


def self_similarity(moment: Float[Tensor, "frames numbers"]) -> Float[Tensor, "frames frames"]:
    """Cosine similarity of every frame to every other; repeated movements show as lines parallel to the diagonal."""
    return torch.clamp(moment @ moment.T, -1, 1)
