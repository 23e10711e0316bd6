"""What a head is, and how one is found, saved and loaded.

A head turns an encoder's representation into something a person wants. Any installed package may add heads through
the entry point group "motionrep.heads" (name -> class); those of motionrep itself come the same way.
"""

from motionrep.head_api.contract import Batch, Head, float32_inference, representation_of, require_same_encoder
from motionrep.head_api.loading import GROUP, head_class, head_entry_points, load_head, save_head

__all__ = [
    "GROUP",
    "Batch",
    "Head",
    "float32_inference",
    "head_class",
    "head_entry_points",
    "load_head",
    "representation_of",
    "require_same_encoder",
    "save_head",
]
