"""Joints of markers: by names, by known sets on the skin, by a user's table; from .trc and from .c3d."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from motionrep.body import load_body_model
from motionrep.layouts import HALPE_26, SMPL_24
from motionrep.motion.joint_loading import load_joints
from motionrep.motion.marker_sets import joint_name

SIDES = (("left", "L", "L", 1.0), ("right", "R", "r", -1.0))


def joints_m() -> dict[str, np.ndarray]:
    rest = load_body_model("open").points(SMPL_24, torch.eye(3).expand(1, 24, 3, 3), torch.zeros(10), torch.zeros(3))
    return dict(zip(SMPL_24.joints, rest[0].numpy(), strict=True))


def markers_around(names: dict[str, tuple[str, ...]]) -> dict[str, np.ndarray]:
    """Two markers on either side of a joint, 4 cm apart, or one on it; `names` has SMPL's joints without their side."""
    found, joint_m = {}, joints_m()
    for side, upper, lower, _ in SIDES:
        for joint, markers in names.items():
            middle = joint_m[f"{side}_{joint}"]
            for number, marker in enumerate(markers):
                shift = 0 if len(markers) == 1 else (0.04, -0.04)[number]
                found[marker.format(S=upper, s=lower)] = middle + np.array([shift, 0, 0])
    return found


def pelvis_markers(left: str, right: str, back: str) -> dict[str, np.ndarray]:
    """Markers from which Bell's regression gives hip centres 0.086 m to the side, 0.072 m below, 0.053 m behind."""
    middle = joints_m()["pelvis"]
    return {
        left: middle + np.array([0.12, 0.05, 0.1]),
        right: middle + np.array([-0.12, 0.05, 0.1]),
        back: middle + np.array([0, 0.05, -0.08]),
    }


def trc(path: Path, markers: dict[str, np.ndarray], frames: int = 3, prefix: str = "") -> Path:
    names = [prefix + name for name in markers]
    rows = [f"{frame + 1}\t{frame / 60:.4f}\t" + "\t".join(f"{1000 * number:.4f}" for number in
            np.concatenate(list(markers.values()))) for frame in range(frames)]  # fmt: skip
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"60\t60\t{frames}\t{len(names)}\tmm\t60\t1\t{frames}",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{number + 1}" for number in range(len(names)) for axis in "XYZ"),
        *rows,
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def assert_joints(path: Path, wanted: tuple[str, ...], atol_m: float = 1e-4, **options) -> None:
    motion, confidence = load_joints(path, **options)
    assert motion.layout == SMPL_24
    seen = {joint for joint, there in zip(SMPL_24.joints, confidence[0].tolist(), strict=True) if there}
    assert seen == {f"{side}_{joint}" for side in ("left", "right") for joint in wanted}
    for joint in seen - {"left_hip", "right_hip"}:
        got = motion.position_m[0, SMPL_24.index(joint)].numpy()
        np.testing.assert_allclose(got, joints_m()[joint], atol=atol_m, err_msg=joint)


OPENSIM = {
    "shoulder": ("{S}.Acromium",), "elbow": ("{S}.Elbow",), "wrist": ("{S}.Wrist.Uln", "{S}.Wrist.Rad"),
    "knee": ("{S}.Knee.Lat", "{S}.Knee.Med"), "ankle": ("{S}.Ankle.Lat", "{S}.Ankle.Med"),
    "foot": ("{S}.Toe.Lat", "{S}.Toe.Med"),
}  # fmt: skip
OPENCAP = {
    "shoulder": ("{s}_shoulder_study",), "elbow": ("{s}_lelbow_study", "{s}_melbow_study"),
    "wrist": ("{s}_lwrist_study", "{s}_mwrist_study"), "hip": ("{S}HJC_study",),
    "knee": ("{s}_knee_study", "{s}_mknee_study"), "ankle": ("{s}_ankle_study", "{s}_mankle_study"),
    "foot": ("{s}_toe_study", "{s}_5meta_study"),
}  # fmt: skip
PLUG_IN_GAIT = {
    "shoulder": ("{S}SHO",), "elbow": ("{S}ELB",), "wrist": ("{S}WRA", "{S}WRB"), "knee": ("{S}KNE", "{S}MKNE"),
    "ankle": ("{S}ANK", "{S}MANK"), "foot": ("{S}TOE",),
}  # fmt: skip
ALL = ("hip", "knee", "ankle", "foot", "shoulder", "elbow", "wrist")


