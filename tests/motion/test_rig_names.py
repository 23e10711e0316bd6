"""The same walk on the rigs of many programs, by the names that they give joints."""

from dataclasses import dataclass

import pytest
import roma
import torch
from body_motions import joints
from paths import WALK_BVH
from rigs import Rig, write_rig

from motionrep.body.kinematics import body_kinematics
from motionrep.body.loading import load_body_model
from motionrep.layouts import SMPL_24
from motionrep.motion.bvh_files import read_bvh
from motionrep.motion.loading import load_motion
from motionrep.motion.retargeting.name_words import joints_by_words
from motionrep.motion.retargeting.skeletons import find_skeleton

_CENTRE = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
_PAIRS = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")
Z_UP = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # file from y up


@dataclass(frozen=True)
class Names:
    """Joints from pelvis to head and those of a side, in the orders above; a dash where a rig has none."""

    centre: str
    pairs: str
    sides: tuple[str, str] = ("Left", "Right")
    prefix: str = ""

    def by_joint(self) -> dict[str, str]:
        found = {ours: name for ours, name in zip(_CENTRE, self.centre.split("|"), strict=True) if name != "-"}
        for side, said in zip(("left", "right"), self.sides, strict=True):
            named = zip(_PAIRS, self.pairs.split("|"), strict=True)
            found |= {f"{side}_{ours}": name.replace("*", said) for ours, name in named if name != "-"}
        return found


