import pytest
import torch

from motionrep.layouts import (
    COCO_17,
    H36M_17,
    HALPE_26,
    LAYOUTS,
    MPI_INF_3DHP_28,
    NTU_25,
    OPENPOSE_18,
    OPENPOSE_25,
    SMPL_24,
    JointLayout,
    find_layout,
    flip_index_tensor,
    h36m_17_weights,
    mirror_name,
    plain_joint_name,
    to_h36m_17,
)

every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
LIMBS = [f"{side}_{joint}" for side in ("left", "right") for joint in
         ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")]  # fmt: skip


def of(layout: JointLayout, points: torch.Tensor, joint: str) -> torch.Tensor:
    return points[..., layout.index(joint), :]


def converted(layout: JointLayout) -> tuple[torch.Tensor, torch.Tensor]:
    """Points that differ from joint to joint, before and after conversion."""
    points = torch.randn(3, layout.joint_count, 2, generator=torch.Generator().manual_seed(0))
    return points, to_h36m_17(points, torch.ones(3, layout.joint_count), layout)[0]


@every_layout
def test_the_name_ends_in_the_joint_count_and_joints_have_distinct_names(layout):
    assert int(layout.name.rpartition("_")[2].rstrip("b")) == layout.joint_count == len(set(layout.joints))
    assert not [joint for joint in layout.joints if "left_" in joint[1:] or "right_" in joint[1:]]


@every_layout
def test_bones_form_trees_over_joints_of_the_layout(layout):
    assert len(layout.parents) == layout.joint_count
    assert set(layout.parents) - {""} <= set(layout.joints)
    for joint in range(layout.joint_count):
        chain = [joint]
        while layout.parent_indices[chain[-1]] >= 0:
            chain.append(layout.parent_indices[chain[-1]])
            assert len(chain) <= layout.joint_count, f"{layout.joints[joint]} is its own ancestor"
    assert len(layout.bones) == sum(parent >= 0 for parent in layout.parent_indices)


@every_layout
def test_mirror_images_pair_left_with_right_and_twice_is_nothing(layout):
    flip = flip_index_tensor(layout)
    assert flip[flip].tolist() == list(range(layout.joint_count))
    for joint, mirrored in zip(layout.joints, flip.tolist(), strict=True):
        assert layout.joints[mirrored] == mirror_name(joint)
        assert (layout.joints[mirrored] == joint) == (not joint.startswith(("left_", "right_")))


@every_layout
def test_mirrored_bones_are_bones(layout):
    flip = layout.flip_indices
    mirrored = {frozenset((flip[joint], flip[parent])) for joint, parent in layout.bones}
    assert mirrored == {frozenset(bone) for bone in layout.bones}


@every_layout
def test_limbs_keep_their_name_in_human36m(layout):
    points, h36m = converted(layout)
    for joint in LIMBS:
        torch.testing.assert_close(of(H36M_17, h36m, joint), of(layout, points, joint))


@every_layout
def test_rows_of_the_conversion_sum_to_one(layout):
    torch.testing.assert_close(h36m_17_weights(layout).sum(1), torch.ones(17))


@every_layout
def test_converting_commutes_with_mirroring(layout):
    points, h36m = converted(layout)
    mirrored = to_h36m_17(points[:, layout.flip_indices], torch.ones(3, layout.joint_count), layout)[0]
    torch.testing.assert_close(mirrored, h36m[:, H36M_17.flip_indices])


@every_layout
def test_a_point_has_the_lowest_confidence_of_what_it_is_made_of(layout):
    confidence = torch.linspace(0.1, 0.9, layout.joint_count).expand(2, -1)
    lowest = to_h36m_17(torch.zeros(2, layout.joint_count, 2), confidence, layout)[1]
    for row, weights in enumerate(h36m_17_weights(layout)):
        assert float(lowest[1, row]) == pytest.approx(float(confidence[1, weights != 0].min()))


@every_layout
def test_a_standing_skeleton_stays_in_order_from_head_to_hip(layout):
    """Heights of a standing person, y down: head above thorax above spine above pelvis."""
    heights = {
        "head_top": 1.0, "head": 0.9, "eye": 0.88, "nose": 0.85, "neck": 0.75, "spine_shoulder": 0.73, "shoulder": 0.72,
        "thorax": 0.72, "spine4": 0.7, "spine3": 0.66, "spine_mid": 0.63, "spine2": 0.62, "spine": 0.6, "spine1": 0.58,
        "head_bottom": 0.75, "upper_neck": 0.77, "belly": 0.6, "spine_chest": 0.65, "spine_navel": 0.57,
        "pelvis": 0.5, "mid_hip": 0.5, "hip": 0.5, "knee": 0.25, "ankle": 0.0,
    }  # fmt: skip
    y = torch.tensor(
        [[-heights.get(joint.removeprefix("left_").removeprefix("right_"), 0.4)] for joint in layout.joints]
    )
    h36m = to_h36m_17(y, torch.ones(layout.joint_count), layout)[0][:, 0]
    order = [float(h36m[H36M_17.index(joint)]) for joint in ("head", "nose", "thorax", "spine", "pelvis", "left_knee")]
    assert order == sorted(order)


def mid(layout, points, *joints):
    return torch.stack([of(layout, points, joint) for joint in joints]).mean(0)


def test_coco_recipe():
    points, h36m = converted(COCO_17)
    hips, shoulders = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")
    torch.testing.assert_close(of(H36M_17, h36m, "pelvis"), mid(COCO_17, points, *hips))
    torch.testing.assert_close(of(H36M_17, h36m, "thorax"), mid(COCO_17, points, *shoulders))
    torch.testing.assert_close(of(H36M_17, h36m, "spine"), mid(COCO_17, points, *hips, *shoulders))
    torch.testing.assert_close(of(H36M_17, h36m, "nose"), of(COCO_17, points, "nose"))
    torch.testing.assert_close(of(H36M_17, h36m, "head"), mid(COCO_17, points, "left_eye", "right_eye"))


def test_mhformer_coco_recipe():
    """Worked by hand: shoulders at y 40, hips at y 90, nose at (52, 20), eyes at y 16; the head turned to the right."""
    points = torch.zeros(17, 2)
    places = {"nose": (52, 20), "eye": (51, 16), "ear": (49, 17), "shoulder": (50, 40), "hip": (50, 90)}
    for part, place in places.items():
        for side in ("left", "right") if part != "nose" else ("",):
            points[COCO_17.index(f"{side}_{part}".lstrip("_"))] = torch.tensor(place, dtype=torch.float32)
    confidence = torch.ones(17)
    confidence[COCO_17.index("left_eye")] = 0
    h36m, seen = to_h36m_17(points, confidence, COCO_17, "mhformer")
    wanted = {
        "pelvis": (50, 90),
        "spine": (50 - 2 / 3, 65),
        "thorax": (50 + 2 / 3, 40 - 20 / 3 + 8 / 3),
        "nose": (51.5, 25),
        "head": (50, 12),
    }
    for joint, place in wanted.items():
        torch.testing.assert_close(h36m[H36M_17.index(joint)], torch.tensor(place, dtype=torch.float32))
    assert {joint for joint, c in zip(H36M_17.joints, seen, strict=True) if c == 0} >= {"thorax", "head"}
    assert seen[H36M_17.index("nose")] == 1
    with pytest.raises(ValueError, match="2D points, got 3 dimensions"):
        to_h36m_17(torch.zeros(17, 3), confidence, COCO_17, "mhformer")


@pytest.mark.parametrize(
    ("layout", "pelvis", "thorax"),
    [
        (HALPE_26, ["hip"], ["neck"]),
        (OPENPOSE_25, ["mid_hip"], ["neck"]),
        (OPENPOSE_18, ["left_hip", "right_hip"], ["neck"]),
        (SMPL_24, ["left_hip", "right_hip"], ["neck"]),
        (NTU_25, ["left_hip", "right_hip"], ["spine_shoulder"]),
        (MPI_INF_3DHP_28, ["pelvis"], ["neck"]),
    ],
    ids=lambda value: value.name if isinstance(value, JointLayout) else None,
)
def test_pelvis_and_thorax_recipes(layout, pelvis, thorax):
    points, h36m = converted(layout)
    torch.testing.assert_close(of(H36M_17, h36m, "pelvis"), mid(layout, points, *pelvis))
    torch.testing.assert_close(of(H36M_17, h36m, "thorax"), mid(layout, points, *thorax))


def test_human36m_is_converted_to_itself():
    points, h36m = converted(H36M_17)
    assert torch.equal(points, h36m)


def test_positions_of_joints_that_files_rely_on():
    """Golden: the field's documented orders."""
    assert [H36M_17.index(joint) for joint in ("pelvis", "right_hip", "left_hip", "thorax", "head")] == [0, 1, 4, 8, 10]
    assert [H36M_17.index(joint) for joint in ("left_shoulder", "right_shoulder", "right_wrist")] == [11, 14, 16]
    assert H36M_17.parent_indices == (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
    assert [COCO_17.index(joint) for joint in ("nose", "left_shoulder", "right_hip", "right_ankle")] == [0, 5, 12, 16]
    assert [HALPE_26.index(joint) for joint in ("head", "neck", "hip", "left_small_toe", "right_heel")] == [
        17,
        18,
        19,
        22,
        25,
    ]
    assert [OPENPOSE_25.index(joint) for joint in ("neck", "mid_hip", "left_hip", "left_small_toe")] == [1, 8, 12, 20]
    assert [OPENPOSE_18.index(joint) for joint in ("right_hip", "left_hip", "left_ear")] == [8, 11, 17]
    assert [SMPL_24.index(joint) for joint in ("left_hip", "right_hip", "neck", "right_hand")] == [1, 2, 12, 23]
    assert [NTU_25.index(joint) for joint in ("left_hip", "right_hip", "spine_shoulder", "right_thumb")] == [
        12,
        16,
        20,
        24,
    ]
    assert [find_layout("mediapipe_33").index(joint) for joint in ("left_shoulder", "right_foot_index")] == [11, 32]
    assert [find_layout("mpi_inf_3dhp_17").index(joint) for joint in ("head_top", "pelvis", "head")] == [0, 14, 16]
    assert [MPI_INF_3DHP_28.index(joint) for joint in ("pelvis", "left_hip", "right_hip", "right_toe")] == [
        4,
        18,
        23,
        27,
    ]


def test_unknown_names_are_answered_with_the_nearest_known_one():
    with pytest.raises(ValueError, match="did you mean 'left_knee'"):
        H36M_17.index("left_kne")
    with pytest.raises(ValueError, match=r"did you mean 'coco_17'\? \(known: h36m_17"):
        find_layout("coco17")


def test_a_layout_without_a_recipe_is_an_error():
    with pytest.raises(ValueError, match=r"no conversion from layout 'hand_2' to h36m_17 \(known.*lack left_shoulder"):
        h36m_17_weights(JointLayout("hand_2", ("wrist", "tip"), ("", "wrist")))


@pytest.mark.parametrize(
    ("plain", "spelled"),
    [
        (
            "left_shoulder",
            "left_shoulder LeftShoulder l_shoulder Left|Shoulder lshoulder shoulder_left LShoulder LEFT_SHOULDER "
            "leftShoulder ShoulderLeft Left-Shoulder L_Sho lsho leftshoulder K4ABT_JOINT_SHOULDER_LEFT "
            "JointType_ShoulderLeft Lt.Shoulder",
        ),
        ("right_knee", "RKnee Rknee r_knee KneeRight right|knee rknee R.Knee"),
        ("left_ear", "LEar lear EAR_LEFT"),
        ("right_ear", "REar rear r_ear"),
        ("left_big_toe", "LBigToe left_big_toe lbigtoe BigToeLeft"),
        ("left_eye_inner", "LEFT_EYE_INNER left|eye|(inner) left_eye_inner"),
        ("left_mouth", "mouth_left MOUTH_LEFT left_mouth"),
        ("pelvis", "pelvis MidHip mid_hip Hip hip root hip_center SpineBase"),
        ("head_top", "head_top HeadTop top_head crown"),
        ("upper_neck", "UpperNeck upper_neck"),
        ("neck", "Neck neck"),
        ("left_thumb1", "left_thumb1"),
        ("face_3", "face-3"),
    ],
)
def test_the_spellings_of_a_joint(plain, spelled):
    assert {plain_joint_name(name.replace("|", " ")) for name in spelled.split()} == {plain}


def test_orders_of_other_projects():
    """Golden: MMPose's dataset files, the README of Halpe-FullBody, OpenPose's poseParameters.cpp, k4abt_joint_id_t."""

    def at(name: str, **places: int) -> None:
        layout = find_layout(name)
        assert {joint: layout.index(joint) for joint in places} == places

    at("crowdpose_14", left_shoulder=0, right_hip=7, right_ankle=11, head_top=12, neck=13)
    at(
        "mpii_16",
        right_ankle=0,
        left_hip=3,
        pelvis=6,
        thorax=7,
        upper_neck=8,
        head_top=9,
        right_wrist=10,
        left_shoulder=13,
    )
    at("jhmdb_15", neck=0, belly=1, head=2, right_shoulder=3, left_hip=6, right_elbow=7, left_ankle=14)
    at("posetrack_17", nose=0, head_bottom=1, head_top=2, left_ear=3, left_shoulder=5, right_ankle=16)
    at("aic_14", right_shoulder=0, left_shoulder=3, right_hip=6, left_ankle=11, head_top=12, neck=13)
    at("openpose_25b", nose=0, left_eye=1, left_shoulder=5, upper_neck=17, head_top=18, left_big_toe=19, right_heel=24)
    at("kinect_azure_32", neck=3, left_shoulder=5, right_shoulder=12, left_hip=18, right_hip=22, head=26, right_ear=31)
    at("kinect_v2_25", left_shoulder=4, left_hip=12, right_hip=16, spine_shoulder=20)
    at(
        "coco_wholebody_133",
        right_ankle=16,
        left_big_toe=17,
        right_heel=22,
        chin=31,
        left_hand_root=91,
        right_hand_root=112,
    )
    at("halpe_136", right_heel=25, chin=34, left_hand_root=94, right_hand_root=115)
    at("halpe_68", right_heel=25, left_hand_root=26, right_hand_root=47)
    face = [
        find_layout("coco_wholebody_133").flip_indices[23 + i] - 23 for i in (0, 17, 27, 31, 36, 41, 48, 55, 60, 67)
    ]
    assert face == [16, 26, 27, 35, 45, 46, 54, 59, 64, 65]


def test_joints_named_as_in_coco_or_human36m_are_enough():
    """CrowdPose's joints as somebody names them: nose between neck and head, the rest from hips and shoulders."""
    limbs = [side + part for part in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle") for side in "LR"]
    layout = JointLayout("mine", (*limbs, "head", "neck"), ("",) * 14)
    points, h36m = converted(layout)
    for joint, sources in {"thorax": ["neck"], "head": ["head"], "nose": ["neck", "head"], "pelvis": ["LHip", "RHip"],
                           "left_knee": ["LKnee"]}.items():  # fmt: skip
        torch.testing.assert_close(of(H36M_17, h36m, joint), mid(layout, points, *sources))
    assert [layout.joints[i] for i in layout.flip_indices][:2] == ["RShoulder", "LShoulder"]


def test_a_joint_that_cannot_be_made_is_unseen():
    layout = JointLayout("trunk_4", ("left_shoulder", "right_shoulder", "left_hip", "right_hip"), ("",) * 4)
    point, confidence = to_h36m_17(torch.ones(4, 2), torch.ones(4), layout)
    seen = {joint for joint, c in zip(H36M_17.joints, confidence, strict=True) if c == 1}
    assert seen == {"pelvis", "spine", "thorax", "left_hip", "right_hip", "left_shoulder", "right_shoulder"}
    assert not point[confidence == 0].any()


def test_a_recipe_says_how_to_make_joints_that_have_other_names():
    joints = ("left_shoulder", "right_shoulder", "a", "b", "c", "front", "back")
    recipe = {"left_hip": {"a": 1.0}, "right_hip": {"b": 1.0}, "head": {"front": 0.75, "back": 0.25}}
    layout = JointLayout("odd", joints, ("",) * 7, recipe)
    points, h36m = converted(layout)
    torch.testing.assert_close(of(H36M_17, h36m, "right_hip"), of(layout, points, "b"))
    torch.testing.assert_close(
        of(H36M_17, h36m, "head"), 0.75 * of(layout, points, "front") + 0.25 * of(layout, points, "back")
    )
    with pytest.raises(ValueError, match="has no joint 'd'"):
        h36m_17_weights(JointLayout("odd", joints, ("",) * 7, {"left_hip": {"d": 1.0}}))


def test_a_joint_of_one_side_alone_has_no_mirror_image():
    with pytest.raises(ValueError, match="'one_hand': left_hand_tip has no partner"):
        _ = JointLayout("one_hand", ("left_wrist", "right_wrist", "left_hand_tip"), ("",) * 3).flip_indices
