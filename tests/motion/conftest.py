"""A walk, and bodies to put it on."""

from pathlib import Path

import numpy as np
import pytest
from body_motions import SMPL_PELVIS_M
from paths import WALK_BVH

import motionrep.body.loading
from motionrep.body.loading import load_body_model
from motionrep.motion.loading import load_motion


@pytest.fixture(scope="module")
def walk():
    return load_motion(WALK_BVH).cut(10)


@pytest.fixture(scope="module")
def open_body():
    return load_body_model("open")


@pytest.fixture(scope="module")
def smpl(open_body, tmp_path_factory):
    """A body that is not the open one: its pelvis lies where SMPL's is, and its betas are its own."""
    with np.load(Path(motionrep.body.loading.__file__).with_name("open_body.npz"), allow_pickle=False) as file:
        fields = dict(file)
    fields["v_template"] = fields["v_template"] + SMPL_PELVIS_M.numpy()
    path = tmp_path_factory.mktemp("body") / "smpl_like.npz"
    np.savez(path, **fields)
    return load_body_model(path)
