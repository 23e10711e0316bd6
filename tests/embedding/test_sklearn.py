"""Embeddings in scikit-learn's pipelines, and the examples that use them."""

import dataclasses
import pickle
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from paths import ROOT
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline

import motionrep
from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.synthetic.virtual_camera import random_camera, simulated_keypoints
from motionrep.embedding.sklearn import MotionEmbedder, _require_clips
from motionrep.head_api.loading import head_entry_points
from motionrep.layouts import HALPE_26
from motionrep.motion.axes import in_camera

EXAMPLES = ROOT / "examples" / "embeddings"


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Files of one second of four people who walk and four who wave, each in the folder of its name; 1280 x 720."""
    folder, body = tmp_path_factory.mktemp("labelled"), load_body_model("open")
    paths = []
    for name in ("walk", "wave"):
        (folder / name).mkdir()
        for seed in range(4):
            rng = np.random.default_rng(seed)
            motion = authored_motion(name, seed, seconds=1.0, fps=15.0)
            camera = random_camera(motion, body, rng)
            paths.append(folder / name / f"{seed}.npz")
            motionrep.save_keypoints(
                [simulated_keypoints(in_camera(motion, body, camera), body, camera, HALPE_26, rng)], paths[-1]
            )
    return paths


@pytest.fixture(scope="module")
def clips(labelled):
    return [motionrep.load_keypoints(path)[0] for path in labelled]


@pytest.fixture(scope="module")
def labels(labelled):
    return [path.parent.name for path in labelled]


@pytest.fixture
def embedder(tiny):
    return MotionEmbedder(str(tiny / "encoder"))


def test_a_vector_is_the_mean_and_the_spread_of_every_channel(clips, embedder, tiny):
    vectors = embedder.fit_transform(clips[:2])
    values = motionrep.embed(clips[1], motionrep.load_encoder(tiny / "encoder")).values.numpy()
    expected = np.concatenate([values.mean(0), values.std(0)], axis=1).reshape(-1)
    assert vectors.shape == (2, 17 * 2 * 16)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors[1], expected, atol=2e-3)
    names = embedder.get_feature_names_out()
    assert len(names) == vectors.shape[1]
    assert (names[0], names[16], names[-1]) == ("pelvis_mean_0", "pelvis_spread_0", "right_wrist_spread_15")


@pytest.mark.parametrize(("pooling", "part"), [("mean", 0), ("spread", 1)])
def test_each_statistic_can_be_had_alone(clips, embedder, pooling, part):
    both = embedder.fit_transform(clips[:1]).reshape(1, 17, 2, 16)
    alone = clone(embedder).set_params(pooling=pooling).fit(clips[:1])
    np.testing.assert_allclose(alone.transform(clips[:1]), both[:, :, part].reshape(1, -1), atol=1e-6)
    assert alone.get_feature_names_out()[16] == f"right_hip_{pooling}_0"


def test_frames_without_a_detection_do_not_count(clips, embedder):
    clip = clips[0]
    half = torch.arange(clip.frame_count)[:, None] < clip.frame_count // 2
    seen = dataclasses.replace(clip, confidence=clip.confidence * half)
    values = motionrep.embed(seen, motionrep.load_encoder(embedder.encoder)).values[half[:, 0]].numpy()
    vector = embedder.set_params(pooling="mean").fit_transform([seen])
    np.testing.assert_allclose(vector[0], values.mean(0).reshape(-1), atol=1e-5)


def test_a_clone_has_the_options_and_nothing_else(clips, embedder):
    fitted = embedder.set_params(pooling="mean").fit(clips)
    other = clone(fitted)
    assert other.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        other.transform(clips)


def test_a_pickle_is_small_and_gives_the_same_vectors(clips, embedder):
    fitted = embedder.fit(clips)
    stored = pickle.dumps(fitted)
    assert len(stored) < 2000
    np.testing.assert_array_equal(pickle.loads(stored).transform(clips[:2]), fitted.transform(clips[:2]))


def test_a_pickle_refuses_other_weights_of_the_same_name(clips, tmp_path):
    from motionrep.encoders.architectures.ktpformer import KTPFormer

    for seed in (0, 1):
        torch.manual_seed(seed)
        KTPFormer(frames=9, channels=16, depth=1, heads=2, input_channels=3).save_pretrained(tmp_path / "encoder")
        if seed == 0:
            stored = pickle.dumps(MotionEmbedder(str(tmp_path / "encoder")).fit(clips))
    with pytest.raises(ValueError, match="has other weights"):
        pickle.loads(stored).transform(clips)


def test_an_encoder_itself_is_cloned_and_pickled_with_its_weights(clips, tiny):
    embedder = MotionEmbedder(motionrep.load_encoder(tiny / "encoder"))
    expected = embedder.fit_transform(clips[:1])
    for other in (clone(embedder).fit(clips), pickle.loads(pickle.dumps(embedder))):
        assert other.encoder is not embedder.encoder
        np.testing.assert_array_equal(other.transform(clips[:1]), expected)


def test_it_stands_in_pipelines_and_searches(clips, labels, embedder):
    pipeline = Pipeline([("embed", embedder), ("nearest", KNeighborsClassifier(1, metric="cosine"))])
    search = GridSearchCV(pipeline, {"embed__pooling": ["mean", "spread"]}, cv=2).fit(clips, labels)
    assert set(search.best_params_) == {"embed__pooling"}
    assert search.predict(clips).tolist() == labels  # each clip is its own nearest neighbour
    framed = make_pipeline(clone(embedder)).set_output(transform="pandas").fit_transform(clips)
    assert framed.columns[0] == "pelvis_mean_0"


@pytest.mark.parametrize(
    ("given", "message"),
    [([], "expected a list of one or more clips"), (["a.json"], "clip 0 is str, expected motionrep.Keypoints")],
    ids=["none", "path"],
)
def test_what_is_no_clip_is_refused(given, message):
    """By the check itself: in tests the annotations of `fit` would speak first."""
    with pytest.raises(ValueError, match=message):
        _require_clips(given)


def test_options_and_clips_out_of_range_are_refused(clips, embedder):
    with pytest.raises(ValueError, match="pooling must be 'mean', 'spread' or 'both', got 'max'"):
        clone(embedder).set_params(pooling="max").fit(clips)
    unseen = dataclasses.replace(clips[0], confidence=torch.zeros_like(clips[0].confidence))
    with pytest.raises(ValueError, match="clip 1: every keypoint has confidence 0"):
        embedder.fit(clips).transform([clips[0], unseen])


def _example(name, *arguments):
    runpy.run_path(str(EXAMPLES / name))["main"]("1280x720", *map(str, arguments))


@pytest.mark.slow
def test_the_probe_and_the_neighbours_tell_walking_from_waving(labelled, capsys):
    _example("linear_probe.py", *labelled)
    told = capsys.readouterr().out
    assert told.startswith("8 clips of 2 classes")
    assert float(told.split("accuracy ")[1].split()[0]) >= 0.75
    _example("nearest_neighbours.py", *labelled)
    accuracy = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert set(accuracy) == {"mean", "spread"}
    assert float(accuracy["spread"]) >= 0.75


def test_clusters_are_the_motions(labelled, capsys):
    _example("cluster.py", 2, *labelled)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    groups = {kind: [group for group, path in lines if Path(path).parent.name == kind] for kind in ("walk", "wave")}
    assert max(groups["walk"].count(g) for g in "01") + max(groups["wave"].count(g) for g in "01") >= 7
    assert len(lines) == 8


def test_a_walk_finds_walks(labelled, capsys):
    _example("retrieve.py", labelled[0], *labelled[1:])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [Path(path).parent.name for _, path in lines[:2]] == ["walk", "walk"]
    assert [float(score) for score, _ in lines] == sorted((float(score) for score, _ in lines), reverse=True)


def test_one_clip_of_each_motion_makes_a_head(labelled, clips, labels, tmp_path, capsys):
    _example("few_shot.py", tmp_path / "head", labelled[0], labelled[4])
    assert "2 exemplars of walk, wave" in capsys.readouterr().out
    if "few_shot" not in head_entry_points():
        pytest.skip("the installed motionrep is older than its entry point 'few_shot': pip install -e . again")
    head, encoder = motionrep.load_head(tmp_path / "head"), motionrep.load_encoder("ktpformer-s")
    told = [head.predict(motionrep.embed(clip, encoder)).best for clip in clips]
    assert sum(a == b for a, b in zip(told, labels, strict=True)) >= 7


def test_every_example_of_embeddings_is_tested():
    source = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{path.name}"' in source for path in EXAMPLES.glob("*.py"))
