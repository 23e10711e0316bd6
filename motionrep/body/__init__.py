"""Body models: from pose and shape to joints and a surface."""

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.body.posing import joints_of, surface_of
from motionrep.body.regressors import load_h36m_regressor
from motionrep.types import BodyMotion

__all__ = ["BodyModel", "BodyMotion", "joints_of", "load_body_model", "load_h36m_regressor", "surface_of"]
