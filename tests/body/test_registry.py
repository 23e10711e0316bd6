"""A new body is one file and one line: a body of 24 tetrahedra, built from numbers or read from a file of its own."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

import motionrep
from motionrep.body.finding import body_folder
from motionrep.body.registry import BODIES, find_bodies
from motionrep.layouts import SMPL_24
from motionrep.types import BodyMotion

FILE = '''
"""Two bodies of a tetrahedron at each joint: one is built, the other is read from a text file of rest joints."""

import numpy as np
import torch

from motionrep.body.finding import BodyFiles, BodySource, find_body_file
from motionrep.body.model import BodyModel
from motionrep.body.points import LANDMARKS
from motionrep.layouts import SMPL_24

_CORNER_M = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 50
_FILES = BodyFiles(("tetrahedra.txt",), "write 24 rows of 3 numbers")


def build(name: str, betas: int) -> BodyModel:
    depth = [0]
    for parent in SMPL_24.parent_indices[1:]:
        depth.append(depth[parent] + 1)
    side = [joint.startswith("left") - joint.startswith("right") for joint in SMPL_24.joints]
    return _body(name, betas, torch.tensor([[0.2 * s, 0.1 * d, 0.0] for s, d in zip(side, depth)]))


def read(name: str, betas: int) -> BodyModel:
    rows = np.loadtxt(find_body_file(name, _FILES), dtype=np.float32)
    return _body(name, betas, torch.from_numpy(rows))


def _body(name: str, betas: int, joint_m: torch.Tensor) -> BodyModel:
    weights = torch.eye(24).repeat_interleave(4, 0)
    return BodyModel(
        name=name,
        template_vertex_m=(joint_m[:, None] + _CORNER_M).flatten(0, 1),
        faces=4 * torch.arange(24).repeat_interleave(2)[:, None] + torch.tensor([[0, 1, 2], [3, 2, 1]] * 24),
        skin_weights=weights,
        joint_regressor=weights.T / 4,
        shape_directions_m=torch.zeros(96, 3, betas),
        pose_directions_m=None,
        landmark_ids={landmark: index for index, landmark in enumerate(LANDMARKS)},
    )


BODIES = {"dummy": BodySource(build), "dummy-read": BodySource(read, _FILES)}
'''


@pytest.fixture(autouse=True)
def one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tetrahedra.py").write_text(FILE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tetrahedra", raising=False)
    for name, source in importlib.import_module("tetrahedra").BODIES.items():  # `**tetrahedra.BODIES` in the registry
        monkeypatch.setitem(BODIES, name, source)


def test_a_body_of_a_new_file_is_loaded_posed_and_has_a_surface():
    body = motionrep.load_body_model("dummy", betas=3)
    assert (body.name, body.beta_count, body.layout) == ("dummy", 3, SMPL_24)
    rotmat = torch.eye(3).repeat(2, 24, 1, 1)
    rotmat[1, SMPL_24.index("left_shoulder")] = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    motion = BodyMotion(rotmat, torch.tensor([[0.0, 0, 3], [0, 0, 3]]), torch.zeros(3), "dummy", 30.0, "world")
    vertex_m = body.mesh(motion).vertex_m
    assert vertex_m.shape == (2, 96, 3)
    middle_m = vertex_m.unflatten(1, (24, 4)).mean(2)
    torch.testing.assert_close(middle_m, body.joints(rotmat, torch.zeros(3), motion.translation_m))
    moved = (middle_m[1] - middle_m[0]).norm(dim=-1) > 1e-4
    assert [SMPL_24.joints[index] for index in moved.nonzero()[:, 0]] == ["left_elbow", "left_wrist", "left_hand"]
    picture = next(iter(motionrep.render_frames(motion, width_px=64)))
    assert picture.std() > 0


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="the folder is set by XDG_DATA_HOME here")
def test_a_body_of_a_new_file_is_found_in_the_folder_of_bodies(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"'dummy-read': no tetrahedra\.txt in .*; write 24 rows of 3 numbers"):
        motionrep.load_body_model("dummy-read")
    path = body_folder() / "mine" / "Tetrahedra.txt"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(f"{0.1 * row} {0.05 * row} 0" for row in range(24)))
    assert find_bodies() == {"dummy-read": [path]}
    body = motionrep.load_body_model("dummy-read")
    torch.testing.assert_close(body.rest_joints(torch.zeros(10))[20], torch.tensor([2.0, 1.0, 0.0]))


def test_a_wrong_name_lists_the_new_body_too():
    with pytest.raises(FileNotFoundError, match=r"dumy: no such file.*open, smpl-neutral.*dummy, dummy-read"):
        motionrep.load_body_model("dumy")