def test_opensims_markers(tmp_path, caplog) -> None:
    """Names of gait2392 with dots, as in opensim-org's gait2392_Scale_MarkerSet.xml and the .trc beside it."""
    markers = markers_around(OPENSIM) | pelvis_markers("L.ASIS", "R.ASIS", "V.Sacral")
    markers |= {
        "Sternum": joints_m()["neck"],
        "R.Thigh.Upper": joints_m()["right_hip"],
        "L.Heel": joints_m()["left_foot"],
    }
    assert_joints(trc(tmp_path / "walk.trc", markers), ALL)
    assert "markers of the set OpenSim lie on the skin" in caplog.text


def test_opencaps_markers(tmp_path, caplog) -> None:
    """The markers that OpenCap's and Pose2Sim's network adds: stanfordnmbl/opencap-core, utilsAugmenter.py."""
    assert_joints(trc(tmp_path / "walk.trc", markers_around(OPENCAP) | {"C7_study": joints_m()["neck"]}), ALL)
    assert "markers of the set OpenCap lie on the skin" in caplog.text


def test_vicons_markers_of_a_subject(tmp_path, caplog) -> None:
    """Plug-in Gait in mm, as "Subject:LKNE"."""
    markers = markers_around(PLUG_IN_GAIT) | pelvis_markers("LASI", "RASI", "SACR")
    assert_joints(trc(tmp_path / "walk.trc", markers, prefix="Bob:"), ALL)
    assert "Plug-in Gait" in caplog.text


def test_hips_are_inside_the_pelvis(tmp_path) -> None:
    """Bell et al. 1989: from each front marker 14 % of their distance in, 30 % down and 22 % back."""
    turn = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    markers = markers_around(PLUG_IN_GAIT) | pelvis_markers("LASI", "RASI", "SACR")
    markers = {name: turn @ position for name, position in markers.items()}
    motion, _ = load_joints(trc(tmp_path / "walk.trc", markers))
    for side, *_, sign in SIDES:
        expected = joints_m()["pelvis"] + [sign * (0.12 - 0.14 * 0.24), 0.05 - 0.3 * 0.24, 0.1 - 0.22 * 0.24]
        got = motion.position_m[0, SMPL_24.index(f"{side}_hip")].numpy()
        np.testing.assert_allclose(got, turn @ expected, atol=1e-4)


def test_joints_by_their_names_are_not_doubted(tmp_path, caplog) -> None:
    """Pose2Sim's file with the network's markers behind the detector's joints: the latter are no surface markers."""
    rest = load_body_model("open").points(HALPE_26, torch.eye(3).expand(1, 24, 3, 3), torch.zeros(10), torch.zeros(3))
    short = {"left_": "L", "right_": "R"}
    named = {}
    for joint, position in zip(HALPE_26.joints, rest[0].numpy(), strict=True):
        side = next((it for it in short if joint.startswith(it)), "")
        named[short.get(side, "") + joint.removeprefix(side).title().replace("_", "")] = position
    motion, confidence = load_joints(trc(tmp_path / "walk.trc", named | markers_around(OPENCAP)))
    assert (motion.layout, int(confidence[0].sum())) == (HALPE_26, 26)
    assert not caplog.records


