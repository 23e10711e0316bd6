"""3D joints from arrays and marker tables: units, axes, what is missing, what is told about wrong files."""

import contextlib

import numpy as np
import pytest
import torch

from motionrep.body import load_body_model
from motionrep.layouts import H36M_17, HALPE_26, NTU_25, SMPL_24, JointLayout
from motionrep.motion.joint_loading import load_joints
from motionrep.motion.saving import save_motion
from motionrep.types import BodyMotion, JointMotion


def person_m(layout: JointLayout, frames: int = 5) -> np.ndarray:
    rest = torch.eye(3).expand(frames, 24, 3, 3)
    return load_body_model("open").points(layout, rest, torch.zeros(10), torch.zeros(3)).numpy()


@pytest.mark.parametrize(("unit", "metres"), [("m", 1.0), ("cm", 0.01), ("mm", 0.001)])
def test_units_become_metres(tmp_path, unit, metres) -> None:
    np.save(tmp_path / "joints.npy", person_m(HALPE_26) / metres)
    motion, confidence = load_joints(tmp_path / "joints.npy", fps=25.0, unit=unit)
    torch.testing.assert_close(motion.position_m, torch.from_numpy(person_m(HALPE_26)), atol=1e-5, rtol=0)
    assert (motion.layout, motion.fps, motion.frame) == (HALPE_26, 25.0, "world")
    assert bool((confidence == 1).all())


def test_a_person_of_1700_metres_is_told_the_unit(tmp_path) -> None:
    np.save(tmp_path / "joints.npy", person_m(HALPE_26) * 1000)
    with pytest.raises(ValueError, match=r"joints span .* m; pass unit=mm \(--unit mm\)"):
        load_joints(tmp_path / "joints.npy")


def test_axes(tmp_path) -> None:
    y_up = person_m(SMPL_24)
    np.save(tmp_path / "joints.npy", np.stack([y_up[..., 0], -y_up[..., 2], y_up[..., 1]], -1))
    motion, _ = load_joints(tmp_path / "joints.npy", axes="z-up")
    torch.testing.assert_close(motion.position_m, torch.from_numpy(y_up), atol=1e-6, rtol=0)
    for axes in ("camera", "root"):
        assert load_joints(tmp_path / "joints.npy", axes=axes)[0].frame == axes


@pytest.mark.parametrize("layout", [SMPL_24, H36M_17, HALPE_26])
@pytest.mark.parametrize(("order", "sign", "axis"), [((0, 1, 2), -1, "-y"), ((0, 2, 1), 1, r"\+z")])
def test_who_stands_along_another_axis_is_asked_for_it(tmp_path, layout, order, sign, axis) -> None:
    """Camera axes were taken for y up and the fit stood on its head, with small errors."""
    np.save(tmp_path / "joints.npy", sign * person_m(layout)[..., order])
    with pytest.raises(ValueError, match=f"joints stand along {axis},.*--axes camera"):
        load_joints(tmp_path / "joints.npy", layout.name)
    for axes in ("y-up", "camera"):
        load_joints(tmp_path / "joints.npy", layout.name, axes=axes)


def test_an_unknown_frame_rate_is_said_and_one_that_is_not_positive_refused(tmp_path, caplog) -> None:
    np.save(tmp_path / "joints.npy", person_m(HALPE_26))
    assert load_joints(tmp_path / "joints.npy")[0].fps == 30
    assert "joints.npy does not say its frame rate; taking 30" in caplog.text
    np.savez(tmp_path / "joints.npz", joints=person_m(HALPE_26), fps=0)
    for path, fps in (("joints.npy", 0.0), ("joints.npy", -5.0), ("joints.npz", None)):
        with pytest.raises(ValueError, match=r"joints\.np.*fps must be a positive number"):
            load_joints(tmp_path / path, fps=fps)


def test_missing_joints_have_no_confidence(tmp_path) -> None:
    values = person_m(HALPE_26)
    values[2, 7] = np.nan
    np.savez(tmp_path / "joints.npz", joints=values, confidence=np.full(values.shape[:2], 0.5), fps=50)
    motion, confidence = load_joints(tmp_path / "joints.npz")
    assert motion.fps == 50
    assert confidence[2, 7:9].tolist() == [0, 0.5]
    assert bool((motion.position_m[2, 7] == 0).all())
    np.save(tmp_path / "joints.npy", np.concatenate([values, np.ones((5, 26, 1))], -1))
    assert load_joints(tmp_path / "joints.npy")[1][2, 7] == 0


