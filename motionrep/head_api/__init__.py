"""What a head is, and how one is found, saved and loaded.

A head turns an encoder's representation into a result: a 3D pose, a body, an action. Any installed package may add
heads through the entry point group "motionrep.heads" (name -> class). The heads of motionrep itself do that, too.
"""

from motionrep.head_api.contract import Batch, Head, float32_inference, representation_of, require_same_encoder
from motionrep.head_api.loading import GROUP, encoder_of, head_class, head_entry_points, load_head, save_head

__all__ = [
    "GROUP",
    "Batch",
    "Head",
    "encoder_of",
    "float32_inference",
    "head_class",
    "head_entry_points",
    "load_head",
    "representation_of",
    "require_same_encoder",
    "save_head",
]
