"""SMPL-H: SMPL with fingers. AMASS means its extended version, which unpacks to folders by gender."""

from motionrep.body.smpl_family import smpl_family

BODIES = smpl_family(
    "smplh",
    patterns=("{gender}/model.npz", "SMPLH_{GENDER}.npz", "SMPLH_{GENDER}.pkl"),
    joints=52,
    site="mano.is.tue.mpg.de (extended SMPL+H)",
)
