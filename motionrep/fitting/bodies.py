"""The bodies of motions, loaded once: loading one takes as long as refining a short clip."""

from functools import lru_cache

import torch

from motionrep.body import BodyModel, load_body_model
from motionrep.types import BodyMotion


def body_of(motion: BodyMotion) -> BodyModel:
    """The body that a motion moves, on the motion's device; the same object for equal bodies."""
    return _body(motion.body_model, len(motion.betas), motion.translation_m.device)


@lru_cache(maxsize=4)
def _body(name: str, betas: int, device: torch.device) -> BodyModel:
    return load_body_model(name, betas).to(device)