LR, lr, lower = ("L", "R"), ("l", "r"), ("left", "right")
_HUMAN_IK = "*UpLeg|*Leg|*Foot|*ToeBase|*Shoulder|*Arm|*ForeArm|*Hand"
RIGS = {
    "Mixamo": Names("Hips|Spine|Spine1|Spine2|Neck|Head", _HUMAN_IK, prefix="mixamorig9:"),
    "Biped": Names("Pelvis|Spine|Spine1|Spine2|Neck|Head",
                   "* Thigh|* Calf|* Foot|* Toe0|* Clavicle|* UpperArm|* Forearm|* Hand", LR, "Bip01 "),
    "Valve": Names("Pelvis|Spine|Spine1|Spine4|Neck1|Head1",
                   "*_Thigh|*_Calf|*_Foot|*_Toe0|*_Clavicle|*_UpperArm|*_Forearm|*_Hand", LR, "ValveBiped.Bip01_"),
    "DAZ Genesis 2": Names("hip|abdomen|abdomen2|chest|neck|head",
                           "*Thigh|*Shin|*Foot|*Toe|*Collar|*Shldr|*ForeArm|*Hand", lr),
    "DAZ Genesis 8": Names("pelvis|abdomenLower|chestLower|chestUpper|neckLower|head",
                           "*ThighBend|*Shin|*Foot|*Toe|*Collar|*ShldrBend|*ForearmBend|*Hand", lr),
    "DAZ Genesis 9": Names("pelvis|spine1|spine2|spine4|neck1|head",
                           "*_thigh|*_shin|*_foot|*_toes|*_shoulder|*_upperarm|*_forearm|*_hand", lr),
    "Rokoko": Names("Hips|Spine|Spine2|Spine3|Neck|Head", "*Thigh|*Shin|*Foot|*Toe|*Shoulder|*Arm|*ForeArm|*Hand"),
    "Xsens": Names("Hips|Chest|Chest3|Chest4|Neck|Head", "*Hip|*Knee|*Ankle|*Toe|*Collar|*Shoulder|*Elbow|*Wrist"),
    "Xsens MVNX": Names("Pelvis|L5|L3|T8|Neck|Head",
                        "*UpperLeg|*LowerLeg|*Foot|*Toe|*Shoulder|*UpperArm|*ForeArm|*Hand"),
    "OptiTrack": Names("Hip|Ab|-|Chest|Neck|Head",
                       "*Thigh|*Shin|*Foot|*Toe|*Shoulder|*UArm|*FArm|*Hand", LR, "Skeleton 001_"),
    "Perception Neuron": Names("Hips|Spine|Spine1|Spine2|Neck|Head",
                               "*UpLeg|*Leg|*Foot|-|*Shoulder|*Arm|*ForeArm|*Hand", prefix="Robot_"),
    "MakeHuman": Names("root|spine05|spine03|spine01|neck01|head",
                       "upperleg01.*|lowerleg01.*|foot.*|-|clavicle.*|upperarm01.*|lowerarm01.*|wrist.*", LR),
    "VRoid": Names("C_Hips|C_Spine|C_Chest|C_UpperChest|C_Neck|C_Head",
                   "*_UpperLeg|*_LowerLeg|*_Foot|*_ToeBase|*_Shoulder|*_UpperArm|*_LowerArm|*_Hand", LR, "J_Bip_"),
    "VRM": Names("hips|spine|chest|upperChest|neck|head",
                 "*UpperLeg|*LowerLeg|*Foot|*Toes|*Shoulder|*UpperArm|*LowerArm|*Hand", lower),
    "Unreal": Names("pelvis|spine_01|spine_02|spine_03|neck_01|head",
                    "thigh_*|calf_*|foot_*|ball_*|clavicle_*|upperarm_*|lowerarm_*|hand_*", lr),
    "Rigify": Names("spine|spine.001|spine.002|spine.003|spine.004|spine.006",
                    "thigh.*|shin.*|foot.*|toe.*|shoulder.*|upper_arm.*|forearm.*|hand.*", LR, "DEF-"),
    "CMU .asf": Names("root|lowerback|upperback|thorax|lowerneck|head",
                      "*femur|*tibia|*foot|*toes|*clavicle|*humerus|*radius|*hand", lr),
    "Vicon": Names("Hips|Spine|Spine1|Spine3|Neck|Head", _HUMAN_IK, prefix="Solving:"),
    "Cascadeur": Names("pelvis|stomach|-|chest|neck|head",
                       "thigh_*|calf_*|foot_*|toe_*|clavicle_*|arm_*|forearm_*|hand_*", lr),
    "DeepMotion": Names("hips_JNT|spine_JNT|spine1_JNT|spine2_JNT|neck_JNT|head_JNT",
                        "*_upleg_JNT|*_leg_JNT|*_foot_JNT|*_toebase_JNT|*_shoulder_JNT|*_arm_JNT|*_forearm_JNT|"
                        "*_hand_JNT", lr),
    "BEAT": Names("Hips|Spine|Spine1|Spine3|Neck|Head", "*UpLeg|*Leg|*Foot|*ToeBase|*Shoulder|*Arm|*Arm1|*Hand", LR),
    "GENEA": Names("b_root|b_spine0|b_spine1|b_spine3|b_neck0|b_head",
                   "b_*_upleg|b_*_leg|b_*_foot|-|b_*_shoulder|b_*_arm|b_*_forearm|b_*_wrist", lr),
    "Character Creator": Names("Pelvis|Waist|Spine01|Spine02|Neck|Head",
                               "*_Thigh|*_Calf|*_Foot|*_ToeBase|*_Clavicle|*_Upperarm|*_Forearm|*_Hand", LR,
                               "CC_Base_"),
    "MikuMikuDance": Names("センター|上半身|上半身2|-|首|頭",
                           "*足|*ひざ|*足首|*つま先|*肩|*腕|*ひじ|*手首", ("左", "右")),
    "MikuMikuDance in English": Names("center|upper body|upper body2|-|neck|head",
                                      "leg_*|knee_*|ankle_*|toe_*|shoulder_*|arm_*|elbow_*|wrist_*", LR),
    "Advanced Skeleton": Names("Root_M|Spine1_M|Spine2_M|Chest_M|Neck_M|Head_M",
                               "Hip_*|Knee_*|Ankle_*|Toes_*|Scapula_*|Shoulder_*|Elbow_*|Wrist_*", LR),
    "Roblox": Names("LowerTorso|UpperTorso|-|-|-|Head", "*UpperLeg|*LowerLeg|*Foot|-|-|*UpperArm|*LowerArm|*Hand"),
    "Second Life": Names("mPelvis|mTorso|-|mChest|mNeck|mHead",
                         "mHip*|mKnee*|mAnkle*|mFoot*|mCollar*|mShoulder*|mElbow*|mWrist*"),
    "ARKit": Names("hips_joint|spine_1_joint|spine_4_joint|spine_7_joint|neck_1_joint|head_joint",
                   "*_upLeg_joint|*_leg_joint|*_foot_joint|*_toes_joint|*_shoulder_1_joint|*_arm_joint|"
                   "*_forearm_joint|*_hand_joint", lower),
    "Azure Kinect": Names("PELVIS|SPINE_NAVEL|-|SPINE_CHEST|NECK|HEAD",
                          "HIP_*|KNEE_*|ANKLE_*|FOOT_*|CLAVICLE_*|SHOULDER_*|ELBOW_*|WRIST_*", ("LEFT", "RIGHT")),
    "Meta": Names("Hips|SpineLower|SpineMiddle|Chest|Neck|Head",
                  "*LegUpper|*LegLower|*FootAnkle|*FootBall|*Shoulder|*ArmUpper|*ArmLower|*HandWrist", prefix="Body_"),
    "iPi": Names("Hip|LowerSpine|MiddleSpine|Chest|Neck|Head",
                 "*Thigh|*Shin|*Foot|*Toe|*Clavicle|*Shoulder|*Forearm|*Hand", LR),
    "VRChat": Names("Hips|Spine|Chest|-|Neck|Head",
                    "* leg|* knee|* ankle|* toe|* shoulder|* arm|* elbow|* wrist"),
    "video to BVH": Names("Hip|Spine|-|Thorax|Neck|Head", "*Hip|*Knee|*Ankle|-|-|*Shoulder|*Elbow|*Wrist"),
    "small letters": Names("hips|spine|spine1|spine2|neck|head",
                           "*upleg|*leg|*foot|*toebase|*shoulder|*arm|*forearm|*hand", lower),
    "SOMA": Names("Hips|Spine1|Spine2|Chest|Neck1|Head",
                  "*Leg|*Shin|*Foot|*ToeBase|*Shoulder|*Arm|*ForeArm|*Hand"),
    "Truebones": Names("Hips|Spine|Spine1|-|Neck|Head",
                       "*UpLeg|*Leg|*Foot|*Toe|*Collar|*UpArm|*LowArm|*Hand"),
    "Second Life's BVH": Names("hip|abdomen|-|chest|neck|head",
                               "*Thigh|*Shin|*Foot|-|*Collar|*Shldr|*ForeArm|*Hand", lr),
    "Biovision": Names("Hips|Chest|-|-|Neck|Head", "*Hip|*Knee|*Ankle|-|*Collar|*Shoulder|*Elbow|*Wrist"),
}  # fmt: skip
_WAYS = (  # zero pose, file from the world, order of rotations, units in a metre, joints above the pelvis
    ("T", torch.eye(3), "ZXY", 100.0, ("Reference",)),
    ("hanging", Z_UP, "XYZ", 1.0, ()),
    ("A", torch.eye(3), "YXZ", 39.37, ("Root",)),
    ("hanging", torch.eye(3), "ZYX", 1000.0, ()),
)


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


