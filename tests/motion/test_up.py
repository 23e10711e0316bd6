"""Which way is up in BVH files whose zero pose is no human pose: read from motion and floor, or told to be doubtful."""

from dataclasses import replace

import pytest
import roma
import torch
from body_motions import turned
from paths import WALK_BVH
from rigs import Rig, write_rig

from motionrep.body.loading import load_body_model
from motionrep.layouts import SMPL_24
from motionrep.motion.bvh_files import read_bvh
from motionrep.motion.floor import put_on_floor
from motionrep.motion.loading import load_motion
from motionrep.motion.retargeting.figure import Skeleton
from motionrep.motion.retargeting.skeletons import MIXAMO, find_skeleton
from motionrep.motion.retargeting.up import up_of

Y_UP = torch.eye(3)  # file from y up
Z_UP = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
X_UP = torch.tensor([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
DOUBT = "no pose of the file shows which way is up"


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


@pytest.fixture(scope="module")
def walk():
    return load_motion(WALK_BVH).cut(10, 40)


def axes() -> dict[str, torch.Tensor]:
    """Joints with any axes, so that all rotations zero give no figure."""
    generator = torch.Generator().manual_seed(4)
    return {joint: roma.rotvec_to_rotmat(2 * torch.randn(3, generator=generator)) for joint in SMPL_24.joints}


@pytest.mark.parametrize(
    ("world", "fall", "centred", "expected", "doubted"),
    [
        (Y_UP, None, False, "y", False),
        (Z_UP, None, False, "z", False),
        (X_UP, None, False, "x", True),  # rare, so that somebody who lies along x is likelier
        (Y_UP, (1, 0, 0), False, "y", True),  # the head to z
        (Y_UP, (0, 0, 1), False, "y", True),  # the head to -x
        (Y_UP, (0, 0, -1), False, "y", True),  # the head to x
        (X_UP, None, True, "", True),
        (Y_UP, (0, 0, -1), True, "", True),
        (Z_UP, (1, 0, 0), False, "", True),
    ],
)  # fmt: skip
def test_up_of_rigs_with_axes_of_their_own(tmp_path, walk, body, caplog, world, fall, centred, expected, doubted):
    """`expected` is empty where nothing in the file tells; then it must be doubted."""
    motion = walk
    if fall is not None:
        lying = roma.rotvec_to_rotmat(torch.pi / 2 * torch.tensor([float(it) for it in fall]))
        aside_m = torch.tensor([1.5, 0.0, 1.5])  # with the feet at 0 it would be a walk in another world
        motion = put_on_floor(turned(walk, lying, aside_m, body, "world"), body)
    if centred:
        motion = replace(motion, translation_m=torch.zeros_like(motion.translation_m))
    path = write_rig(motion, body, Rig(MIXAMO.joints, axes(), world=world), tmp_path / "walk.bvh")
    bvh = read_bvh(path)
    table = find_skeleton(bvh.joints, bvh.parents)
    up = up_of(Skeleton(bvh, table), table)
    assert (DOUBT in caplog.text) == doubted
    if expected:
        assert up.tolist() == torch.eye(3)["xyz".index(expected)].tolist()
    assert up_of(Skeleton(bvh, replace(table, up="x")), replace(table, up="x")).tolist() == [1, 0, 0]
