"""SMPL: 24 joints."""

from motionrep.body.smpl_family import smpl_family

BODIES = smpl_family(
    "smpl",
    patterns=(
        "basicModel_{letter}_lbs_10_207_0_v1.1.0.pkl",
        "basicModel_{letter}_lbs_10_207_0_v1.0.0.pkl",
        "SMPL_{GENDER}.npz",
        "SMPL_{GENDER}.pkl",
    ),
    joints=24,
    site="smpl.is.tue.mpg.de (the neutral body of version 1.0.0: smplify.is.tue.mpg.de)",
)
