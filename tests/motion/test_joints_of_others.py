"""Joints as other programs write them: HumanML3D, MDM, T2M-GPT, MoMask, SAM 3D Body."""

import pickle

import numpy as np
import pytest
import torch

from motionrep.body import load_body_model
from motionrep.cli.main import main
from motionrep.layouts import HALPE_26, SMPL_24, JointLayout
from motionrep.motion.joint_loading import load_joints
from motionrep.motion.loading import load_motion


def person_m(layout: JointLayout, frames: int = 4, shift_m: float = 0.9) -> np.ndarray:
    """Somebody at rest, the pelvis about `shift_m` above the ground."""
    rest = torch.eye(3).expand(frames, 24, 3, 3)
    points = load_body_model("open").points(layout, rest, torch.zeros(10), torch.zeros(3)).numpy()
    return points + np.array([0, shift_m, 0], dtype=np.float32)


BODY = slice(0, 22)


def mdm(samples: int = 1, frames: int = 4) -> dict[str, object]:
    """`results.npy` of GuyTevet/motion-diffusion-model, sample/generate.py: samples x 22 x 3 x frames, and lengths."""
    one = person_m(SMPL_24, frames)[:, BODY].transpose(1, 2, 0)
    return {
        "motion": np.stack([one + number for number in range(samples)]),
        "text": [f"person {number} stands" for number in range(samples)],
        "lengths": np.arange(frames, frames - samples, -1),
        "num_samples": samples,
        "num_repetitions": 1,
    }


def test_humanml3d_is_read_at_its_frame_rate_and_says_so(tmp_path, caplog) -> None:
    """EricGuo5513/HumanML3D: new_joints has SMPL's first 22 joints, metres, y up, 20 frames/s by convention."""
    np.save(tmp_path / "012314.npy", person_m(SMPL_24)[:, BODY])
    motion, confidence = load_joints(tmp_path / "012314.npy")
    assert (motion.layout, motion.fps, motion.frame) == (SMPL_24, 20.0, "world")
    assert "012314.npy does not say its frame rate; taking 20 frames per second, as HumanML3D" in caplog.text
    np.testing.assert_allclose(motion.position_m[:, BODY], person_m(SMPL_24)[:, BODY], atol=1e-6)
    assert confidence[0].tolist() == [1.0] * 22 + [0.0] * 2
    assert load_joints(tmp_path / "012314.npy", fps=25)[0].fps == 25


def test_the_fingers_of_52_joints_are_left_out(tmp_path) -> None:
    """HumanML3D's joints/ has SMPL-H's 52: the body's 22 and two hands of 15."""
    hands = np.zeros((4, 30, 3), np.float32)
    np.save(tmp_path / "012314.npy", np.concatenate([person_m(SMPL_24)[:, BODY], hands], 1))
    motion, confidence = load_joints(tmp_path / "012314.npy")
    assert (motion.layout, confidence[0].tolist()) == (SMPL_24, [1.0] * 22 + [0.0] * 2)


def test_samples_of_t2m_gpt(tmp_path) -> None:
    """Mael-zys/T2M-GPT saves motion.npy as (samples, frames, 22, 3)."""
    np.save(tmp_path / "motion.npy", np.stack([person_m(SMPL_24)[:, BODY]] * 2) + np.array([0, 1])[:, None, None, None])
    with pytest.raises(ValueError, match=r"motion\.npy: holds 2 samples; choose one with person= \(--person\), 0 to 1"):
        load_joints(tmp_path / "motion.npy")
    first, second = (load_joints(tmp_path / "motion.npy", person=person)[0].position_m for person in (0, 1))
    torch.testing.assert_close(second[:, BODY], first[:, BODY] + 1)
    np.save(tmp_path / "one.npy", person_m(SMPL_24)[None, :, BODY])
    assert load_joints(tmp_path / "one.npy")[0].frame_count == 4


