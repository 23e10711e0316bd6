"""Body models: from pose and shape to joints and a surface."""

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.body.regressors import load_h36m_regressor

__all__ = ["BodyModel", "load_body_model", "load_h36m_regressor"]
