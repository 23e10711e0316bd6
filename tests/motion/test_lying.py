"""People who lie, crawl and do push-ups stay down, whereto their head points, in every format with a world."""

import pickle
from dataclasses import replace

import joblib
import numpy as np
import pytest
import roma
import torch
from body_motions import DOWN_UP, on_smpl, rotvec, turned

from motionrep.layouts import SMPL_24
from motionrep.motion.floor import floor_height_m
from motionrep.motion.loading import load_motion
from motionrep.types import BodyMotion

FRAMES = 6
Z_UP = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # file from y up
WORLDS = {
    "y up": torch.eye(3),
    "z up": Z_UP,
    "x up": torch.tensor([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
    "y down": DOWN_UP,
}
# Pitch of the pelvis, and of some joints, in degrees about x; y up, the head to z.
POSTURES = {
    "prone": (90, {}),
    "supine": (-90, {}),
    "on the side": (90, {}),
    "push-up": (75, {"shoulder": -80}),
    "crawling": (85, {"hip": -85, "knee": 90, "shoulder": -85}),
}


def about(axis: int, degrees: float) -> torch.Tensor:
    return roma.rotvec_to_rotmat(torch.deg2rad(torch.tensor(float(degrees))) * torch.eye(3)[axis])


@pytest.fixture(scope="module")
def person(walk, smpl) -> BodyMotion:
    return on_smpl(replace(walk.cut(0, FRAMES), fps=30.0), smpl)


def down(person: BodyMotion, body, posture: str, yaw_deg: float) -> BodyMotion:
    """The person in a posture in a world with y up, the head to where yaw says."""
    pitch_deg, bends = POSTURES[posture]
    local_rotmat = person.local_rotmat.clone()
    for number, joint in enumerate(SMPL_24.joints):
        if (bend_deg := bends.get(joint.rpartition("_")[2])) is not None:
            local_rotmat[:, number] = about(0, bend_deg)
    local_rotmat[:, 0] = about(1, 90) if posture == "on the side" else torch.eye(3)
    return turned(
        replace(person, local_rotmat=local_rotmat),
        about(1, yaw_deg) @ about(0, pitch_deg),
        torch.zeros(3),
        body,
        "world",
    )


def assert_down(got: BodyMotion, expected: BodyMotion, body) -> None:
    """The same posture on the floor; where north is means nothing."""
    torch.testing.assert_close(got.local_rotmat[:, 1:22], expected.local_rotmat[:, 1:22], atol=2e-5, rtol=0)
    torch.testing.assert_close(got.local_rotmat[:, 0, 1], expected.local_rotmat[:, 0, 1], atol=2e-5, rtol=0)
    assert abs(float(floor_height_m(got, body))) < 1e-3
    assert float(got.local_rotmat[:, 0, 1, 1].abs().max()) < 0.5  # it does not stand


@pytest.mark.parametrize("yaw_deg", [0, 90])
@pytest.mark.parametrize("posture", POSTURES)
def test_in_amass_and_its_parts(tmp_path, person, smpl, open_body, posture, yaw_deg) -> None:
    expected = down(person, smpl, posture, yaw_deg)
    tilted = turned(expected, Z_UP, torch.zeros(3), smpl, "world")
    pose, place = rotvec(tilted), tilted.translation_m.numpy()
    rest = {"trans": place, "betas": np.zeros(16), "mocap_frame_rate": 30.0, "gender": "neutral"}
    np.savez(tmp_path / "whole.npz", poses=np.concatenate([pose[:, :66], np.zeros((FRAMES, 90))], 1), **rest)
    np.savez(tmp_path / "parts.npz", root_orient=pose[:, :3], pose_body=pose[:, 3:66], **rest)
    for name in ("whole", "parts"):
        got = load_motion(tmp_path / f"{name}.npz")
        assert_down(got, expected, open_body)
        torch.testing.assert_close(got.local_rotmat[:, 0], expected.local_rotmat[:, 0], atol=2e-5, rtol=0)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("posture", POSTURES)
def test_in_3dpw_whatever_axis_its_world_has_up(tmp_path, person, smpl, posture, world) -> None:
    """Cameras are held upright, people need not be."""
    expected, turn = down(person, smpl, posture, 90), WORLDS[world]
    there = turned(expected, turn, torch.tensor([1.0, 2.0, 3.0]), smpl, "world")
    camera = torch.eye(4).repeat(FRAMES, 1, 1)
    camera[:, :3, :3] = DOWN_UP @ about(1, 50) @ turn.mT
    content = {
        "betas": [np.zeros(10)], "poses": [rotvec(there)], "trans": [there.translation_m.double().numpy()],
        "genders": ["m"], "cam_poses": camera.double().numpy(),
    }  # fmt: skip
    (tmp_path / "lying.pkl").write_bytes(pickle.dumps(content))
    assert_down(load_motion(tmp_path / "lying.pkl", smpl.name), expected, smpl)


@pytest.mark.parametrize("posture", POSTURES)
def test_in_results_of_wham_and_gvhmr(tmp_path, person, smpl, posture) -> None:
    """Both have y up in the world."""
    expected = down(person, smpl, posture, 120)
    pose, middle = rotvec(expected), np.zeros((FRAMES, 3))
    wham = {"pose_world": pose, "trans_world": middle, "betas": np.zeros((FRAMES, 10)), "frame_ids": np.arange(FRAMES)}
    joblib.dump({0: wham}, tmp_path / "wham_output.pkl")
    parts = {
        "global_orient": pose[:, :3],
        "body_pose": pose[:, 3:66],
        "transl": middle,
        "betas": np.zeros((FRAMES, 10)),
    }
    gvhmr = {"smpl_params_global": {name: torch.from_numpy(it).float() for name, it in parts.items()}}
    torch.save(gvhmr, tmp_path / "hmr4d_results.pt")
    assert_down(load_motion(tmp_path / "wham_output.pkl", smpl.name, fps=30), expected, smpl)
    assert_down(load_motion(tmp_path / "hmr4d_results.pt", smpl.name), expected, smpl)