def test_results_of_mdm_are_read_without_running_them(tmp_path) -> None:
    np.save(tmp_path / "results.npy", np.array(mdm(3)), allow_pickle=True)
    with pytest.raises(ValueError, match=r"holds 3 samples \(0: person 0 stands, 1: person 1 stands, .*choose one"):
        load_joints(tmp_path / "results.npy")
    motion, _ = load_joints(tmp_path / "results.npy", person=2)
    assert (motion.frame_count, motion.fps, motion.layout) == (2, 20.0, SMPL_24)  # `lengths` says 2 of 4 frames
    np.testing.assert_allclose(motion.position_m[:, BODY], person_m(SMPL_24)[:2, BODY] + 2, atol=1e-5)
    with pytest.raises(ValueError, match="so person must be 0 to 2"):
        load_joints(tmp_path / "results.npy", person=3)


def test_somebody_who_lies_in_mdms_world_is_not_doubted(tmp_path) -> None:
    """The world of its results has y up, so nobody has to say so."""
    content = mdm()
    content["motion"] = content["motion"][:, :, [0, 2, 1]]
    np.save(tmp_path / "results.npy", np.array(content), allow_pickle=True)
    assert load_joints(tmp_path / "results.npy")[0].frame == "world"


def test_mdm_of_actions_has_24_joints(tmp_path) -> None:
    """model/rotation2xyz.py with jointstype="smpl" gives SMPL's 24; nothing says which way is up."""
    one = person_m(SMPL_24).transpose(1, 2, 0)[None]
    np.save(tmp_path / "results.npy", np.array(mdm() | {"motion": one}), allow_pickle=True)
    motion, confidence = load_joints(tmp_path / "results.npy")
    np.testing.assert_allclose(motion.position_m, person_m(SMPL_24), atol=1e-6)
    assert bool((confidence == 1).all())
    np.save(tmp_path / "results.npy", np.array(mdm() | {"motion": -one}), allow_pickle=True)
    with pytest.raises(ValueError, match="axes"):
        load_joints(tmp_path / "results.npy")


# HumanML3D's features


def features(place_m: np.ndarray, heading_rad: np.ndarray) -> np.ndarray:
    """extract_features of EricGuo5513/HumanML3D, motion_representation.ipynb, as far as joints need it."""

    def ahead(vectors: np.ndarray, heading_rad: np.ndarray) -> np.ndarray:
        sine, cosine = (it(heading_rad).reshape(-1, *[1] * (vectors.ndim - 2)) for it in (np.sin, np.cos))
        x, y, z = np.moveaxis(vectors, -1, 0)
        return np.stack([cosine * x - sine * z, y, sine * x + cosine * z], -1)

    local = ahead(place_m - place_m[:, :1] * [1, 0, 1], heading_rad)
    found = np.zeros((len(place_m) - 1, 263), np.float32)
    found[:, 0] = -np.diff(heading_rad) / 2
    found[:, 1:3] = ahead(np.diff(place_m[:, 0], axis=0), heading_rad[1:])[:, [0, 2]]
    found[:, 3] = place_m[:-1, 0, 1]
    found[:, 4:67] = local[:-1, 1:].reshape(len(found), -1)
    return found


