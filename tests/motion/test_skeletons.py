"""Skeletons other than CMU's Daz figure, driven by a known motion of the body, written as BVH and read again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import roma
import torch
from paths import WALK_BVH
from rigs import Rig, write_rig

from motionrep.body.kinematics import body_kinematics
from motionrep.body.loading import load_body_model
from motionrep.cli.main import main
from motionrep.geometry.alignment import smallest_rotation
from motionrep.layouts import SMPL_24
from motionrep.motion.bvh_files import read_bvh
from motionrep.motion.loading import load_motion
from motionrep.motion.readers.bvh import motion_from_bvh
from motionrep.motion.retargeting.skeletons import (
    BANDAI_NAMCO,
    BONE_END,
    CMU_DAZ,
    CMU_MOTIONBUILDER,
    LAFAN1,
    MIXAMO,
    SKELETONS,
    XSENS,
    SkeletonMap,
    find_skeleton,
    read_skeleton,
)
from motionrep.motion.saving import save_motion
from motionrep.types import BodyMotion

FACING_BACK = torch.diag(torch.tensor([-1.0, 1.0, -1.0]))
Z_UP = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # file from y up


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


@pytest.fixture(scope="module")
def walk():
    return load_motion(WALK_BVH, skeleton=replace(CMU_DAZ, wrist_twist="kept")).cut(10)


def errors(motion: BodyMotion, path: Path, body, skeleton: SkeletonMap | None = None) -> dict[str, float]:
    """Of what is read against the truth: world rotations in degrees, joints and vertices from the pelvis in mm."""
    found = skeleton or find_skeleton(read_bvh(path).joints)
    read = load_motion(path, skeleton=replace(found, wrist_twist="kept"))
    rest = body.rest_joints(motion.betas)
    rotmat, joint_m = body_kinematics(motion.local_rotmat, motion.translation_m, rest)
    got_rotmat, got_m = body_kinematics(read.local_rotmat, read.translation_m, rest)
    degrees = torch.rad2deg(roma.rotmat_geodesic_distance(got_rotmat, rotmat)).mean(0)
    frames = slice(0, 50, 10)
    centred = [
        body.vertices(each.local_rotmat[frames], each.betas, each.translation_m[frames]) - place[frames, :1]
        for each, place in ((read, got_m), (motion, joint_m))
    ]
    by_joint = dict(zip(SMPL_24.joints, degrees.tolist(), strict=True))
    return by_joint | {
        "worst_deg": float(degrees.max()),
        "joints_mm": float(((got_m - got_m[:, :1]) - (joint_m - joint_m[:, :1])).norm(dim=-1).mean()) * 1000,
        "vertices_mm": float((centred[0] - centred[1]).norm(dim=-1).mean()) * 1000,
        "path_mm": float((got_m[:, 0] - joint_m[:, 0]).norm(dim=-1).mean()) * 1000,
    }


def fingers(table: SkeletonMap) -> tuple[tuple[str, str, str], ...]:
    """The joints that the hands point to, where the body has its own."""
    return tuple((table.bone_ends[joint], joint, joint.replace("wrist", "hand")) for joint in table.bone_ends)


def random_axes(seed: int) -> dict[str, torch.Tensor]:
    turns = roma.random_rotmat(24, generator=torch.Generator().manual_seed(seed))
    return dict(zip(SMPL_24.joints, turns, strict=True))


def columns(text: str) -> torch.Tensor:
    """Joint axes from the body's: "-y +x +z" says where left, up and front lie in the joint."""
    turn = torch.zeros(3, 3)
    for column, axis in enumerate(text.split()):
        turn["xyz".index(axis[1]), column] = 1.0 if axis[0] == "+" else -1.0
    return turn