@pytest.fixture(scope="module")
def walk(body):
    return load_motion(WALK_BVH).cut(10, 30)


def axes_of(zero_pose: str, world: torch.Tensor) -> dict[str, torch.Tensor]:
    """Joint axes of a figure that stands in the file's world, with its arms out, half down or hanging."""
    axes = dict.fromkeys(SMPL_24.joints, world)
    lowered = {"T": 0.0, "A": 45.0, "hanging": 88.0}[zero_pose]
    for side, sign in (("left", -1.0), ("right", 1.0)):
        down = roma.rotvec_to_rotmat(torch.deg2rad(torch.tensor([0.0, 0.0, sign * lowered])))
        axes |= {f"{side}_{joint}": world @ down for joint in ("shoulder", "elbow", "wrist", "hand")}
    return axes


@pytest.mark.parametrize("way", range(len(_WAYS)))
@pytest.mark.parametrize("program", RIGS)
def test_a_walk_on_the_rig_of_a_program_comes_back(tmp_path, walk, body, program, way):
    zero_pose, world, order, unit, roots = _WAYS[way]
    names = RIGS[program]
    rig = Rig(names.by_joint(), axes_of(zero_pose, world), names.prefix, world, roots, order=order, unit=unit)
    path = write_rig(walk, body, rig, tmp_path / "walk.bvh")
    ours, theirs = (joints(motion, body) for motion in (load_motion(path), walk))
    away_m = ((ours - ours[:, :1]) - (theirs - theirs[:, :1])).norm(dim=-1)
    shown = [SMPL_24.index(joint) for joint in names.by_joint() if not joint.endswith(("foot", "hand", "head"))]
    assert float(away_m[:, shown].max()) < 0.02
    for side in ("left", "right"):
        for start, end in (("knee", "ankle"), ("elbow", "wrist"), ("wrist", "hand")):
            bones = [it[:, SMPL_24.index(f"{side}_{end}")] - it[:, SMPL_24.index(f"{side}_{start}")]
                     for it in (ours, theirs)]  # fmt: skip
            assert float(torch.cosine_similarity(*bones, dim=-1).min()) > 0.996  # 5 degrees


def test_soma_as_kimodo_writes_it(tmp_path, walk, body):
    """motion_to_bvh of nv-tlabs/kimodo, kimodo/exports/bvh.py: a Root at the origin, ZYX, no End Sites, all fingers."""
    fingers = [
        (f"{side.title()}Hand{finger}{part}", f"{side}_wrist", f"{side}_hand")
        for side in ("left", "right") for finger in ("Thumb", "Index", "Middle") for part in ("1", "2", "3", "End")
    ]  # fmt: skip
    extra = (*fingers, ("HeadEnd", "head", "head"), ("Jaw", "head", "head"), ("Neck2", "neck", "head"))
    rig = Rig(RIGS["SOMA"].by_joint(), roots=("Root",), order="ZYX", end=None, extra=extra)
    path = write_rig(walk, body, rig, tmp_path / "walk.bvh")
    assert "End Site" not in path.read_text()
    bvh = read_bvh(path)
    assert find_skeleton(bvh.joints, bvh.parents).name == "soma"
    ours, theirs = (joints(motion, body) for motion in (load_motion(path), walk))
    torch.testing.assert_close(ours - ours[:, :1], theirs - theirs[:, :1], atol=1e-3, rtol=0)


