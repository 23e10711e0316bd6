"""Rigs of other programs that were read wrongly without a word, or refused."""

from dataclasses import replace

import pytest
import roma
import torch
from paths import DATA, WALK_BVH

from motionrep.body.kinematics import body_kinematics
from motionrep.body.loading import load_body_model
from motionrep.cli.main import main
from motionrep.layouts import SMPL_24
from motionrep.motion.bvh_files import BvhMotion, read_bvh
from motionrep.motion.loading import load_motion
from motionrep.motion.readers.bvh import motion_from_bvh
from motionrep.motion.retargeting.checking import angles_deg
from motionrep.motion.retargeting.figure import Skeleton
from motionrep.motion.retargeting.skeletons import SMPL_BODY, find_skeleton
from motionrep.motion.saving import save_motion

RIGS = DATA / "bvh"
Z_UP = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # file from y up


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


def posed(bvh: BvhMotion, body, skeleton=None):
    """World rotations and joints of the body, by name."""
    motion = motion_from_bvh(bvh, body, skeleton)
    rotmat, place_m = body_kinematics(motion.local_rotmat, motion.translation_m, body.rest_joints(motion.betas))
    names = SMPL_24.joints
    return {name: rotmat[:, number] for number, name in enumerate(names)}, {
        name: place_m[:, number] for number, name in enumerate(names)
    }


