"""SMPL-X: SMPL with fingers, jaw, eyes and expression."""

from motionrep.body.smpl_family import smpl_body, smpl_family

_SITE = "smpl-x.is.tue.mpg.de"

BODIES = smpl_family(
    "smplx",
    patterns=("SMPLX_{GENDER}.npz", "SMPLX_{GENDER}.pkl", "{gender}/model.npz"),
    joints=55,
    site=_SITE,
) | {"smplx-neutral-2020": smpl_body(("SMPLX_NEUTRAL_2020.npz",), 55, _SITE)}  # other betas than those of 2019