def test_humanml3d_features_give_the_joints(tmp_path, caplog) -> None:
    """The first frame is at the origin and faces z in such files."""
    frames = 30
    heading_rad = np.linspace(0, 2.5, frames) ** 2
    facing = np.stack([np.sin(heading_rad), 0 * heading_rad, np.cos(heading_rad)], -1)
    path_m = np.concatenate([np.zeros((1, 3)), facing[:-1].cumsum(0) * 0.05])
    sine, cosine = np.sin(heading_rad)[:, None], np.cos(heading_rad)[:, None]
    x, y, z = np.moveaxis(person_m(SMPL_24, frames)[:, BODY].astype(np.float64), -1, 0)
    place_m = np.stack([cosine * x + sine * z, y, cosine * z - sine * x], -1) + path_m[:, None]
    place_m -= place_m[:1, :1] * [1, 0, 1]
    numbers = features(place_m, heading_rad)
    np.save(tmp_path / "012314.npy", numbers)
    motion, confidence = load_joints(tmp_path / "012314.npy")
    assert (motion.layout, motion.fps, motion.frame) == (SMPL_24, 20.0, "world")
    assert "taking 20 frames per second, as HumanML3D" in caplog.text
    np.testing.assert_allclose(motion.position_m[:, BODY], place_m[:-1], atol=1e-4)
    assert confidence[0].tolist() == [1.0] * 22 + [0.0] * 2
    spread = numbers.std(0) + 0.05
    np.save(tmp_path / "normalised.npy", (numbers - numbers.mean(0)) / spread)
    with pytest.raises(ValueError, match=r"normalised\.npy: .*give no body in metres .*Std\.npy and add Mean\.npy"):
        load_joints(tmp_path / "normalised.npy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"motion": np.zeros((1, 25, 6, 4))},
            r"expected 'motion' \(samples, 22 or 24, 3, frames\), got \(1, 25, 6, 4\)",
        ),
        ({"lengths": np.array([9])}, "sample 0 should have 9 frames, 'motion' has 4"),
        ({"lengths": np.array([4, 4])}, "1 samples in 'motion', 2 in 'lengths'"),
        ({"motion": "none"}, "'motion' is no array that can be read"),
    ],
)
def test_other_results_are_refused_by_what_they_hold(tmp_path, change, message) -> None:
    np.save(tmp_path / "results.npy", np.array(mdm() | change), allow_pickle=True)
    with pytest.raises(ValueError, match=rf"results\.npy: .*{message}"):
        load_joints(tmp_path / "results.npy")


def test_a_dict_that_asks_to_run_something_is_refused(tmp_path) -> None:
    class Hostile:
        def __reduce__(self):
            return eval, ("1 / 0",)

    np.save(tmp_path / "results.npy", np.array({"motion": Hostile(), "lengths": 1}), allow_pickle=True)
    with pytest.raises(ValueError, match=r"results\.npy: .*asks to import builtins\.eval.*nothing was run"):
        load_joints(tmp_path / "results.npy")