def angle_deg(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return torch.rad2deg(torch.acos(torch.cosine_similarity(one, other, dim=-1).clamp(-1, 1)))


def in_world(bvh: BvhMotion, turn: torch.Tensor, rest: torch.Tensor | None = None) -> BvhMotion:
    """The motion turned about the world's origin; with `rest`, joints whose axes and zero pose are turned by that."""
    rotmat, position = bvh.local_rotmat.clone(), bvh.local_position.clone()
    rotmat[:, 0], position[:, 0] = turn @ rotmat[:, 0], position[:, 0] @ turn.T
    if rest is None:
        return replace(bvh, local_rotmat=rotmat, local_position=position)
    rotmat[:, 0] = rotmat[:, 0] @ rest.T
    rotmat[:, 1:] = rest @ rotmat[:, 1:] @ rest.T
    position[:, 1:] = position[:, 1:] @ rest.T
    return replace(bvh, local_rotmat=rotmat, local_position=position, offset=bvh.offset @ rest.T)


def about(axis: str, degrees: float) -> torch.Tensor:
    return roma.rotvec_to_rotmat(torch.deg2rad(torch.tensor(degrees)) * torch.eye(3)["xyz".index(axis)])


# Hands and heads


@pytest.mark.parametrize("end", [1.0, 0.0])
def test_hands_go_on_from_arms_that_hang_in_the_zero_pose(body, end):
    """They stuck out by 87 degrees: 20tab/bvh-python test_mocapbank.bvh, AnimatedDrawings cmu1/jumping_jacks.bvh."""
    bvh = read_bvh(RIGS / "arms_hanging.bvh")
    sites = torch.tensor([end if "Wrist end" in joint else 1.0 for joint in bvh.joints])[:, None]
    _, place = posed(replace(bvh, offset=bvh.offset * sites, local_position=bvh.local_position * sites), body)
    for side in ("left", "right"):
        forearm = place[f"{side}_wrist"] - place[f"{side}_elbow"]
        assert float(angle_deg(place[f"{side}_hand"] - place[f"{side}_wrist"], forearm).max()) < 3


def test_a_hand_points_where_its_end_site_does(body):
    """A wrist whose End Site is 20 degrees off the forearm: the body's hand follows it, and bends as it bends."""
    bvh = read_bvh(RIGS / "kicking.bvh")
    wrist, end = bvh.joints.index("LeftHand"), bvh.joints.index("LeftHand end")
    offset, local_position, bent = bvh.offset.clone(), bvh.local_position.clone(), bvh.local_rotmat.clone()
    offset[end] = about("z", -20) @ offset[end]
    local_position[:, end] = offset[end]
    bent[3:, wrist] = about("z", 40) @ bent[3:, wrist]
    moved = replace(bvh, offset=offset, local_position=local_position, local_rotmat=bent)
    _, place = posed(moved, body)
    hand, forearm = place["left_hand"] - place["left_wrist"], place["left_wrist"] - place["left_elbow"]
    expected = torch.tensor([20.0, 20.0, 20.0, 20.0, 20.0, 20.0])
    torch.testing.assert_close(angle_deg(hand, forearm), expected, atol=0.1, rtol=0)
    assert float(angle_deg(hand[2:3], hand[3:4])) == pytest.approx(40, abs=0.1)


def test_a_head_whose_axes_are_not_the_neck_s_stays_upright(body):
    """It lay on the shoulder, following an End Site along its side: AnimatedDrawings rokoko/jesse_dance.bvh."""
    rotmat, _ = posed(read_bvh(RIGS / "head_with_axes_of_its_own.bvh"), body)
    expected = torch.eye(3).expand(len(rotmat["head"]), 3, 3)
    torch.testing.assert_close(rotmat["head"], expected, atol=1e-3, rtol=0)


# Up


@pytest.mark.parametrize("file_up", ["y", "z"])
@pytest.mark.parametrize("yaw_deg", [0, 90, 180, 270])
@pytest.mark.parametrize("face", ["down", "up"])
def test_a_person_who_lies_stays_down_whereto_the_head_points(body, file_up, yaw_deg, face):
    """A person who lay along z was stood up, since the motion alone was asked which way is up."""
    lying = about("y", float(yaw_deg)) @ about("x", 90.0 if face == "down" else -90.0)
    standing = read_bvh(RIGS / "kicking.bvh")
    low = standing.local_position.clone()
    low[:, 0] = torch.tensor([0.0, 0.0, -12.0]) if face == "down" else torch.tensor([0.0, 0.0, 12.0])
    bvh = in_world(replace(standing, local_position=low), lying)
    if file_up == "z":
        bvh = in_world(bvh, Z_UP, Z_UP)
    rotmat, place = posed(bvh, body)
    torch.testing.assert_close(rotmat["pelvis"], lying.expand_as(rotmat["pelvis"]), atol=1e-4, rtol=0)
    assert float(place["pelvis"][:, 1].abs().max()) < 0.5  # on its back, knees bent below it


@pytest.mark.parametrize("up", ["y", "z"])
def test_up_can_be_said(body, up):
    """Somebody lies along z, or stands in a world with z up on joints that stand along y."""
    bvh = in_world(read_bvh(RIGS / "kicking.bvh"), Z_UP)
    _, place = posed(bvh, body, replace(find_skeleton(bvh.joints), up=up))
    towards = place["head"] - place["pelvis"]
    assert float(angle_deg(towards, torch.eye(3)[1]).max()) == pytest.approx(0.0 if up == "z" else 90.0, abs=5)


def test_up_can_be_said_on_the_command_line(tmp_path, capsys):
    arguments = ["convert", str(RIGS / "kicking.bvh"), "--output", str(tmp_path / "m.npz"), "--up", "z"]
    assert main(arguments) == 0
    assert torch.equal(load_motion(tmp_path / "m.npz").local_rotmat, load_motion(arguments[1], up="z").local_rotmat)
    assert not torch.equal(load_motion(arguments[1]).local_rotmat, load_motion(arguments[1], up="z").local_rotmat)
    with pytest.raises(ValueError, match=r"m\.npz: says itself which way is up; remove up='z'"):
        load_motion(tmp_path / "m.npz", up="z")


@pytest.mark.parametrize("command", ["render", "view", "export"])
def test_every_command_that_reads_motions_is_told_what_is_up(tmp_path, command, capsys):
    """`export` has --up for the file that it writes."""
    saved = {"render": "m.gif", "view": "m.html", "export": "m.bvh"}[command]
    out = ["--save" if command == "view" else "--output", str(tmp_path / saved)]
    option = "--source-up" if command == "export" else "--up"
    own = tmp_path / "own.npz"
    save_motion(load_motion(RIGS / "kicking.bvh"), own)
    assert main([command, str(own), *out, option, "z"]) == 2
    assert "says itself which way is up" in capsys.readouterr().err
    if command == "export":
        assert main([command, str(RIGS / "kicking.bvh"), *out, option, "z"]) == 0
        assert not torch.equal(
            load_motion(tmp_path / saved).local_rotmat, load_motion(RIGS / "kicking.bvh").local_rotmat
        )


def test_a_warning_says_where_the_zero_pose_and_the_motion_disagree(body, caplog):
    motion_from_bvh(in_world(read_bvh(RIGS / "kicking.bvh"), about("x", 90.0)), body)
    assert "lies along z in the motion; y is taken for up; say which it is with up=y or up=z (--up)" in caplog.text


# Skeletons


@pytest.mark.parametrize("name", ["smpl_palms", "smpl_letters"])
def test_smpl_s_joints_are_known_by_the_names_people_have(body, name):
    """MoMask and smpl2bvh say Left_palm, the .fbx of SMPL f_avg_L_Hip; all 24 names had to be there in one spelling."""
    bvh = read_bvh(RIGS / "smpl_palms.bvh")
    if name == "smpl_letters":
        short = (joint.replace("Left_", "L_").replace("Right_", "R_").replace("palm", "Hand") for joint in bvh.joints)
        bvh = replace(bvh, joints=tuple(f"f_avg_{joint}" for joint in short))
    assert find_skeleton(bvh.joints).name == name
    motion = motion_from_bvh(bvh, body)
    knee = torch.rad2deg(roma.rotmat_to_rotvec(motion.local_rotmat[:, SMPL_24.index("left_knee")]).norm(dim=-1))
    torch.testing.assert_close(knee, torch.tensor([20.0, 33, 33, 20, 7, 7]), atol=0.1, rtol=0)


def test_smpl_s_names_in_another_zero_pose_are_no_t_pose(body):
    """The arms hang in the zero pose: copied rotations would stretch them out to the sides."""
    bvh = read_bvh(RIGS / "arms_hanging.bvh")
    ours = {theirs: joint for joint, theirs in find_skeleton(bvh.joints).joints.items()}
    named = replace(bvh, joints=tuple(ours.get(joint, joint) for joint in bvh.joints))
    assert find_skeleton(named.joints).name == SMPL_BODY.name
    _, place = posed(named, body)
    assert float(angle_deg(place["left_wrist"] - place["left_shoulder"], -torch.eye(3)[1]).max()) < 1


def test_bones_in_position_channels_are_those_of_offsets(body):
    """Files with OFFSET 0 0 0 throughout: deep-motion-editing, bvhio and GenMM were asked about them."""
    offsets, positions = (
        motion_from_bvh(read_bvh(RIGS / f"kicking{kind}.bvh"), body) for kind in ("", "_in_positions")
    )
    torch.testing.assert_close(positions.local_rotmat, offsets.local_rotmat)
    torch.testing.assert_close(positions.translation_m, offsets.translation_m)


@pytest.mark.parametrize(
    "dropped", [("Neck",), ("Head", "Neck"), ("LeftHand", "RightHand"), ("Spine1", "Spine2"), ("LeftToeBase",)]
)
def test_a_known_rig_may_lack_joints(body, dropped):
    bvh = read_bvh(RIGS / "kicking.bvh")
    renamed = replace(bvh, joints=tuple(f"x{joint}" if joint in dropped else joint for joint in bvh.joints))
    _, place = posed(renamed, body)
    _, whole = posed(bvh, body)
    torch.testing.assert_close(place["left_wrist"], whole["left_wrist"], atol=0.01, rtol=0)
    torch.testing.assert_close(place["right_ankle"], whole["right_ankle"], atol=0.01, rtol=0)


@pytest.mark.parametrize(("pelvis", "expected"), [("Hips", "soma"), ("spine", "rigify"), ("pelvis", "freemocap")])
def test_rigs_of_blender_and_of_nvidia_are_known(pelvis, expected):
    """Names as kimodo's exports/bvh.py, FreeMoCap's Blender add-on and Rigify's human metarig have them."""
    legs = {"soma": "Left{},Right{}", "rigify": "{}.L,{}.R", "freemocap": "{}.L,{}.R"}[expected]
    parts = ("Leg", "Shin", "Foot", "ToeBase") if expected == "soma" else ("thigh", "shin", "foot", "toe")
    joints = [pelvis, *(name for part in parts for name in legs.format(part, part).split(","))]
    assert find_skeleton(("Root", *joints, "Spine1")).name == expected


# What does not turn as its name says


def test_the_pelvis_is_what_the_thighs_hang_on(body):
    """A joint called Hips that never turns, above the one that does: the torso was wrung out."""
    bvh = read_bvh(RIGS / "kicking.bvh")
    turning = about("y", 80.0)
    whole = in_world(bvh, turning)
    still = whole.local_rotmat.clone()
    still[:, 0] = torch.eye(3)
    under = torch.cat([still[:, :1], whole.local_rotmat[:, :1], still[:, 1:]], 1)
    zeros = torch.zeros(len(still), 1, 3)
    parents = (-1, 0, *(parent + 1 for parent in bvh.parents[1:]))
    split = replace(
        bvh, joints=("Hips", "Hips2", *bvh.joints[1:]), parents=parents, local_rotmat=under,
        offset=torch.cat([bvh.offset[:1], zeros[0], bvh.offset[1:]]),
        local_position=torch.cat([whole.local_position[:, :1], zeros, whole.local_position[:, 1:]], 1),
    )  # fmt: skip
    expected, got = posed(whole, body)[0], posed(split, body)[0]
    for joint in ("pelvis", "spine3", "left_hip"):
        torch.testing.assert_close(got[joint], expected[joint], atol=1e-4, rtol=0)


def test_what_points_elsewhere_than_the_file_s_joints_and_cannot_be_turned_is_refused(body):
    """A map that takes the knees for the shoulders cannot be made up for by turning bones about."""
    bvh = read_bvh(WALK_BVH)
    found = find_skeleton(bvh.joints)
    arms = {f"{side}_{joint}" for side in ("left", "right") for joint in ("elbow", "wrist")}
    kept = {ours: theirs for ours, theirs in found.joints.items() if ours not in arms}
    wrong = kept | {"left_shoulder": "lShin", "right_shoulder": "rShin"}
    with pytest.raises(
        ValueError, match=r"compared with the file's joints, torso by 1\d\d degrees off; say which joint"
    ):
        motion_from_bvh(bvh, body, replace(found, joints=wrong, bone_ends={}))


def test_every_frame_of_the_walk_points_as_its_file_does(body):
    bvh = read_bvh(WALK_BVH)
    skeleton = Skeleton(bvh, find_skeleton(bvh.joints))
    angles = angles_deg(posed(bvh, body)[0], skeleton, body.rest_joints(torch.zeros(10)), torch.eye(3))
    assert {"left_hip", "right_elbow", "left_wrist", "hips", "shoulders", "torso"} <= angles.keys()
    assert all(float(angle.max()) < (12 if name == "torso" else 1) for name, angle in angles.items())
