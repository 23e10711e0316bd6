"""MotionBERT's action models read two persons in one box, as its own code for NTU RGB+D makes them.

`motionbert_ntu_inputs.npz` has three recordings as pyskl stores them (two persons who are mistaken for each other, one
person alone, one who comes later) and what `NTURGBD` of github.com/Walter0807/MotionBERT at dccfe7b
(lib/data/dataset_action.py, for 9 frames, without random moves, scale 2) made of them, outside of this repository.
"""

import numpy as np
import pytest
import torch
from benchmark_files import write_pyskl
from motionbert_checkpoints import CHANNELS, FRAMES, checkpoint, clip
from paths import GOLDEN

from motionrep.embedding.encoding import embed
from motionrep.encoders import load_encoder
from motionrep.encoders.motionbert_heads import MotionBERTAction
from motionrep.evaluation.protocols.ntu_motionbert import motionbert_points
from motionrep.evaluation.published import evaluate_protocol
from motionrep.head_api.loading import load_head
from motionrep.head_api.published_actions import in_one_box

RECORDINGS = ("crossing", "alone", "late")


@pytest.fixture(scope="module")
def stored():
    with np.load(GOLDEN / "motionbert_ntu_inputs.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = checkpoint(tmp_path_factory.mktemp("model") / "action.bin", MotionBERTAction(17 * CHANNELS, 60, 32))
    return path, load_encoder(path), load_head(path)


@pytest.mark.parametrize("name", RECORDINGS)
def test_what_the_network_reads_is_what_the_authors_code_makes(stored, name):
    points = motionbert_points(stored[f"{name}_keypoint"], stored[f"{name}_score"], 1920, 9)
    wanted = torch.from_numpy(stored[f"{name}_input"])
    torch.testing.assert_close(in_one_box(points, 2.0), wanted, atol=2e-6, rtol=0)


def test_who_is_absent_is_not_zero(stored):
    """Zeros were given for the second person, where the authors' code has the picture's middle in the first's box."""
    wanted = stored["alone_input"][1]
    assert (wanted == wanted[:1, :1]).all()
    assert np.abs(wanted[..., :2]).min() > 0.01
    assert not wanted[..., 2].any()


def test_two_persons_share_a_box(model):
    """Each had a box of its own, as if both stood in the same place."""
    _, encoder, head = model
    first, second = clip(0), clip(1)
    scores = head.predict([embed(first, encoder), embed(second, encoder)])
    points = torch.stack([torch.cat([one.xy_px / 500 - 1, one.confidence[..., None]], -1) for one in (first, second)])
    with torch.no_grad():
        wanted = head.published(encoder(in_one_box(points, 2.0))[None])[0]
    torch.testing.assert_close(scores.logit, wanted, atol=1e-5, rtol=1e-4)
    alone = head.predict(embed(first, encoder))
    with torch.no_grad():
        wanted = head.published(encoder(in_one_box(points[:1], 2.0))[None])[0]
    torch.testing.assert_close(alone.logit, wanted, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(alone.logit, scores.logit, atol=1e-3)
    assert scores.labels[:2] == ("drink water", "eat meal/snack")
    with pytest.raises(ValueError, match="must have as many frames"):
        head.predict([embed(first, encoder), embed(clip(1, frames=4), encoder)])


def test_nobody_is_in_a_box_of_zeros():
    assert not in_one_box(torch.zeros(1, 3, 17, 3), 2.0).any()
    assert not in_one_box(torch.ones(2, 3, 17, 3), 2.0).any()  # all in one point


def test_the_protocol_scores_whole_clips_of_two_persons_at_once(model, stored, tmp_path):
    path, encoder, head = model
    annotations, wanted = [], []
    for number, name in enumerate(RECORDINGS):
        keypoint, score = stored[f"{name}_keypoint"], stored[f"{name}_score"]
        annotations.append(
            {"frame_dir": f"S001C001P003R001A{number + 1:03d}", "label": number, "img_shape": (1080, 1920),
             "total_frames": keypoint.shape[1], "keypoint": keypoint, "keypoint_score": score}
        )  # fmt: skip
        with torch.no_grad():
            logit = head.published(encoder(torch.from_numpy(stored[f"{name}_input"]))[None])[0]
        wanted.append(int(logit.argmax()))
    write_pyskl(tmp_path / "ntu60.pkl", annotations)
    result = evaluate_protocol("ntu60-xsub", tmp_path / "ntu60.pkl", str(path), str(path))
    found = {row: columns.index(1) for row, columns in enumerate(result["confusion"]) if any(columns)}
    assert found == dict(enumerate(wanted))
    assert result["protocol"]["persons"] == "the first two, at once, in one box"
    assert result["protocol"]["frames"] == f"whole clips, stretched to {FRAMES}"