@pytest.mark.parametrize("name", ["new_joints.npy", "results.npy"])
def test_fit_makes_a_body_of_them(tmp_path, capsys, name) -> None:
    """`motionrep fit new_joints.npy` must just work; the joints are the open body's own, so errors are small."""
    content = person_m(SMPL_24)[:, BODY] if name == "new_joints.npy" else np.array(mdm())
    np.save(tmp_path / name, content, allow_pickle=True)
    output = tmp_path / "body.npz"
    assert main(["fit", str(tmp_path / name), "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    assert "left_hand            never seen" in printed
    assert float(printed.split("mean")[1].split("mm")[0]) < 8
    motion = load_motion(output)
    assert (motion.frame_count, motion.fps) == (4, 20.0)
    joint_m = load_body_model("open").joints(motion.local_rotmat, motion.betas, motion.translation_m)
    error_m = (joint_m - torch.from_numpy(person_m(SMPL_24)))[:, BODY].norm(dim=-1)
    assert float(error_m.mean()) < 0.008


def test_render_and_convert_name_fit(tmp_path, capsys) -> None:
    path = tmp_path / "new_joints.npy"
    np.save(path, person_m(SMPL_24)[:, BODY])
    for arguments in (["convert", str(path), "--output", str(tmp_path / "a.npz")],
                      ["render", str(path), "--output", str(tmp_path / "a.mp4")]):  # fmt: skip
        assert main(arguments) == 2
        assert f"motionrep fit {path} --output body.npz" in capsys.readouterr().err


@pytest.mark.parametrize(("numbers", "said"), [(72, "an .npz with poses, trans and mocap")])
def test_arrays_that_are_no_joints_say_what_to_do(tmp_path, numbers, said) -> None:
    np.save(tmp_path / "012314.npy", np.zeros((4, numbers)))
    with pytest.raises(ValueError, match=rf"an array of shape \(4, {numbers}\) of float64, not joint .*{said}"):
        load_joints(tmp_path / "012314.npy")


# SAM 3D Body


def sam3d_person(number: int, depth_m: float = 3.0) -> dict[str, object]:
    """What process_one_image of facebookresearch/sam-3d-body returns of a person, in sam_3d_body_estimator.py.

    The 70 keypoints are in the order of sam_3d_body/metadata/mhr70.py; camera axes, and the place is apart.
    """
    halpe = dict(zip(HALPE_26.joints, person_m(HALPE_26, 1, 0.0)[0] * np.array([1, -1, -1]), strict=True))
    keypoints = np.full((70, 3), 7.0, dtype=np.float32)
    order = [joint for joint in HALPE_26.joints if not joint.endswith("wrist")][:15]
    order += [f"{side}_{it}" for side in ("left", "right") for it in ("big_toe", "small_toe", "heel")]
    for index, joint in enumerate(order):
        keypoints[index] = halpe[joint]
    keypoints[41], keypoints[62], keypoints[69] = halpe["right_wrist"], halpe["left_wrist"], halpe["neck"]
    return {
        "bbox": np.zeros(4), "focal_length": np.float32(1000), "pred_keypoints_3d": keypoints,
        "pred_keypoints_2d": np.zeros((70, 2)), "pred_cam_t": np.array([0.1 * number, 0.2, depth_m], np.float32),
        "mask": None, "body_pose_params": np.zeros(133),
    }  # fmt: skip


def expected_sam3d_m(frames: int) -> np.ndarray:
    place = np.stack([[0.1 * number, 0.2, 3.0] for number in range(frames)])
    return person_m(HALPE_26, frames, 0.0) * np.array([1, -1, -1]) + place[:, None]


SEEN = [index for index, joint in enumerate(HALPE_26.joints) if joint not in ("head", "hip")]


@pytest.mark.parametrize("container", ["list of frames", "dict of frames", "npy", "npz"])
def test_sam3d_body_in_the_camera(tmp_path, container) -> None:
    count = 12  # the names of ten frames and more are not in the order of letters
    frames = [[sam3d_person(number)] for number in range(count)]
    path = tmp_path / "results.pkl"
    match container:
        case "list of frames":
            path.write_bytes(pickle.dumps(frames))
        case "dict of frames":
            path.write_bytes(pickle.dumps({f"v2_{number}.jpg": frame for number, frame in enumerate(frames)}))
        case "npy":
            path = tmp_path / "results.npy"
            np.save(path, np.array(dict(enumerate(frames))), allow_pickle=True)
        case "npz":
            path = tmp_path / "results.npz"
            names = ("pred_keypoints_3d", "pred_cam_t")
            np.savez(path, **{name: np.stack([frame[0][name] for frame in frames]) for name in names})
    motion, confidence = load_joints(path, fps=25)
    assert (motion.layout, motion.frame, motion.fps) == (HALPE_26, "camera", 25.0)
    assert confidence[0].nonzero()[:, 0].tolist() == SEEN
    np.testing.assert_allclose(motion.position_m[:, SEEN], expected_sam3d_m(count)[:, SEEN], atol=1e-5)


def test_sam3d_body_of_several_persons(tmp_path, caplog) -> None:
    frames = [[sam3d_person(0), sam3d_person(0, 5.0)], [sam3d_person(1)], [], [sam3d_person(3, 5.2), sam3d_person(3)]]
    (tmp_path / "results.pkl").write_bytes(pickle.dumps(frames))
    with pytest.raises(ValueError, match="holds 2 persons; choose one"):
        load_joints(tmp_path / "results.pkl")
    motion, confidence = load_joints(tmp_path / "results.pkl", person=1, fps=30)
    assert "does not say who is who; 2 persons are followed by where they are" in caplog.text
    assert confidence.sum(1).tolist() == [24, 0, 0, 24]
    assert bool((motion.position_m[[0, 3], 0, 2] > 4).all())  # also where the list has them the other way round
    (tmp_path / "results.pkl").write_bytes(pickle.dumps([[{"pred_keypoints_3d": np.zeros((18, 3)), "pred_cam_t": 0}]]))
    with pytest.raises(ValueError, match=r"expected pred_keypoints_3d \(70, 3\) and pred_cam_t \(3\)"):
        load_joints(tmp_path / "results.pkl", fps=30)