_LEFT_LEG, _RIGHT_LEG = "+y -x +z", "+y +x -z"
BANDAI_AXES = {
    "pelvis": "-y +x +z", "spine1": "+z +x +y", "spine2": "+z +x +y", "neck": "+z +x +y", "head": "+z +x +y",
    "left_hip": _LEFT_LEG, "left_knee": _LEFT_LEG, "left_ankle": "+y +z +x", "left_foot": "+y +z +x",
    "right_hip": _RIGHT_LEG, "right_knee": _RIGHT_LEG, "right_ankle": "+y -z -x", "right_foot": "+y -z -x",
} | {f"left_{joint}": "+x +y +z" for joint in ("collar", "shoulder", "elbow", "wrist")} | {
    f"right_{joint}": "+x -y -z" for joint in ("collar", "shoulder", "elbow", "wrist")
}  # fmt: skip


def bandai_axes(body) -> dict[str, torch.Tensor]:
    """As the data set has them, with the limb bones of this body exactly along x."""
    rest = dict(zip(SMPL_24.joints, body.rest_joints(torch.zeros(10)), strict=True))
    axes = {joint: columns(text) for joint, text in BANDAI_AXES.items()}
    for joint, end in BONE_END.items():
        if joint in axes and not joint.endswith(("wrist", "ankle")):
            bone = axes[joint] @ (rest[end] - rest[joint])
            along = torch.zeros(3)
            along[0] = torch.sign(bone[0])
            axes[joint] = smallest_rotation(bone, along) @ axes[joint]
    return axes


@pytest.mark.parametrize("table", [MIXAMO, CMU_MOTIONBUILDER, LAFAN1, XSENS], ids=lambda table: table.name)
@pytest.mark.parametrize(
    ("world", "axes"),
    [(torch.eye(3), torch.eye(3)), (Z_UP, Z_UP), (FACING_BACK, torch.eye(3)), (Z_UP, Z_UP @ FACING_BACK)],
    ids=["y up", "z up", "walks back", "z up, rests facing +y"],
)
def test_a_t_pose_of_any_facing_is_the_reference(tmp_path, walk, body, table, world, axes):
    rig = Rig(table.joints, dict.fromkeys(SMPL_24.joints, axes), "mixamorig:", world, extra=fingers(table))
    path = write_rig(walk, body, rig, tmp_path / "walk.bvh")
    truth = walk
    if world is FACING_BACK:
        truth = replace(walk, local_rotmat=torch.cat([world @ walk.local_rotmat[:, :1], walk.local_rotmat[:, 1:]], 1))
        truth = replace(truth, translation_m=truth.translation_m @ world.mT)  # the open body's pelvis is its origin
    found = errors(truth, path, body)
    assert found["worst_deg"] < 0.05
    assert found["vertices_mm"] < 0.1
    assert found["path_mm"] < 5


@pytest.mark.parametrize("table", [BANDAI_NAMCO, LAFAN1], ids=lambda table: table.name)
def test_a_zero_pose_that_is_no_human_pose_is_made_up_for(tmp_path, walk, body, table):
    axes = bandai_axes(body)
    axes["spine3"] = axes["spine2"]
    rig = Rig(table.joints, axes, roots=("joint_Root",), positions=True, end=0.0)
    found = errors(walk, write_rig(walk, body, rig, tmp_path / "walk.bvh"), body)
    assert found["worst_deg"] < 4
    assert found["joints_mm"] < 0.5
    assert found["vertices_mm"] < 1
    assert found["path_mm"] < 5


@pytest.mark.parametrize("seed", range(3))
def test_joints_with_axes_of_any_kind_still_give_every_bone_its_direction(tmp_path, walk, body, seed):
    """What bones do not show, how far each is turned about itself, is told by elbows and knees to about 30 degrees."""
    rig = Rig(MIXAMO.joints, random_axes(seed), extra=fingers(MIXAMO))
    path = write_rig(walk, body, rig, tmp_path / "walk.bvh")
    found = errors(walk, path, body)
    assert found["joints_mm"] < 1
    assert found["worst_deg"] < 30
    assert max(found[joint] for joint in ("pelvis", "left_knee", "spine3", "left_ankle")) < 5


