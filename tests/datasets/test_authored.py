import math
from functools import lru_cache

import numpy as np
import pytest
import roma
import torch

from motionrep.body.loading import load_body_model
from motionrep.datasets.authored.motions import AUTHORED, authored_motion
from motionrep.datasets.authored.posing import CHANNELS, Action, Rig, pose
from motionrep.layouts import SMPL_24
from motionrep.types import BodyMotion

FEET = ("left_foot", "right_foot")
AIRBORNE = ("run_in_place", "jump", "jumping_jack")
motions = pytest.mark.parametrize("name", AUTHORED)
performances = pytest.mark.parametrize(("name", "seed"), [(name, seed) for name in AUTHORED for seed in (0, 1)])


@lru_cache(1)
def body():
    return load_body_model("open")


@lru_cache(len(AUTHORED) * 2)
def heights_and_balls(name: str, seed: int):
    """Lowest point of each sole and ball of each foot, at 20 frames per second: (frames, 2), (frames, 2, 3)."""
    motion = authored_motion(name, seed, seconds=3.0, fps=20.0)
    vertex_m = body().mesh(motion).vertex_m
    weights = body().skin_weights
    soles = []
    for foot in FEET:
        ankle = SMPL_24.index(foot.replace("foot", "ankle"))
        chosen = weights[:, SMPL_24.index(foot)] + weights[:, ankle] > 0.9
        soles.append(vertex_m[:, chosen, 1].amin(1))
    joint_m = body().joints(motion.local_rotmat, motion.betas, motion.translation_m)
    return torch.stack(soles, 1), joint_m[:, [SMPL_24.index(foot) for foot in FEET]], vertex_m[..., 1].min()


def joint_turns(motion: BodyMotion, joint: str) -> torch.Tensor:
    """Rotation vectors in degrees."""
    return torch.rad2deg(roma.rotmat_to_rotvec(motion.local_rotmat[:, SMPL_24.index(joint)]))


def planted_spans(ball_m: torch.Tensor) -> list[tuple[int, int]]:
    """Runs of frames in which the ball of a foot is as low as it gets, to 2 mm."""
    low = torch.cat([torch.tensor([False]), ball_m[:, 1] < ball_m[:, 1].min() + 0.002, torch.tensor([False])])
    edges = (low[1:] != low[:-1]).nonzero().flatten().tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


@performances
def test_soles_of_planted_feet_are_on_the_floor(name, seed):
    sole_m, ball_m, lowest_m = heights_and_balls(name, seed)
    assert lowest_m > -0.01
    for foot in range(2):
        for start, stop in planted_spans(ball_m[:, foot]):
            assert sole_m[start:stop, foot].min() > -0.01
            assert sole_m[start:stop, foot].max() < 0.02


@performances
def test_planted_feet_do_not_slide(name, seed):
    _, ball_m, _ = heights_and_balls(name, seed)
    for foot in range(2):
        for start, stop in planted_spans(ball_m[:, foot]):
            steps_m = ball_m[start:stop, foot] - ball_m[start, foot]
            assert steps_m.norm(dim=-1).max() < 0.02


@performances
def test_someone_who_does_not_jump_always_stands_on_a_foot(name, seed):
    sole_m, _, _ = heights_and_balls(name, seed)
    assert (sole_m.amin(1).max() > 0.02) == (name in AIRBORNE)


@performances
def test_knees_and_elbows_bend_one_way_and_ankles_stay_in_range(name, seed):
    motion = authored_motion(name, seed, fps=60.0)
    for side, inwards in (("left", -1), ("right", 1)):
        knee, ankle = joint_turns(motion, f"{side}_knee"), joint_turns(motion, f"{side}_ankle")
        assert knee[:, 0].min() > 0
        assert knee[:, 0].max() < 145
        torch.testing.assert_close(knee[:, 1:], torch.zeros_like(knee[:, 1:]), atol=1e-2, rtol=0)
        assert ankle[:, 0].min() > -35  # dorsiflexion
        assert ankle[:, 0].max() < 55
        assert (inwards * joint_turns(motion, f"{side}_elbow")[:, 1]).min() > 0
        assert joint_turns(motion, f"{side}_wrist").norm(dim=-1).max() < 60


