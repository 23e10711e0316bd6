"""The whole way from a video or keypoints to results: detect, embed, run heads, place, refine."""

from motionrep.pipeline.networks import load_networks
from motionrep.pipeline.recovery import Recoverer, recover
from motionrep.pipeline.result import Recovered

__all__ = ["Recovered", "Recoverer", "load_networks", "recover"]
