"""Body models: pose and shape in, joints and a surface out."""

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel

__all__ = ["BodyModel", "load_body_model"]