@performances
def test_no_joint_jumps(name, seed):
    """At 240 frames per second a jump by 7 degrees would already be 30 rad/s."""
    rotmat = authored_motion(name, seed, fps=240.0).local_rotmat.double()
    speed_rad_per_s = roma.rotmat_geodesic_distance(rotmat[1:], rotmat[:-1]) * 240
    assert speed_rad_per_s.max() < 26


@motions
def test_the_seed_decides_everything(name):
    first, again, other = (authored_motion(name, seed, seconds=1.0) for seed in (3, 3, 4))
    for field in ("local_rotmat", "translation_m", "betas"):
        assert torch.equal(getattr(first, field), getattr(again, field))
        assert not torch.allclose(getattr(first, field), getattr(other, field), atol=1e-3)


@motions
@pytest.mark.parametrize("fps", [24.0, 60.0])
def test_the_rate_only_changes_how_often_the_motion_is_seen(name, fps):
    motion, reference = authored_motion(name, 5, 2.0, fps), authored_motion(name, 5, 2.0, 30.0)
    assert motion.frame_count / fps == reference.frame_count / 30.0 == 2.0
    every = math.gcd(int(fps), 30)
    ours, theirs = motion.local_rotmat[:: int(fps) // every], reference.local_rotmat[:: 30 // every]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


@motions
def test_a_cycle_follows_the_one_before(name):
    action = AUTHORED[name](1.0)
    if not action.loops:
        pytest.skip("ends in a last pose")
    time_s = np.linspace(0, action.cycle_s, 20)
    first, second = action.sample(time_s, {}), action.sample(time_s + action.cycle_s, {})
    for channel in CHANNELS:
        change = second[channel] - first[channel]
        torch.testing.assert_close(change, change[:1].expand_as(change), atol=1e-9, rtol=0)
        assert channel.endswith("_z") or abs(float(change[0])) < 1e-9


def test_walking_goes_somewhere_at_walking_speed():
    motion = authored_motion("walk", seconds=4.0)
    speed_m_per_s = float((motion.translation_m[-1] - motion.translation_m[0]).norm()) / 4.0
    assert 0.7 < speed_m_per_s < 1.6


def test_clips_are_open_body_motions_in_the_world():
    motion = authored_motion("bow", seconds=0.5)
    assert (motion.body_model, motion.frame, motion.fps, motion.frame_count) == ("open", "world", 30.0, 15)


def test_an_unknown_motion_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'wlak'; did you mean 'walk'\?.*jumping_jack"):
        authored_motion("wlak")


@pytest.mark.parametrize(("seconds", "fps"), [(0.0, 30.0), (4.0, 0.0), (math.nan, 30.0), (4.0, math.inf)])
def test_a_clip_needs_a_frame(seconds, fps):
    with pytest.raises(ValueError, match="at least one frame"):
        authored_motion("walk", seconds=seconds, fps=fps)


def test_a_table_with_an_unknown_channel_is_refused():
    with pytest.raises(ValueError, match="unknown channels left_tail"):
        Action(1.0, {"left_tail": {0.0: 1.0}})


def test_feet_reach_their_targets_on_any_body():
    """The ball of the foot lands where the table puts it, scaled by the legs."""
    table = {
        "pelvis_y": {0.0: -0.15},
        "left_foot_x": {0.0: 0.1},
        "left_foot_z": {0.0: 0.2},
        "left_heel_lift": {0.0: 30},
    }
    channels = Action(1.0, table).sample(np.zeros(1), {})
    for betas in (torch.zeros(10), torch.linspace(-1.5, 1.5, 10)):
        rig = Rig.of(body(), betas)
        local_rotmat, translation_m = pose(rig, channels)
        ball_m = body().joints(local_rotmat, betas, translation_m)[0, SMPL_24.index("left_foot")]
        target_m = rig.at("left_foot") - rig.floor() + rig.scale * torch.tensor([0.1, 0.0, 0.2])
        torch.testing.assert_close(ball_m.double(), target_m, atol=1e-4, rtol=0)