def test_a_frame_of_the_file_can_be_named_as_the_reference(tmp_path, walk, body):
    standing = replace(walk.cut(0, 1), local_rotmat=torch.eye(3).expand(1, 24, 3, 3))
    both = replace(
        walk,
        local_rotmat=torch.cat([standing.local_rotmat, walk.local_rotmat]),
        translation_m=torch.cat([standing.translation_m, walk.translation_m]),
    )
    rig = Rig(MIXAMO.joints, random_axes(0), extra=fingers(MIXAMO))
    path = write_rig(both, body, rig, tmp_path / "walk.bvh")
    table = replace(find_skeleton(read_bvh(path).joints), reference=0)
    found = errors(both, path, body, table)
    assert found["worst_deg"] < 0.05
    assert found["vertices_mm"] < 0.1
    with pytest.raises(ValueError, match=r"walk\.bvh: reference frame 51 is not one of 51 frames"):
        load_motion(path, skeleton=replace(table, reference=51))


def test_an_a_pose_is_a_reference_too(tmp_path, walk, body):
    """Arms 45 degrees down in the zero pose, in joints with the world's axes: their bones are turned to match."""
    down = {
        f"{side}_{joint}": roma.rotvec_to_rotmat(torch.tensor([0.0, 0.0, angle]))
        for side, angle in (("left", -0.785), ("right", 0.785))
        for joint in ("shoulder", "elbow", "wrist")
    }
    rig = Rig(MIXAMO.joints, down, extra=fingers(MIXAMO))
    found = errors(walk, write_rig(walk, body, rig, tmp_path / "walk.bvh"), body)
    assert found["joints_mm"] < 0.1
    assert found["worst_deg"] < 12  # the body's forearms are not quite straight, so the smallest turn twists them


def test_the_hand_s_world_rotation_survives_the_shared_twist(tmp_path, walk, body):
    rig = Rig(MIXAMO.joints, extra=fingers(MIXAMO))
    path = write_rig(walk, body, rig, tmp_path / "walk.bvh")
    rest = body.rest_joints(walk.betas)
    expected, _ = body_kinematics(walk.local_rotmat, walk.translation_m, rest)
    read = load_motion(path)
    got, _ = body_kinematics(read.local_rotmat, read.translation_m, rest)
    wrist = SMPL_24.index("left_wrist")
    torch.testing.assert_close(got[:, wrist], expected[:, wrist], atol=1e-3, rtol=0)


def test_moving_positions_are_honoured(tmp_path, walk, body):
    """A file whose knee slides 3 cm to the side in some frames: the thigh points to where the knee is."""
    rig = Rig(BANDAI_NAMCO.joints, bandai_axes(body), roots=("joint_Root",), positions=True, end=0.0)
    bvh = read_bvh(write_rig(walk, body, rig, tmp_path / "walk.bvh"))
    knee = bvh.joints.index("LowerLeg_L")
    slid = bvh.local_position.clone()
    slid[20:30, knee, 1] += 3.0
    still, moved = motion_from_bvh(bvh, body), motion_from_bvh(replace(bvh, local_position=slid), body)
    hip = SMPL_24.index("left_hip")
    turned_deg = torch.rad2deg(roma.rotmat_geodesic_distance(still.local_rotmat[:, hip], moved.local_rotmat[:, hip]))
    assert float(turned_deg[20:30].min()) > 3
    assert float(turned_deg[:20].max()) < 1


def test_up_can_be_said_where_the_motion_does_not_show_it(tmp_path, walk, body):
    """Someone who lies along z would be taken for someone who stands in a file with z up."""
    lying = roma.rotvec_to_rotmat(torch.tensor([1.5708, 0.0, 0.0]))
    rig = Rig(MIXAMO.joints, extra=fingers(MIXAMO), world=lying)
    path = write_rig(walk, body, rig, tmp_path / "lying.bvh")
    found = find_skeleton(read_bvh(path).joints)
    stood = load_motion(path)
    lay = load_motion(path, skeleton=replace(found, up="y"))
    head = SMPL_24.index("head")
    height_m = [float(body.joints(m.local_rotmat, m.betas, m.translation_m)[:, head, 1].mean()) for m in (stood, lay)]
    assert height_m[0] > 1.2
    assert height_m[1] < 0.6


# Names


