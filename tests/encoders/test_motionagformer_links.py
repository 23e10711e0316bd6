"""MotionAGFormer with and without temporal similarity, which has the same names and shapes.

`motionagformer_links.npz` was made outside of this repository by github.com/TaatiTeam/MotionAGFormer at 4756fd1:
`output_N` for the weights and the input of `motionagformer_f27_d64_l2`, with `use_temporal_similarity` False and
`temporal_connection_len` N; `variance_27_N` (or `_similar`), the variances seen by the batch normalisation of the first
layer's temporal graph after some steps of training on made-up smooth motion of 27 frames.
"""

import fill
import numpy as np
import pytest
import torch
from paths import GOLDEN
from small_encoders import build

from motionrep.encoders import MotionAGFormer, from_published, load_encoder, load_published
from motionrep.head_api.loading import load_head

NAME = "motionagformer_f27_d64_l2"
VARIANCE = "layers.0.graph_temporal.mixer.batch_norm.running_var"


@pytest.fixture(scope="module")
def reference():
    with np.load(GOLDEN / "motionagformer_links.npz") as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


@pytest.mark.parametrize("links", [1, 3])
def test_the_outputs_of_the_authors_code_are_reproduced(reference, links):
    _, weights, arrays = fill.load(NAME)
    encoder, head = from_published("motionagformer", weights, temporal_links=links)
    with torch.no_grad():
        pose = head(encoder(arrays["input"]))
    torch.testing.assert_close(pose, reference[f"output_{links}"], atol=1e-4, rtol=0)
    assert not torch.allclose(pose, arrays["output"], atol=1e-2)


@pytest.mark.parametrize(("trained", "links"), [("similar", 0), ("1", 1), ("2", 2), ("3", 3)])
def test_trained_weights_tell_how_frames_are_linked(reference, trained, links, tmp_path):
    published = MotionAGFormer.published
    encoder = build("motionagformer", frames=27, heads=8)
    weights = {published.name_in_file(name): tensor for name, tensor in encoder.state_dict().items()}
    weights |= {f"head.{name}": tensor for name, tensor in torch.nn.Linear(32, 3).state_dict().items()}
    weights[VARIANCE] = reference[f"variance_27_{trained}"]
    torch.save({"epoch": 60, "model": {f"module.{name}": it for name, it in weights.items()}}, tmp_path / "m.pth.tr")
    assert load_encoder(tmp_path / "m.pth.tr").config.temporal_links == links


def test_weights_that_do_not_tell_are_refused_unless_it_is_said(tmp_path):
    """Such files were read as the published models, whose frames are linked by similarity; wrong by up to 1."""
    _, weights, arrays = fill.load(NAME)
    path = tmp_path / "untrained.pth.tr"
    torch.save({"epoch": 1, "model": weights}, path)
    with pytest.raises(ValueError, match=r"untrained\.pth\.tr: the weights do not tell temporal_links"):
        load_encoder(path)
    encoder, _ = load_published(path, temporal_links=1)
    encoder.save_pretrained(tmp_path / "saved")
    again = load_encoder(tmp_path / "saved")
    assert again.config.temporal_links == 1
    with torch.no_grad():
        assert torch.equal(again(arrays["input"]), encoder(arrays["input"]))
    assert load_head(path).trained_on_digest == again.digest  # the head is the same with both


def test_links_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="temporal_links must be from 0 to 8"):
        MotionAGFormer(frames=9, temporal_links=9)
