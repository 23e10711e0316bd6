"""What embeddings tell of actions: linear probe, few exemplars and retrieval, on people and classes never seen.

    python -m motionrep.datasets.free_motions MORE --output PREPARED
    python benchmarks/embedding_quality.py --data CMU PREPARED [--encoder NAME_OR_FILE ...]
        [--output benchmarks/embedding_quality.md]

--data: as for `generalisation.py`. Without --encoder these are all shipped encoders, and MotionBERT's published
architecture with random weights (`random:dstformer`; so for every architecture). A published checkpoint is a file;
MotionBERT's own pretrained one reads crops, as `random:dstformer` does (docs/protocols.md says how to keep that). Each
window is seen by one random camera, body and simulated detector, the same for all.

"Held-out people" learned nothing of and gave nothing to the shipped encoders; the probe and the exemplars are of other
people. "Classes no encoder learned" are those that no shipped action head knows, and no other head of its encoder was
trained by; there every clip is asked with all other clips known, so that no clip is on both sides.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from reports import machine, write
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import motionrep
from motionrep.datasets.held_out import is_held_out, read_held_out
from motionrep.datasets.motion_folders import MotionClip, load_motion_folder
from motionrep.datasets.synthetic.clips import EveryWindow, SynthesizedClips
from motionrep.embedding.encoding import encode
from motionrep.embedding.inputs import normalised_for
from motionrep.embedding.pooling import over_time
from motionrep.encoders import ENCODERS
from motionrep.evaluation.synthetic_views import single_view
from motionrep.head_api.loading import load_head
from motionrep.layouts import H36M_17
from motionrep.weights import shipped

FPS, SEED = 30.0, 1300
ACTION_WINDOW, SHOTS, DRAWS, NEIGHBOURS = 60, 5, 20, 5
FEWEST_WINDOWS, MOST_OF_CLASS = 3, 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--encoder", nargs="+", default=[*shipped("encoder"), "random:dstformer"])
    parser.add_argument("--held-out", default="people-1")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    patterns = read_held_out(options.held_out)
    clips = [clip for folder in options.data for clip in load_motion_folder(folder)]
    learned = {label for name in shipped("head") if name.startswith("action-") for label in load_head(name).labels}
    rows: dict[str, dict[str, str]] = defaultdict(dict)
    for name in options.encoder:
        encoder = encoder_of(name)
        for of in (embeddings(encoder, clips, patterns), unseen_classes(encoder, clips, learned)):
            for what, value in of:
                rows[what][name] = value
                print(f"{name} | {what} | {value}", flush=True)
    if not rows:
        raise SystemExit("--data: needs two actions with windows of two seconds, each of several clips or people")
    report = table(rows, options.encoder)
    print(report)
    write(report, options.output)


def encoder_of(name: str) -> Any:
    """A shipped or saved encoder, a published checkpoint, or `random:ARCHITECTURE` in its published size."""
    kind, _, architecture = name.partition(":")
    if kind != "random":
        return motionrep.load_encoder(name)
    if architecture not in ENCODERS:
        raise SystemExit(f"{name}: unknown architecture; known: {', '.join(ENCODERS)}")
    torch.manual_seed(0)
    return ENCODERS[architecture](**({"normalisation": "crop"} if architecture == "dstformer" else {})).eval()


def embeddings(encoder: Any, clips: Sequence[MotionClip], patterns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What embeddings tell of the actions of held-out people, learned from other people."""
    known = [clip for clip in clips if clip.action and clip.split == "train" and not is_held_out(clip, patterns)]
    asked = [clip for clip in clips if clip.action and is_held_out(clip, patterns)]
    x, y, _ = embedded(encoder, known)
    q, z, person = embedded(encoder, asked)
    classes = [name for name in sorted({*y} & {*z}) if min((y == name).sum(), (z == name).sum()) >= FEWEST_WINDOWS]
    if len(classes) < 2:
        return
    own, other = np.isin(y, classes), np.isin(z, classes)
    x, y, q, z, person = x[own], y[own], q[other], z[other], person[other]
    head = f"held-out people's actions ({len(classes)}: {', '.join(classes)})"
    yield f"{head}: linear probe", f"{macro(probe().fit(x, y).predict(q), z):.3f}"
    scale = StandardScaler().fit(x)
    x, q = np.asarray(scale.transform(x)), np.asarray(scale.transform(q))
    draws = [macro(nearest_mean(x, y, q, classes, np.random.default_rng(seed)), z) for seed in range(DRAWS)]
    yield f"{head}: {SHOTS} exemplars", f"{np.mean(draws):.3f}"
    yield f"{head}: retrieval, precision of {NEIGHBOURS}", f"{retrieved(q, z, person):.3f}"


