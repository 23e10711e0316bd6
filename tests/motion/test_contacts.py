import math
from dataclasses import replace

import pytest
import roma
import torch

from motionrep.body import load_body_model
from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.head_api.flip_averaging import flip_averaged, flip_averaged_output
from motionrep.layouts import SMPL_24
from motionrep.motion.contacts import (
    PARTS,
    POINTS,
    Ground,
    contact_points_m,
    floor_contacts,
    motion_contacts,
    of_parts,
    point_radii_m,
)
from motionrep.types import BodyMotion

FEET = {"left_heel", "right_heel", "left_toe", "right_toe"}


def _posed(turns: dict[str, tuple[float, float, float]], frames: int = 12, betas=None) -> BodyMotion:
    """A still pose whose lowest vertex is on the floor."""
    rotmat = torch.eye(3).repeat(frames, 24, 1, 1)
    for joint, degrees in turns.items():
        rotmat[:, SMPL_24.index(joint)] = roma.rotvec_to_rotmat(torch.tensor(degrees).deg2rad())
    betas = torch.zeros(10) if betas is None else betas
    motion = BodyMotion(rotmat, torch.zeros(frames, 3), betas, "open", 30.0, "world")
    lowest_m = motion.cut(0, 1).mesh().vertex_m[..., 1].amin()
    return replace(motion, translation_m=torch.tensor([0.0, -lowest_m, 0.0]).repeat(frames, 1))


def _touching(motion: BodyMotion) -> set[str]:
    """Parts that touch the floor in the middle of the clip."""
    contact = motion_contacts(motion, load_body_model("open"))[motion.frame_count // 2]
    return {part for part, touches in zip(PARTS, contact.tolist(), strict=True) if touches}


@pytest.mark.parametrize("seed", [0, 1])
def test_people_of_any_shape_stand_on_heels_and_toes(seed):
    assert _touching(_posed({}, betas=torch.randn(10, generator=torch.Generator().manual_seed(seed)))) == FEET


def test_lifted_leg_and_tiptoe():
    assert _touching(_posed({"left_hip": (-60, 0, 0)})) == {"right_heel", "right_toe"}
    assert _touching(_posed({f"{side}_ankle": (45, 0, 0) for side in ("left", "right")})) == {"left_toe", "right_toe"}


def test_who_sits_kneels_or_lies_touches_with_other_parts():
    legs = {"left_hip": (-90, 0, 0), "right_hip": (-90, 0, 0)}
    assert "seat" in _touching(_posed(legs))
    kneeling = {"left_knee": (90, 0, 0), "right_knee": (90, 0, 0), "left_ankle": (60, 0, 0), "right_ankle": (60, 0, 0)}
    assert {"left_knee", "right_knee"} <= _touching(_posed(kneeling))
    lying = _touching(_posed({"pelvis": (-90, 0, 0)}))
    assert {"back", "seat", "left_heel", "right_heel"} <= lying
    assert "left_toe" not in lying


def test_a_foot_that_moves_does_not_hold():
    motion = _posed({})
    for speed, holds in ((0.2, True), (0.6, False)):
        path_m = torch.arange(12)[:, None] / 30 * torch.tensor([speed, 0.0, 0.0])
        moving = replace(motion, translation_m=motion.translation_m + path_m)
        assert (_touching(moving) == FEET) is holds


def test_who_jumps_or_stands_on_a_table_does_not_touch_the_floor():
    motion = _posed({})
    raised = replace(motion, translation_m=motion.translation_m + torch.tensor([0.0, 0.3, 0.0]))
    assert _touching(raised) == set()


def test_contacts_are_of_the_world():
    with pytest.raises(ValueError, match="world"):
        motion_contacts(replace(_posed({}), frame="camera"), load_body_model("open"))


def test_batches_are_one_by_one_and_single_frames_have_no_speed():
    body, motion = load_body_model("open"), _posed({"left_hip": (-30, 0, 0)})
    point_m = contact_points_m(body, motion.local_rotmat, motion.betas, motion.translation_m)
    clips = torch.stack([point_m, point_m + torch.tensor([0.0, 1.0, 0.0])])
    contact = floor_contacts(clips, point_radii_m(body), 30.0)
    torch.testing.assert_close(contact[0], floor_contacts(clips[0], point_radii_m(body), 30.0))
    assert contact[0].any()
    assert not contact[1].any()
    assert floor_contacts(point_m[:1], point_radii_m(body), 30.0)[0].equal(contact[0, 0])


def test_a_part_has_the_largest_value_of_its_points():
    values = torch.arange(float(len(POINTS))).repeat(2, 1)
    values[1] = -values[1]
    found = of_parts(values)
    toe = [
        i for i, point in enumerate(POINTS) if "left" in (name := JOINTS_AND_LANDMARKS.joints[point]) and "toe" in name
    ]
    assert found[0, PARTS.index("left_toe")] == max(toe)
    assert found[1, PARTS.index("left_toe")] == -min(toe)


def test_the_mean_with_the_mirror_image_has_left_and_right_exchanged_back():
    up = torch.tensor([[math.sin(0.2), -math.cos(0.2), 0.0]])
    contact, of_mirrored = torch.zeros(1, len(PARTS)), torch.zeros(1, len(PARTS))
    contact[0, PARTS.index("left_heel")] = of_mirrored[0, PARTS.index("right_heel")] = 1
    sign = torch.tensor([-1.0, 1.0, 1.0])
    mean = flip_averaged(Ground(up, contact, 30.0), Ground(up * sign, of_mirrored, 30.0))
    torch.testing.assert_close(mean.up, up)
    torch.testing.assert_close(mean.contact, contact)
    output = flip_averaged_output({"up": up, "contact": contact}, {"up": up * sign, "contact": of_mirrored})
    torch.testing.assert_close(output, {"up": up, "contact": contact})
