"""Encoders: normalised keypoints in, a representation of every joint in every frame out.

An encoder is an `nn.Module` with these attributes; nothing else is asked of it:

- `architecture`: its key in `ENCODERS`; `name`: which weights these are
- `layout`, `input_channels` (2: x, y; 3: x, y, confidence), `normalisation` ("width": `embedding.inputs.normalise`;
  "crop": `embedding.inputs.cropped`, with an attribute `crop_ratio`)
- `coco_recipe`: how COCO-17 keypoints become its layout (`motionrep.layouts.to_h36m_17`; "motionbert" if not declared)
- `frames`: the window it reads; `fixed_window`: False if it reads shorter clips too (True where it is not declared);
  `fps`: the frame rate it was trained on, None for any; `channels`: what it puts out per joint
- `config`: keyword arguments that build the same encoder again

Those here are also `Shareable`: `save_pretrained`, `from_pretrained`, `push_to_hub`.
"""

from motionrep.encoders.architectures.dstformer import DSTformer
from motionrep.encoders.architectures.ktpformer import KTPFormer
from motionrep.encoders.architectures.layers import pose3d_head
from motionrep.encoders.architectures.mixste import MixSTE
from motionrep.encoders.architectures.motionagformer import MotionAGFormer
from motionrep.encoders.architectures.ssr_stf import SSRSTF
from motionrep.encoders.base import Shareable, weights_digest
from motionrep.encoders.cards import Provenance
from motionrep.encoders.frame_rates import Refinable
from motionrep.encoders.loading import ENCODERS, load_encoder
from motionrep.encoders.published import from_published, load_published

__all__ = [
    "ENCODERS",
    "SSRSTF",
    "DSTformer",
    "KTPFormer",
    "MixSTE",
    "MotionAGFormer",
    "Provenance",
    "Refinable",
    "Shareable",
    "from_published",
    "load_encoder",
    "load_published",
    "pose3d_head",
    "weights_digest",
]
