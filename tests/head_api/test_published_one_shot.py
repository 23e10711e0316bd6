"""MotionBERT's head for one-shot recognition is scored as by its own code, on random weights and recordings.

`motionbert_oneshot.npz` has the cosines of 20 exemplars (rows) and 40 clips, which `NTURGBD` and `validate` of
github.com/Walter0807/MotionBERT at dccfe7b (lib/data/dataset_action.py, train_action_1shot.py, for 9 frames, scale 2)
gave for the file and the weights that are made here, outside of this repository. Its accuracy was 0.075.
"""

import numpy as np
import pytest
import torch
from benchmark_files import write_pyskl
from motionbert_checkpoints import CHANNELS, FRAMES, checkpoint, clip
from paths import GOLDEN

from motionrep.cli.main import main
from motionrep.datasets.benchmarks.ntu import EXEMPLARS
from motionrep.datasets.benchmarks.pyskl import read_pyskl
from motionrep.embedding.encoding import embed
from motionrep.encoders import DSTformer, load_encoder
from motionrep.encoders.motionbert_heads import MotionBERTAction, MotionBERTEmbedding
from motionrep.evaluation.predictor import Predictor
from motionrep.evaluation.protocols.ntu_motionbert import motionbert_output
from motionrep.evaluation.published import evaluate_protocol
from motionrep.head_api.loading import load_head
from motionrep.head_api.published_actions import PublishedOneShot


def recordings(rng):
    """The exemplars, and the same actions from two other cameras; one or two persons, 5 to 15 frames."""
    made = []
    for name in [exemplar.replace("C003", camera) for camera in ("C003", "C001", "C002") for exemplar in EXEMPLARS]:
        persons, frames = int(rng.integers(1, 3)), int(rng.integers(5, 16))
        middle = rng.uniform(400, 1500, (persons, 1, 1, 2)) + rng.normal(0, 20, (persons, frames, 1, 2)).cumsum(1)
        limbs = rng.normal(0, 60, (persons, 1, 17, 2)) + rng.normal(0, 8, (persons, frames, 17, 2))
        score = rng.uniform(0, 1, (persons, frames, 17)).astype(np.float16)
        made.append(
            {"frame_dir": name, "label": int(name[-3:]) - 1, "img_shape": (1080, 1920), "total_frames": frames,
             "keypoint": (middle + limbs).astype(np.float16), "keypoint_score": score}
        )  # fmt: skip
    return made


def with_weights_of(path, rng):
    """NumPy's numbers, which are the same everywhere, in the order of the names."""
    content = torch.load(path)
    for name, tensor in sorted(content["model"].items()):
        content["model"][name] = torch.from_numpy(rng.normal(0, 0.3, tuple(tensor.shape)).astype(np.float32))
    torch.save(content, path)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("oneshot"), np.random.default_rng(120)
    made = recordings(rng)
    names = [one["frame_dir"] for one in made]
    write_pyskl(folder / "data.pkl", made, oneshot_train=names[:20], oneshot_val=names[20:])
    model = checkpoint(folder / "embed.bin", MotionBERTEmbedding(17 * CHANNELS, 32))
    return folder / "data.pkl", with_weights_of(model, rng)


def test_vectors_are_as_near_each_other_as_in_the_authors_code(files):
    data, model = files
    file, head = read_pyskl(data), load_head(model)
    predictor = Predictor(load_encoder(model), head)
    names = (*file.splits["oneshot_train"], *file.splits["oneshot_val"])
    vectors = torch.stack([motionbert_output(file.annotations[name], predictor, head.stretched_to) for name in names])
    wanted = np.load(GOLDEN / "motionbert_oneshot.npz")["similarity"]
    np.testing.assert_allclose((vectors[:20] @ vectors[20:].T).numpy(), wanted, atol=2e-6)


def test_the_command_scores_the_checkpoint(files, tmp_path, capsys):
    data, model = map(str, files)
    output = tmp_path / "result.json"
    assert (
        main(["evaluate", "--protocol", "ntu120-oneshot", "--data", data, "--head", model, "--output", str(output)])
        == 0
    )
    printed = capsys.readouterr().out
    assert "top1                7.500 %" in printed
    assert f"vector: that of the head, frames whole clips, stretched to {FRAMES}" in printed
    assert "hugging other person" in printed, "the share of each class"


def test_other_heads_are_refused_and_it_is_no_head_for_clips(files, tmp_path):
    data, model = files
    action = checkpoint(tmp_path / "action.bin", MotionBERTAction(17 * CHANNELS, 60, 32))
    with pytest.raises(ValueError, match=r"takes no head, or MotionBERT's for one-shot.*, got PublishedAction"):
        evaluate_protocol("ntu120-oneshot", data, str(action), str(action))
    encoder, head = load_encoder(model), load_head(model)
    embedding = embed(clip(), encoder)
    with pytest.raises(ValueError, match=r"head of embed gives vectors .* and no result for a clip; score it"):
        head.predict(embedding)
    assert float(head.of_clip([embedding, embedding]).norm()) == pytest.approx(1)


def test_clips_are_stretched_to_the_published_100_frames():
    encoder = DSTformer(frames=243, channels=CHANNELS, inner_channels=32, depth=1)
    assert PublishedOneShot(MotionBERTEmbedding(17 * CHANNELS, 32), encoder).stretched_to == 100