def unseen_classes(encoder: Any, clips: Sequence[MotionClip], learned: set[str]) -> Iterator[tuple[str, str]]:
    """What embeddings tell of classes that no encoder learned; each clip is asked once, with all others known."""
    new = [clip for clip in clips if clip.action and clip.action not in learned]
    several = [clip for clip in new if len({other.name for other in new if other.action == clip.action}) > 1]
    if len({clip.action for clip in several}) < 2:
        return
    x, y, clip = embedded(encoder, several)
    classes = [name for name in sorted(set(y)) if len(set(clip[y == name])) > 1]
    kept = np.isin(y, classes)
    x, y, clip = x[kept], y[kept], clip[kept]
    if len(classes) < 2:
        return
    by_probe, by_mean = np.empty_like(y), np.empty((DRAWS, len(y)), y.dtype)
    for name in np.unique(clip):
        asked, known = clip == name, clip != name
        by_probe[asked] = probe().fit(x[known], y[known]).predict(x[asked])
        scale = StandardScaler().fit(x[known])
        of, to = np.asarray(scale.transform(x[known])), np.asarray(scale.transform(x[asked]))
        for seed in range(DRAWS):
            by_mean[seed, asked] = nearest_mean(of, y[known], to, classes, np.random.default_rng(seed))
    head = f"classes no encoder learned ({len(classes)}: {', '.join(classes)})"
    yield f"{head}: linear probe", f"{macro(by_probe, y):.3f}"
    yield f"{head}: {SHOTS} exemplars", f"{np.mean([macro(found, y) for found in by_mean]):.3f}"
    scaled = np.asarray(StandardScaler().fit_transform(x))
    yield f"{head}: retrieval, precision of {NEIGHBOURS}", f"{retrieved(scaled, y, clip):.3f}"


def embedded(encoder: Any, clips: Sequence[MotionClip]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and spread over time of two-second windows, their actions, and their clips; a bounded number per action."""
    by_action: dict[str, list[MotionClip]] = defaultdict(list)
    for clip in clips:
        by_action[str(clip.action)].append(clip)
    vectors, actions, names = [], [], []
    for action, some in sorted(by_action.items()):
        try:
            samples = SynthesizedClips(some, ACTION_WINDOW, ACTION_WINDOW, FPS, SEED, EveryWindow(), layout=H36M_17)
        except ValueError:  # nothing long enough
            continue
        count = min(MOST_OF_CLASS, len(samples))
        for index in np.unique(np.linspace(0, len(samples) - 1, count).round().astype(int)):
            batch = single_view(samples, int(index))
            code = encode(normalised_for(batch["keypoints"][0], encoder), FPS, encoder)
            vectors.append(over_time(code[None], torch.ones(1, len(code), dtype=torch.bool)).flatten().numpy())
            actions.append(action)
            names.append(samples.places[int(index)][0].name)
    return np.array(vectors), np.array(actions), np.array(names)


def probe() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300, class_weight="balanced"))


def nearest_mean(
    x: np.ndarray, y: np.ndarray, q: np.ndarray, classes: Sequence[str], rng: np.random.Generator
) -> np.ndarray:
    """The class of the nearest mean of a few exemplars, drawn anew for every class."""
    rows = [rng.permutation(np.flatnonzero(y == name))[:SHOTS] for name in classes]
    mean = np.stack([x[some].mean(0) for some in rows])
    return np.array(classes)[cosines(q, mean).argmax(1)]


def macro(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.mean([(found[true == name] == name).mean() for name in np.unique(true)]))


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T


def retrieved(q: np.ndarray, z: np.ndarray, clip: np.ndarray) -> float:
    """Share of the nearest windows of other clips that have the same action; the mean over actions of several clips."""
    order = NearestNeighbors(n_neighbors=len(q), metric="cosine").fit(q).kneighbors(q, return_distance=False)
    values = defaultdict(list)
    for row, near in enumerate(order):
        others = near[clip[near] != clip[row]]
        if (z[others] == z[row]).any():
            values[z[row]].append((z[others[:NEIGHBOURS]] == z[row]).mean())
    return float(np.mean([np.mean(some) for some in values.values()])) if values else float("nan")


def table(rows: dict[str, dict[str, str]], names: Sequence[str]) -> str:
    lines = [
        "# What embeddings tell of actions", "",
        "Shares from 0 to 1, means over the classes. How they are measured: `benchmarks/embedding_quality.py`.",
        machine(), "",
        "| | " + " | ".join(f"`{Path(name).name}`" for name in names) + " |", "|---" * (len(names) + 1) + "|",
    ]  # fmt: skip
    lines += [f"| {what} | " + " | ".join(row.get(name, "") for name in names) + " |" for what, row in rows.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
