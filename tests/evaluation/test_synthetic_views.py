"""Scores on simulated views: what the result states, what changes it, and which networks are refused."""

import dataclasses
import json

import pytest

from motionrep.datasets.authored.motions import authored_motion
from motionrep.encoders import KTPFormer
from motionrep.evaluation.synthetic_views import SyntheticViews, evaluate
from motionrep.head_api.loading import load_head, save_head
from motionrep.motion.saving import save_motion


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A clip to train on and, by the hash of its name, one to validate on."""
    folder = tmp_path_factory.mktemp("motions")
    for name in ("walk", "unseen"):
        save_motion(authored_motion("walk", seconds=1.5), folder / f"{name}.npz")
    return folder


def test_evaluation_states_metrics_units_and_protocol(data, tiny, tmp_path):
    arguments, views = (data, str(tiny / "encoder"), str(tiny / "pose3d")), SyntheticViews(views=2)
    result = evaluate(*arguments, output=tmp_path / "result.json", options=views)
    assert json.loads((tmp_path / "result.json").read_text()) == result
    assert set(result["metrics"]) == {"mpjpe", "pa_mpjpe", "accel_error"}
    assert (
        result["protocol"] | {"split": "val", "clips": 1, "windows": 2, "fps": 30.0, "views_per_window": 2}
        == (result["protocol"])
    )
    assert evaluate(*arguments, options=views) == result
    for changed in ({"seed": 7}, {"layout": "coco_17"}, {"flip": True}, {"precision": "bfloat16"}):
        other = evaluate(*arguments, options=dataclasses.replace(views, **changed))
        assert other["metrics"] != result["metrics"]
        assert other["protocol"] != result["protocol"]


def test_the_head_of_another_encoder_is_not_evaluated(data, tiny, tmp_path):
    other = KTPFormer(frames=8, channels=16, depth=1, heads=2, input_channels=3)
    other.name = "other"
    other.save_pretrained(tmp_path / "other")
    with pytest.raises(ValueError, match=r"trained on .*encoder 'tiny', got .*'other'"):
        evaluate(data, str(tmp_path / "other"), str(tiny / "pose3d"))
    save_head(load_head(tiny / "pose3d"), tmp_path / "head", "pose3d", "gone")
    with pytest.raises(ValueError, match=r"trained on .*encoder 'gone'"):
        evaluate(data, str(tiny / "encoder"), str(tmp_path / "head"))


def test_an_action_head_is_evaluated_on_labelled_clips_only(data, tiny):
    """Without an index the message was: none of the 0 motion clips () holds a usable run."""
    with pytest.raises(ValueError, match=r"no clip of a core class in split 'val'; .* index\.csv with action and core"):
        evaluate(data, str(tiny / "encoder"), str(tiny / "action"))