@pytest.mark.parametrize("table", SKELETONS.values(), ids=SKELETONS.keys())
@pytest.mark.parametrize("spelling", ["{}", "mixamorig:{}", "Character1_{}", "mixamorig{}"])
def test_each_known_skeleton_is_found_with_a_prefix_and_in_other_spelling(table, spelling):
    names = dict.fromkeys([*table.joints.values(), *table.bone_ends.values()])
    joints = tuple(spelling.format(name) for name in names)
    found = find_skeleton(joints)
    assert found.joints["left_knee"] == spelling.format(table.joints["left_knee"])
    assert len(found.joints) >= len(table.joints)
    lower = find_skeleton(tuple(joint.lower().replace(" ", "_") for joint in joints))
    assert lower.joints["left_knee"] == found.joints["left_knee"].lower().replace(" ", "_")


def test_the_skeleton_that_uses_most_joints_is_taken():
    joints = tuple(dict.fromkeys([*CMU_MOTIONBUILDER.joints.values(), *CMU_MOTIONBUILDER.bone_ends.values()]))
    assert find_skeleton(joints).name == "cmu_motionbuilder"
    assert find_skeleton(tuple(MIXAMO.joints.values())).name == "mixamo_without_fingers"


def test_two_figures_or_two_spellings_in_a_file_are_an_error():
    joints = tuple(BANDAI_NAMCO.joints.values())
    with pytest.raises(ValueError, match=r"bandai_namco could be read in two ways: b:Hips .*joints are a:Hips"):
        find_skeleton(tuple(f"{prefix}:{joint}" for prefix in "ab" for joint in joints))
    with pytest.raises(ValueError, match="two ways: upperleg_l look like"):
        find_skeleton((*joints, "upperleg_l"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": "Found"}, "reference must be zero, found or a frame, got 'Found'"),
        ({"reference": True}, "reference must be .* got True"),
        ({"up": "w"}, "up must be x, y, z or None, got 'w'"),
        ({"wrist_twist": "none"}, "wrist_twist must be shared or kept, got 'none'"),
        ({"joints": MIXAMO.joints | {"neck": 5}}, "joints must map names to names"),
        ({"joints": ["pelvis"]}, "joints must map names to names"),
        ({"bone_ends": {"left_knee": None}}, "bone_ends must map names to names"),
    ],
)
def test_a_skeleton_says_which_of_its_fields_is_wrong(change, message):
    """As a .json may have them; without the constructor, whose annotations are executed in tests alone."""
    made = object.__new__(SkeletonMap)
    vars(made).update(vars(MIXAMO) | change)
    with pytest.raises(ValueError, match="SkeletonMap 'mixamo': " + message):
        made.__post_init__()


def test_a_skeleton_is_for_bvh_only(tmp_path, walk, capsys):
    save_motion(walk, tmp_path / "walk.npz")
    given = ["--output", str(tmp_path / "out.npz"), "--skeleton", str(tmp_path / "mine.json")]
    assert main(["convert", str(tmp_path / "walk.npz"), *given]) == 2
    assert "--skeleton says how the joints of a .bvh drive the body" in capsys.readouterr().err


def test_a_skeleton_can_be_read_from_json(tmp_path, walk, body, capsys):
    renamed = {ours: f"bone {number}" for number, ours in enumerate(MIXAMO.joints)}
    table = SkeletonMap("mine", renamed, reference="found")
    path = write_rig(walk, body, Rig(table.joints), tmp_path / "walk.bvh")
    arguments = ["convert", str(path), "--output", str(tmp_path / "walk.npz")]
    assert main(arguments) == 2
    assert "--skeleton with a .json" in capsys.readouterr().err
    (tmp_path / "mine.json").write_text(json.dumps({"joints": renamed}))
    assert main([*arguments, "--skeleton", str(tmp_path / "mine.json")]) == 0
    got = load_motion(tmp_path / "walk.npz")
    torch.testing.assert_close(got.local_rotmat[:, :22], load_motion(path, skeleton=table).local_rotmat[:, :22])
    (tmp_path / "mine.json").write_text(json.dumps({"joint": renamed}))
    with pytest.raises(ValueError, match=r"mine\.json: no skeleton of motionrep: "):
        read_skeleton(tmp_path / "mine.json")
