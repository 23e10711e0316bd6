import dataclasses
from fractions import Fraction

import jaxtyping
import numpy as np
import pytest
import torch

from motionrep.layouts import COCO_17, H36M_17
from motionrep.types import ActionScores, BodyMotion, JointMotion, Keypoints, MeshMotion, MotionEmbedding


@pytest.fixture(autouse=True)
def annotations_as_users_run_them(monkeypatch):
    """Not executed, so that wrong shapes reach the checks that users see."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def keypoints(frames=4, layout=COCO_17, **changes):
    generator = torch.Generator().manual_seed(0)
    fields = {
        "xy_px": torch.rand(frames, layout.joint_count, 2, generator=generator) * 100,
        "confidence": torch.rand(frames, layout.joint_count, generator=generator),
        "layout": layout,
        "fps": 25.0,
        "width_px": 640,
        "height_px": 480,
        "person": "7",
    }
    return Keypoints(**(fields | changes))


def body_motion(**changes):
    fields = {
        "local_rotmat": torch.eye(3).expand(5, 24, 3, 3).clone(),
        "translation_m": torch.zeros(5, 3),
        "betas": torch.zeros(10),
        "body_model": "open",
        "fps": 30.0,
        "frame": "camera",
    }
    return BodyMotion(**(fields | changes))


def with_value(tensor, index, value):
    tensor = tensor.clone()
    tensor[index] = value
    return tensor


def test_a_clip_of_one_frame_is_a_clip():
    assert keypoints(1).frame_count == 1


def test_keypoints_in_human36m_order_keep_everything_else():
    clip = keypoints()
    h36m = clip.as_h36m_17()
    assert h36m.layout == H36M_17
    assert (h36m.fps, h36m.width_px, h36m.height_px, h36m.person) == (25.0, 640, 480, "7")
    left_knee = COCO_17.index("left_knee"), H36M_17.index("left_knee")
    assert torch.equal(h36m.xy_px[:, left_knee[1]], clip.xy_px[:, left_knee[0]])
    assert torch.equal(h36m.confidence[:, left_knee[1]], clip.confidence[:, left_knee[0]])
    assert h36m.as_h36m_17() is h36m


def test_an_unseen_hip_makes_the_pelvis_unseen():
    clip = keypoints(confidence=with_value(torch.ones(4, 17), (2, COCO_17.index("left_hip")), 0))
    assert clip.as_h36m_17().confidence[:, H36M_17.index("pelvis")].tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"xy_px": torch.zeros(4, 25, 2)}, "Keypoints.xy_px: expected shape any x 17 x 2, got 4 x 25 x 2"),
        ({"confidence": torch.ones(3, 17)}, "Keypoints.confidence: expected shape 4 x 17, got 3 x 17"),
        ({"xy_px": torch.zeros(0, 17, 2), "confidence": torch.zeros(0, 17)}, "at least one"),
        ({"xy_px": with_value(torch.zeros(4, 17, 2), (1, 2, 0), torch.nan)}, r"xy_px: 1 values .* index \(1, 2, 0\)"),
        ({"confidence": with_value(torch.ones(4, 17), (3, 5), torch.inf)}, r"confidence: 1 values .* index \(3, 5\)"),
        ({"confidence": with_value(torch.ones(4, 17), (3, 5), -0.5)}, "confidence must be 0 .* got -0.5"),
        ({"fps": 0.0}, "Keypoints.fps must be a positive"),
        ({"fps": float("nan")}, "Keypoints.fps must be a positive"),
        ({"fps": float("inf")}, "Keypoints.fps must be a positive"),
        ({"width_px": 0}, "width_px must be the image.s size, a whole number of pixels, got 0"),
        ({"width_px": None}, "width_px must be .* got None"),
        ({"height_px": 720.5}, "height_px must be .* got 720.5"),
        ({"fps": "30"}, "Keypoints.fps must be a positive .* got '30'"),
        ({"confidence": None}, "Keypoints.confidence: expected an array, got None"),
        ({"height_px": -1}, "height_px must be the image.s size, a whole number of pixels, got -1"),
    ],
)
def test_keypoints_that_cannot_be_right_are_errors(changes, message):
    with pytest.raises(ValueError, match=message):
        keypoints(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"translation_m": torch.zeros(4, 3)}, "BodyMotion.translation_m: expected shape 5 x 3, got 4 x 3"),
        ({"translation_m": with_value(torch.zeros(5, 3), (0, 1), torch.nan)}, "BodyMotion.translation_m: 1 values"),
        ({"local_rotmat": torch.full((5, 24, 3, 3), torch.inf)}, "BodyMotion.local_rotmat: 1080 values"),
        ({"betas": with_value(torch.zeros(10), 9, torch.nan)}, r"BodyMotion.betas: 1 values .* index \(9,\)"),
        ({"fps": -30.0}, "BodyMotion.fps must be a positive"),
    ],
)
def test_body_motion_that_cannot_be_right_is_an_error(changes, message):
    with pytest.raises(ValueError, match=message):
        body_motion(**changes)


def test_body_motion_counts_its_frames():
    assert body_motion().frame_count == 5


def test_rates_may_be_any_real_number():
    assert keypoints(fps=Fraction(30000, 1001)).fps == Fraction(30000, 1001)


def test_stages_cannot_be_edited():
    with pytest.raises(dataclasses.FrozenInstanceError):
        keypoints().fps = 50.0  # pyright: ignore[reportAttributeAccessIssue]


def test_an_embedding_pools_and_knows_its_clip():
    clip = keypoints(layout=H36M_17)
    values = torch.arange(4 * 17 * 8, dtype=torch.float32).reshape(4, 17, 8)
    embedding = MotionEmbedding(values, clip, "ktpformer-s")
    assert (embedding.layout, embedding.fps) == (H36M_17, 25.0)
    torch.testing.assert_close(embedding.per_frame()[1], values[1].sum(0) / 17)
    torch.testing.assert_close(embedding.per_clip(), values.reshape(-1, 8).mean(0))
    with pytest.raises(ValueError, match=r"expected shape 4 x 17 x any, got 3 x 17 x 8"):
        MotionEmbedding(values[:3], clip, "ktpformer-s")


def test_frames_without_the_person_do_not_count_for_the_clip():
    clip = keypoints(layout=H36M_17, confidence=torch.tensor([1.0, 0, 0, 1])[:, None].expand(4, 17))
    embedding = MotionEmbedding(torch.randn(4, 17, 8), clip, "ktpformer-s")
    assert embedding.seen_frames().tolist() == [True, False, False, True]
    torch.testing.assert_close(embedding.per_clip(), embedding.values[[0, 3]].reshape(-1, 8).mean(0))
    nobody = dataclasses.replace(embedding, keypoints=keypoints(layout=H36M_17, confidence=torch.zeros(4, 17)))
    torch.testing.assert_close(nobody.per_clip(), embedding.values.reshape(-1, 8).mean(0))


def test_joint_and_mesh_motion_are_checked():
    with pytest.raises(ValueError, match=r"JointMotion.position_m: expected shape any x 17 x 3, got 2 x 16 x 3"):
        JointMotion(torch.zeros(2, 16, 3), H36M_17, 30.0, "root")
    with pytest.raises(ValueError, match=r"MeshMotion.vertex_m: 3 values are NaN"):
        MeshMotion(torch.full((1, 1, 3), torch.nan), torch.zeros(1, 3, dtype=torch.int64), 30.0, "world")


def test_action_scores_name_the_best_class():
    scores = ActionScores(torch.tensor([0.0, 2.0, 1.0]), ("walk", "run", "jump"))
    assert scores.best == "run"
    assert float(scores.probability().sum()) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"ActionScores.logit: expected shape 2, got 3"):
        ActionScores(scores.logit, ("walk", "run"))


def test_arrays_of_any_dtype_become_float32_and_a_layout_may_be_named():
    xy_px = np.arange(4 * 17 * 2).reshape(4, 17, 2)[:, :, ::-1]  # whole numbers, running backwards
    clip = keypoints(xy_px=xy_px, confidence=torch.ones(4, 17, dtype=torch.float64))
    clip = dataclasses.replace(clip, layout="coco_17")  # pyright: ignore[reportArgumentType]
    assert clip.layout is COCO_17
    assert (clip.xy_px.dtype, clip.confidence.dtype) == (torch.float32, torch.float32)
    assert clip.xy_px.tolist() == xy_px.tolist()
    clip.as_h36m_17()
    with pytest.raises(ValueError, match="unknown layout 'coco'; did you mean 'coco_17'"):
        dataclasses.replace(clip, layout="coco")  # pyright: ignore[reportArgumentType]
    motion = body_motion(translation_m=np.zeros((5, 3)), betas=torch.zeros(10).double())
    assert (motion.translation_m.dtype, motion.betas.dtype) == (torch.float32, torch.float32)
    assert JointMotion(np.zeros((2, 17, 3)), "h36m_17", 30.0, "root").position_m.dtype == torch.float32
    assert MeshMotion(np.zeros((1, 3, 3)), np.array([[0, 1, 2]]), 30.0, "world").faces.dtype == torch.int64


def test_what_is_float32_already_is_not_copied():
    xy_px = torch.zeros(4, 17, 2)
    assert keypoints(xy_px=xy_px).xy_px is xy_px


def test_results_are_in_axes_that_are_known():
    with pytest.raises(ValueError, match=r"JointMotion\.frame must be one of 'root', 'camera', 'world', got 'cam'"):
        JointMotion(torch.zeros(2, 17, 3), H36M_17, 30.0, "cam")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"BodyMotion\.frame must be one of 'camera', 'world', got 'root'"):
        body_motion(frame="root")
