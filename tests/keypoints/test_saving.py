import json

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motionrep.keypoints.loading import load_keypoints
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import COCO_17, H36M_17, HALPE_26, LAYOUTS, JointLayout
from motionrep.types import Keypoints


def random_clip(seed: int, layout: JointLayout, frames: int, fps: float, name: str) -> Keypoints:
    generator = torch.Generator().manual_seed(seed)
    xy_px = torch.randn(frames, layout.joint_count, 2, generator=generator) * 1000
    confidence = torch.rand(frames, layout.joint_count, generator=generator) * 2 - 0.5
    return Keypoints(xy_px, confidence.clamp(min=0), layout, fps, 1920 + seed, 1080, name)


any_clip = st.tuples(
    st.integers(0, 1000),
    st.sampled_from([*LAYOUTS.values(), JointLayout("mine", ("tail", "tip"), ("", "tail"))]),
    st.integers(1, 5),
    st.floats(0.5, 240),
    st.text(max_size=8).filter(lambda name: not name.endswith("\0")),
)


def assert_same(loaded: Keypoints, saved: Keypoints) -> None:
    assert torch.equal(loaded.xy_px, saved.xy_px)
    assert torch.equal(loaded.confidence, saved.confidence)
    for field in ("layout", "fps", "width_px", "height_px", "person"):
        assert getattr(loaded, field) == getattr(saved, field)


@given(st.lists(any_clip, min_size=1, max_size=4))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_npz_gives_back_exactly_what_was_saved(tmp_path, choices):
    clips = [random_clip(*choice) for choice in choices]
    save_keypoints(clips, tmp_path / "clips.npz")
    loaded = load_keypoints(tmp_path / "clips.npz")
    for ours, saved in zip(loaded, clips, strict=True):
        assert_same(ours, saved)


def test_arguments_go_before_what_the_npz_says_and_a_warning_tells(tmp_path, caplog):
    save_keypoints([random_clip(0, COCO_17, 3, 30.0, "1")], tmp_path / "clip.npz")
    (clip,) = load_keypoints(str(tmp_path / "clip.npz"), layout="h36m_17", fps=50.0, size_px=(100, 200))
    assert (clip.layout, clip.fps, clip.width_px, clip.height_px) == (H36M_17, 50.0, 100, 200)
    assert "clip.npz says 30.0, but 50.0 was given and is used" in caplog.text
    assert "says coco_17, but h36m_17 was given and is used" in caplog.text


def test_other_npz_files_are_errors(tmp_path):
    np.savez(tmp_path / "other.npz", positions_2d=np.zeros(3))
    with pytest.raises(
        ValueError, match=r"other\.npz: is an .npz file with the fields 'positions_2d' \(3,\), not keypoints of a kind"
    ):
        load_keypoints(tmp_path / "other.npz")
    np.savez(tmp_path / "half.npz", **{"0.xy_px": np.zeros((2, 17, 2))})
    with pytest.raises(ValueError, match=r"half\.npz: no field '0\.confidence' \(fields: 0\.xy_px\)"):
        load_keypoints(tmp_path / "half.npz")
    np.savez(tmp_path / "pickled.npz", **{"0.xy_px": np.array([{}], dtype=object)})
    with pytest.raises(
        ValueError, match=r"pickled\.npz: field '0\.xy_px' holds Python objects, which are never unpickled"
    ):
        load_keypoints(tmp_path / "pickled.npz")
    save_keypoints([random_clip(0, COCO_17, 3, 30.0, "1")], tmp_path / "clip.npz")
    with pytest.raises(ValueError, match=r"clip\.npz: .* expected shape any x 26 x 2, got 3 x 17 x 2"):
        load_keypoints(tmp_path / "clip.npz", layout=HALPE_26)


@pytest.mark.parametrize("layout", [COCO_17, HALPE_26])
def test_json_is_what_alphapose_writes_and_comes_back(tmp_path, layout):
    def clip(name):
        points = torch.rand(4, layout.joint_count, 3, generator=torch.Generator().manual_seed(int(name)))
        return Keypoints(points[..., :2] * 400, points[..., 2], layout, 25.0, 640, 480, name)

    clips = [clip("12"), clip("3")]
    clips[0].confidence[2] = 0
    path = tmp_path / "clips.json"
    save_keypoints(clips, path)
    entries = json.loads(path.read_text())
    assert len(entries) == 7
    assert entries[0].keys() == {"image_id", "category_id", "keypoints", "score", "box", "idx"}
    assert (entries[0]["image_id"], entries[0]["idx"]) == ("000000.jpg", 12)
    assert len(entries[0]["keypoints"]) == 3 * layout.joint_count
    for loaded, saved in zip(load_keypoints(path, fps=25.0, size_px=(640, 480)), clips, strict=True):
        assert torch.equal(loaded.confidence, saved.confidence)
        assert torch.equal(loaded.xy_px[loaded.confidence > 0], saved.xy_px[saved.confidence > 0])
        assert (loaded.layout, loaded.person) == (layout, saved.person)


def test_json_counts_people_whose_names_are_no_integers(tmp_path):
    clips = [random_clip(0, COCO_17, 2, 25.0, name) for name in ("anna", "5")]
    save_keypoints(clips, tmp_path / "clips.json")
    assert {entry["idx"] for entry in json.loads((tmp_path / "clips.json").read_text())} == {0, 1}


def test_what_cannot_be_saved_is_an_error_and_leaves_nothing(tmp_path):
    clip = random_clip(0, H36M_17, 2, 25.0, "1")
    with pytest.raises(ValueError, match=r"no clips to save"):
        save_keypoints([], tmp_path / "clips.npz")
    with pytest.raises(ValueError, match=r"saved as \.npz or \.json, got '\.csv'"):
        save_keypoints([clip], tmp_path / "clips.csv")
    with pytest.raises(ValueError, match=r"no layout 'h36m_17'; save as \.npz"):
        save_keypoints([clip], tmp_path / "clips.json")
    assert list(tmp_path.iterdir()) == []


def test_a_clip_that_starts_and_ends_unseen_keeps_its_length_in_json(tmp_path):
    confidence = torch.ones(6, 17)
    confidence[[0, 5]] = 0
    clip = Keypoints(torch.rand(6, 17, 2) * 90 + 5, confidence, COCO_17, 30.0, 100, 100)
    save_keypoints([clip], tmp_path / "clip.json")
    loaded = load_keypoints(tmp_path / "clip.json", size_px=(100, 100))[0]
    assert torch.equal(loaded.confidence, confidence)


def test_the_number_of_the_first_frame_is_kept(tmp_path):
    entries = [
        {"image_id": f"{frame}.jpg", "category_id": 1, "keypoints": [50.0, 50.0, 0.9] * 17, "score": 1.0, "idx": 1}
        for frame in (12, 13, 15)
    ]
    (tmp_path / "late.json").write_text(json.dumps(entries))
    clip = load_keypoints(tmp_path / "late.json", size_px=(100, 100))[0]
    assert (clip.first_frame, clip.frame_count) == (12, 4)
    save_keypoints([clip], tmp_path / "late.npz")
    assert load_keypoints(tmp_path / "late.npz")[0].first_frame == 12
    save_keypoints([clip], tmp_path / "late.json")
    assert load_keypoints(tmp_path / "late.json", size_px=(100, 100))[0].first_frame == 12