def test_a_number_of_joints_that_two_layouts_have_asks_for_the_layout(tmp_path) -> None:
    np.save(tmp_path / "joints.npy", person_m(NTU_25))
    with pytest.raises(ValueError, match=r"25 joints, .* pass layout= \(openpose_25, ntu_25"):
        load_joints(tmp_path / "joints.npy")
    assert load_joints(tmp_path / "joints.npy", "ntu_25")[0].layout == NTU_25
    with pytest.raises(ValueError, match="has 25 joints, layout 'h36m_17' has 17"):
        load_joints(tmp_path / "joints.npy", "h36m_17")
    with pytest.raises(ValueError, match="unknown layout 'ntu25'; did you mean 'ntu_25'"):
        load_joints(tmp_path / "joints.npy", "ntu25")


def test_marker_tables_are_read_by_name(tmp_path) -> None:
    values = person_m(HALPE_26, 3)
    short = {"left_": "L", "right_": "R"}
    names = []
    for joint in HALPE_26.joints:
        side = next((side for side in short if joint.startswith(side)), "")
        names.append(short.get(side, "") + "".join(word.title() for word in joint.removeprefix(side).split("_")))
    lines = [
        "PathFileType\t4\t(X/Y/Z)\tclip.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        "60\t60\t3\t26\tmm\t60\t1\t3",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{number + 1}" for number in range(26) for axis in "XYZ"),
    ]
    for frame, row in enumerate(values):
        cells = [f"{1000 * number:.4f}" for number in row.ravel()]
        if frame == 1:
            cells[:3] = ["", "", ""]
        lines.append(f"{frame + 1}\t{frame / 60:.4f}\t" + "\t".join(cells))
    path = tmp_path / "clip.trc"
    path.write_text("\n".join(lines) + "\n")
    motion, confidence = load_joints(path)
    assert (motion.layout, motion.fps) == (HALPE_26, 60.0)
    torch.testing.assert_close(motion.position_m[0], torch.from_numpy(values[0]), atol=1e-5, rtol=0)
    assert confidence.sum(1).tolist() == [26, 25, 26]
    path.write_text("\n".join(lines[:4]))
    with pytest.raises(ValueError, match=r"clip.trc: expected frames in m, cm or mm, got 0 frames"):
        load_joints(path)
    path.write_text("no table\n")
    with pytest.raises(ValueError, match=r"clip.trc: not a .trc marker table; expected DataRate"):
        load_joints(path)


def test_own_files_are_read_as_saved(tmp_path) -> None:
    saved = JointMotion(torch.from_numpy(person_m(H36M_17)), H36M_17, 30.0, "root")
    save_motion(saved, tmp_path / "pose.npz")
    motion, _ = load_joints(tmp_path / "pose.npz")
    assert torch.equal(motion.position_m, saved.position_m)
    assert (motion.layout, motion.frame) == (H36M_17, "root")
    with pytest.raises(ValueError, match="says itself what it holds; leave unit out"):
        load_joints(tmp_path / "pose.npz", unit="mm")


def test_a_flipped_byte_anywhere_is_an_error_and_no_crash(tmp_path) -> None:
    """zlib, zipfile and NumPy's header each raise errors of their own."""
    np.savez_compressed(tmp_path / "joints.npz", joints=person_m(H36M_17, 1))
    np.save(tmp_path / "joints.npy", person_m(H36M_17, 1))
    for name, size in (("joints.npz", None), ("joints.npy", 128)):
        path = tmp_path / name
        whole = path.read_bytes()
        for position in range(0, size or len(whole), 2):
            damaged = bytearray(whole)
            damaged[position] ^= 0x41
            path.write_bytes(damaged)
            with contextlib.suppress(ValueError):
                load_joints(path, fps=30.0)


def test_files_that_hold_no_joints(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_joints(tmp_path / "none.npy")
    (tmp_path / "a.csv").write_text("1,2,3")
    with pytest.raises(ValueError, match=r"a\.csv: is a \.csv file .*, not joint positions of a kind"):
        load_joints(tmp_path / "a.csv")
    np.save(tmp_path / "flat.npy", np.zeros((5, 78)))
    with pytest.raises(ValueError, match=r"array of shape \(5, 78\) of float64, not .*\(frames, joints, 3 or 4\)"):
        load_joints(tmp_path / "flat.npy")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"array of shape .* of Python objects, which are never unpickled"):
        load_joints(tmp_path / "objects.npy")
    np.save(tmp_path / "nothing.npy", np.full((5, 26, 3), np.nan))
    with pytest.raises(ValueError, match="no joint is there in any frame"):
        load_joints(tmp_path / "nothing.npy")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match=r"not a readable .npz"):
        load_joints(tmp_path / "cut.npz")
    rest = torch.eye(3).expand(2, 24, 3, 3)
    save_motion(BodyMotion(rest, torch.zeros(2, 3), torch.zeros(10), "open", 30.0, "world"), tmp_path / "body.npz")
    with pytest.raises(ValueError, match=r"body\.npz: holds a motion \(motionrep body motion\)"):
        load_joints(tmp_path / "body.npz")