@pytest.mark.parametrize("axes", ["about x", "about y", "about z", "back", "about x, back"])
@pytest.mark.parametrize("zero_pose", ["T", "hanging"])
def test_heads_with_axes_of_their_own_stay_upright(tmp_path, walk, body, zero_pose, axes):
    """The End Site is above the head in the motion, wherever it is in the zero pose."""
    half = torch.pi / 2
    turns = {
        "about x": [half, 0, 0], "about y": [0, half, 0], "about z": [0, 0, half], "back": [0, torch.pi, 0],
        "about x, back": [0, half * 2**0.5, half * 2**0.5],
    }  # fmt: skip
    own = axes_of(zero_pose, torch.eye(3)) | {"head": roma.rotvec_to_rotmat(torch.tensor(turns[axes]))}
    path = write_rig(walk, body, Rig(RIGS["Mixamo"].by_joint(), own), tmp_path / "walk.bvh")
    rest = body.rest_joints(walk.betas)
    ours, theirs = (
        body_kinematics(it.local_rotmat, it.translation_m, rest)[0][:, SMPL_24.index("head")]
        for it in (load_motion(path), walk)
    )
    up_deg = torch.rad2deg(torch.acos((ours[..., 1] * theirs[..., 1]).sum(-1).clamp(-1, 1)))
    assert float(up_deg.mean()) < 40  # how far this walker holds the head off the neck is not told by the file


@pytest.mark.parametrize("axis", [(1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.7, 0.0, 0.7)])
@pytest.mark.parametrize("degrees", [45.0, 60.0, 75.0])
def test_a_head_that_leans_in_the_zero_pose_alone_has_axes_of_its_own(tmp_path, walk, body, axis, degrees):
    """The End Site is above the head in the motion; a head 45 to 75 degrees off was taken for one that leans."""
    few = walk.cut(0, 8)
    head = roma.rotvec_to_rotmat(torch.deg2rad(torch.tensor(degrees)) * torch.tensor(axis))
    rig = Rig(RIGS["Mixamo"].by_joint(), axes_of("T", torch.eye(3)) | {"head": head})
    rest = body.rest_joints(walk.betas)
    ours, theirs = (
        body_kinematics(it.local_rotmat, it.translation_m, rest)[0][:, SMPL_24.index("head")]
        for it in (load_motion(write_rig(few, body, rig, tmp_path / "walk.bvh")), few)
    )
    up_deg = torch.rad2deg(torch.acos((ours[..., 1] * theirs[..., 1]).sum(-1).clamp(-1, 1)))
    assert float(up_deg.mean()) < 10


def test_known_names_keep_their_table_and_words_fill_its_gaps(walk, body, tmp_path):
    names = RIGS["Character Creator"]
    bvh = read_bvh(write_rig(walk, body, Rig(names.by_joint(), prefix=names.prefix), tmp_path / "walk.bvh"))
    found = find_skeleton(bvh.joints, bvh.parents)
    assert found.name == "biped"
    assert found.joints["left_foot"] == "CC_Base_L_ToeBase"  # which 3ds Max calls Toe0


def test_helpers_beside_the_joints_are_left_aside():
    joints = [
        "root",
        "pelvis",
        "thigh_l",
        "thigh_twist_01_l",
        "calf_l",
        "foot_l",
        "ball_l",
        "thigh_r",
        "calf_r",
        "foot_r",
    ]
    parents = [-1, 0, 1, 2, 2, 4, 5, 1, 7, 8]
    joints += ["ik_foot_root", "ik_foot_l", "ik_foot_r", "foot_l end"]
    parents += [0, 10, 10, 5]
    found = joints_by_words(joints, parents)
    assert found is not None
    assert (found["pelvis"], found["left_hip"], found["left_ankle"]) == ("pelvis", "thigh_l", "foot_l")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"calf_l": "x"}, "a shin is missing"),
        ({"calf_l": "foot_l", "foot_l": "calf_l"}, "a foot above its shin"),
        ({"ball_l": "thigh_r"}, "two thighs of a side that stand side by side"),
    ],
)
def test_names_whose_joints_hang_on_each_other_otherwise_are_not_believed(change, why):
    joints = ["pelvis", "thigh_l", "calf_l", "foot_l", "ball_l", "thigh_r", "calf_r", "foot_r"]
    parents = [-1, 0, 1, 2, 3, 0, 5, 6]
    assert joints_by_words(joints, parents) is not None
    assert joints_by_words([change.get(joint, joint) for joint in joints], parents) is None, why
