"""The whole way from keypoints to results: embed, run heads, average with the mirror image, place, refine."""

from motionrep.pipeline.networks import load_networks
from motionrep.pipeline.recovery import Recoverer, recover
from motionrep.pipeline.result import Recovered

__all__ = ["Recovered", "Recoverer", "load_networks", "recover"]
