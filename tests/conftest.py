"""Executes the jaxtyping annotations of the library in every test run; shared fixtures."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # many small operations, and a process for each core

import hypothesis
import numpy as np
import pytest
import torch
from jaxtyping import install_import_hook

install_import_hook(["motionrep", "motionrep_heads"], "typechecker.check")

hypothesis.settings.register_profile("motionrep", deadline=None, derandomize=True)
hypothesis.settings.load_profile("motionrep")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder with untrained networks, `encoder`, `mesh`, `pose3d` and `action`, and 12 frames of `clip.json`."""
    # The annotations of what is imported above the hook are not executed.
    from motionrep.encoders.architectures.ktpformer import KTPFormer
    from motionrep.head_api.loading import head_class, save_head
    from motionrep.keypoints.saving import save_keypoints
    from motionrep.layouts import HALPE_26
    from motionrep.types import Keypoints

    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    encoder = KTPFormer(frames=9, channels=16, depth=1, heads=2, input_channels=3)
    encoder.name = "tiny"
    encoder.save_pretrained(folder / "encoder")
    for name, options in (("mesh", {"hidden": 16}), ("pose3d", {}), ("action", {"labels": ["walk", "jump"]})):
        save_head(head_class(name)(channels=16, **options), folder / name, name, "tiny")
    rng = np.random.default_rng(0)
    xy_px = torch.from_numpy(rng.uniform((900, 300), (1000, 700), (12, HALPE_26.joint_count, 2))).float()
    keypoints = Keypoints(xy_px, torch.ones(xy_px.shape[:2]), HALPE_26, 30.0, 1920, 1080)
    save_keypoints([keypoints], folder / "clip.json")
    return folder