@pytest.mark.parametrize(
    ("marker", "joint"),
    [
        ("RKnee", "right_knee"), ("R.Knee", "right_knee"), ("L_Knee", "left_knee"), ("l_knee", "left_knee"),
        ("RBigToe", "right_big_toe"), ("Neck", "neck"), ("midHip", "mid_hip"), ("left_knee", "left_knee"),
        ("LeftKnee", "left_knee"), ("Right Knee", "right_knee"), ("L.Big.Toe", "left_big_toe"),
    ],
)  # fmt: skip
def test_names_of_markers(marker, joint) -> None:
    assert joint_name(marker) == joint


def test_a_table_says_which_markers_a_joint_lies_between(tmp_path) -> None:
    own = {joint: tuple(f"m{number} {{S}} {joint}" for number in range(2)) for joint in ("hip", "knee", "shoulder")}
    path = trc(tmp_path / "walk.trc", markers_around(own))
    with pytest.raises(ValueError, match=r"no marker is a joint .*--markers table\.json.*m0 L hip"):
        load_joints(path)
    table = {f"{side}_{joint}": [name.format(S=upper) for name in names]
             for side, upper, *_ in SIDES for joint, names in own.items()}  # fmt: skip
    assert_joints(path, ("hip", "knee", "shoulder"), markers=table)
    (tmp_path / "mine.json").write_text(json.dumps(table))
    assert_joints(path, ("hip", "knee", "shoulder"), markers=tmp_path / "mine.json")
    with pytest.raises(ValueError, match=r"walk\.trc: no marker 'm0 L nee' for left_knee; did you mean 'm0 L knee'"):
        load_joints(path, markers={"left_knee": "m0 L nee"})
    with pytest.raises(ValueError, match=r"walk\.trc: table of markers: .* no joint 'left_kne'; did you mean"):
        load_joints(path, markers={"left_kne": "m0 L knee"})
    with pytest.raises(ValueError, match=r"expected the markers of each joint, as \{\"left_knee\""):
        load_joints(path, markers={"left_knee": []})
    (tmp_path / "mine.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"mine\.json: expected the markers of each joint"):
        load_joints(path, markers=tmp_path / "mine.json")


def c3d(path: Path, markers: dict[str, np.ndarray], turn: np.ndarray, up: str) -> Path:
    """As motion capture systems write it, by ezc3d: mm, and the screen's upward axis; one marker is lost in a frame."""
    ezc3d = pytest.importorskip("ezc3d")
    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [120.0]
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    file["parameters"]["POINT"]["LABELS"]["value"] = [f"Bob:{name}" for name in markers]
    points = np.ones((4, len(markers), 5))
    points[:3] = (1000 * turn @ np.stack(list(markers.values()), 1))[..., None]
    points[:3, 0, 2] = np.nan
    file["data"]["points"] = points
    file.add_parameter("POINT", "Y_SCREEN", [up])
    file.write(str(path))
    return path


@pytest.mark.parametrize(("up", "turn"), [("+Z", [[1, 0, 0], [0, 0, -1], [0, 1, 0]]), ("+Y", np.eye(3))])
def test_c3d_is_read_with_its_rate_unit_and_upward_axis(tmp_path, up, turn) -> None:
    markers = markers_around(PLUG_IN_GAIT) | pelvis_markers("LASI", "RASI", "SACR")
    path = c3d(tmp_path / "walk.c3d", markers, np.array(turn, dtype=float), up)
    assert_joints(path, ALL, 1e-3)
    motion, confidence = load_joints(path)
    assert (motion.fps, motion.frame_count, motion.frame) == (120.0, 5, "world")
    assert confidence.sum(1).tolist() == [14, 14, 13, 14, 14]


def test_a_broken_c3d_is_an_error(tmp_path) -> None:
    (tmp_path / "walk.c3d").write_bytes(b"\x02P nothing more")
    with pytest.raises(ValueError, match=r"walk\.c3d: not a whole \.c3d file"):
        load_joints(tmp_path / "walk.c3d")
