"""One file for each encoder architecture. Importing them here enters them in the table of encoders."""

from motionrep.encoders.architectures.dstformer import DSTformer
from motionrep.encoders.architectures.ktpformer import KTPFormer
from motionrep.encoders.architectures.mixste import MixSTE
from motionrep.encoders.architectures.motionagformer import MotionAGFormer
from motionrep.encoders.architectures.ssr_stf import SSRSTF

__all__ = ["SSRSTF", "DSTformer", "KTPFormer", "MixSTE", "MotionAGFormer"]
