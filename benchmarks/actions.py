"""Measures what embeddings tell of actions: probe, nearest neighbours, few exemplars, segments over time.

    python benchmarks/actions.py --data MOTIONS [--parts windows segments mistakes]
    python benchmarks/actions.py --data MOTIONS --parts new --encoder ENCODER    # trained without labels of NEW

The clips are those of the core classes of a folder with an index.csv (CMU), seen by random cameras and a simulated
detector, one view of each window. benchmarks/actions.md has the numbers.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

import motionrep
from motionrep.datasets.motion_folders import MotionClip, load_motion_folder
from motionrep.datasets.synthetic.clips import EveryWindow, SynthesizedClips
from motionrep.embedding.encoding import encode
from motionrep.embedding.inputs import normalised_for
from motionrep.embedding.pooling import over_time
from motionrep.encoders import Encoder
from motionrep.evaluation.metrics import macro_accuracy
from motionrep.evaluation.synthetic_views import single_view
from motionrep.layouts import H36M_17
from motionrep.types import Keypoints, MotionEmbedding
from motionrep_heads.action import ActionHead
from motionrep_heads.few_shot import FewShotHead

FPS, WINDOW, SEED = 30.0, 60, {"train": 7, "val": 1000}
CLIP_FRAMES = 180
DRAWS = 20
PARTS = ("windows", "segments", "mistakes", "new")
NEW = ("basketball", "dance", "laugh", "sit_stand")


@dataclass(frozen=True)
class Windows:
    """Representations of windows of two seconds, their valid frames, and their classes."""

    values: Float[Tensor, "windows frames joints channels"]
    valid: Bool[Tensor, "windows frames"]
    label: Int[Tensor, " windows"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", default="ktpformer-s")
    parser.add_argument("--head", default="action-ktpformer-s")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS[:-1])
    options = parser.parse_args()
    encoder, head = motionrep.load_encoder(options.encoder), motionrep.load_head(options.head)
    val_clips = [clip for clip in load_motion_folder(options.data, "val") if clip.core]
    if {"windows", "new"} & set(options.parts):
        train, val = (windows_of(options.data, split, encoder, head.labels) for split in ("train", "val"))
        if "windows" in options.parts:
            report_windows(train, val, head.labels)
        if "new" in options.parts:
            report_new(train, val, head.labels)
    if "segments" in options.parts:
        sequences = sequences_of(val_clips, encoder, head.labels)
        for step_s in (0.25, 0.5, 1.0, 2.0):
            right, frames, segments = segmented(head, sequences, step_s)
            print(f"| segments, step {step_s:g} s | {right / frames:.3f} of {frames} frames, {segments} segments |")
        print(f"{len(sequences)} sequences, {sum(len(set(truth)) for _, truth in sequences)} actions in them")
    if "mistakes" in options.parts:
        report_mistakes(val_clips, encoder, head)


def windows_of(data: Path, split: str, encoder: Encoder, labels: tuple[str, ...]) -> Windows:
    """Every window of the core classes, one random view of each."""
    clips = [clip for clip in load_motion_folder(data, split) if clip.core]
    samples = SynthesizedClips(clips, WINDOW, WINDOW, FPS, SEED[split], labels=labels, layout=H36M_17)
    values, valid, label = [], [], []
    for index in range(len(samples)):
        batch = single_view(samples, index)
        encoded = encode(normalised_for(batch["keypoints"][0], encoder), FPS, encoder)
        missing = WINDOW - len(encoded)
        values.append(torch.cat([encoded, encoded.new_zeros(missing, *encoded.shape[1:])]))
        valid.append(torch.cat([batch["valid"][0], batch["valid"].new_zeros(missing)]))
        label.append(batch["label"][0])
    return Windows(torch.stack(values), torch.stack(valid), torch.stack(label))


def report_windows(train: Windows, val: Windows, labels: tuple[str, ...]) -> None:
    """Prints macro accuracies of simple classifiers on the windows of the validation clips."""
    print(f"{len(train.label)} training and {len(val.label)} validation windows")
    pooled = [over_time(part.values, part.valid) for part in (train, val)]
    channels = train.values.shape[-1]
    for name, cut in (("mean", slice(channels)), ("spread", slice(channels, None)), ("both", slice(None))):
        x, y = (part[..., cut].flatten(1).numpy() for part in pooled)
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
        neighbours = KNeighborsClassifier(5, metric="cosine")
        for kind, model in (("linear probe", probe), ("5 nearest neighbours", neighbours)):
            found = torch.from_numpy(model.fit(x, train.label.numpy()).predict(y))
            logit = torch.nn.functional.one_hot(found, len(labels)).float()
            print(f"| {kind}, {name} | {macro_accuracy(logit, val.label):.3f} |", flush=True)
    for shots in (1, 5):
        scores = [few_shot(train, val, labels, shots, seed) for seed in range(DRAWS)]
        print(f"| {shots} exemplar(s) of each class | {np.mean(scores):.3f} +- {np.std(scores):.3f} |", flush=True)


def report_new(train: Windows, val: Windows, labels: tuple[str, ...]) -> None:
    """Prints macro accuracies with a few exemplars of the classes NEW.

    The describing heads had no label of these classes; the encoder should have had none either.
    """
    new = torch.tensor([labels.index(name) for name in NEW])
    known, unknown, asked = (
        _of_classes(part, new, inside) for part, inside in ((train, False), (train, True), (val, True))
    )
    describers = {
        "mean and spread over time": None,
        "head": described(known, labels, 0.0),
        "head, contrastive 0.5": described(known, labels, 0.5),
    }
    for kind, describer in describers.items():
        for shots in (1, 5):
            scores = [few_shot(unknown, asked, NEW, shots, seed, describer) for seed in range(DRAWS)]
            print(f"| {kind}, {shots} exemplar(s) | {np.mean(scores):.3f} +- {np.std(scores):.3f} |", flush=True)


def described(windows: Windows, labels: tuple[str, ...], contrastive: float, steps: int = 150) -> ActionHead:
    """An action head trained on one view of each window, without augmentation."""
    torch.manual_seed(0)
    head = ActionHead(windows.values.shape[-1], labels, contrastive=contrastive)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.01)
    for _ in range(steps):
        rows = torch.randperm(len(windows.label))[:64]
        output = head(windows.values[rows], windows.valid[rows])
        loss = torch.stack(list(head.loss(output, {"label": windows.label[rows]}).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return head.eval()


def _of_classes(windows: Windows, classes: Int[Tensor, " classes"], inside: bool) -> Windows:
    """The windows of the classes, with new labels from 0 on, or those of all other classes, with their labels."""
    rows = (windows.label[:, None] == classes).any(-1) == inside
    label = torch.searchsorted(classes, windows.label[rows]) if inside else windows.label[rows]
    return Windows(windows.values[rows], windows.valid[rows], label)


def few_shot(
    train: Windows, val: Windows, labels: tuple[str, ...], shots: int, seed: int, describer: ActionHead | None = None
) -> float:
    """Macro accuracy on all validation windows, with exemplars drawn from the training windows."""
    rng, label = np.random.default_rng(seed), train.label.numpy()
    drawn = np.concatenate(
        [rng.choice(np.flatnonzero(label == i), shots, replace=False) for i in range(len(labels))]
    ).tolist()
    exemplars = [_embedding(train.values[i][train.valid[i]], "same") for i in drawn]
    head = FewShotHead.from_clips(exemplars, [labels[int(label[i])] for i in drawn], describer)
    with torch.no_grad():
        return macro_accuracy(head(val.values, val.valid)["logit"], val.label)


def sequences_of(
    clips: Sequence[MotionClip], encoder: Encoder, labels: tuple[str, ...], length: int = 5
) -> list[tuple[MotionEmbedding, list[str]]]:
    """Sequences of clips of up to six seconds, each from its own camera; neighbours differ in action.

    A sequence is encoded as one clip. With its embedding comes the true action of each frame.
    """
    samples = SynthesizedClips(clips, CLIP_FRAMES, CLIP_FRAMES, FPS, SEED["val"], labels=labels, layout=H36M_17)
    rest = np.random.default_rng(0).permutation(len(samples)).tolist()
    classes = [samples.places[i][0].label for i in range(len(samples))]
    sequences = []
    while rest:
        chosen: list[int] = []
        for index in rest:
            if len(chosen) < length and (not chosen or classes[index] != classes[chosen[-1]]):
                chosen.append(index)
        rest = [index for index in rest if index not in chosen]
        if len(chosen) < 2:  # what is left is all of one class
            continue
        batches = [single_view(samples, index) for index in chosen]
        keypoints = torch.cat([batch["keypoints"][0] for batch in batches])
        truth = [labels[int(batch["label"])] for batch in batches for _ in range(int(batch["valid"].sum()))]
        sequences.append((_embedding(encode(normalised_for(keypoints, encoder), FPS, encoder), encoder.name), truth))
    return sequences


def segmented(head: Any, sequences: Sequence[tuple[MotionEmbedding, list[str]]], step_s: float) -> tuple[int, int, int]:
    """Numbers of frames that got their true action, of all frames, and of segments found."""
    right = frames = segments = 0
    for embedding, truth in sequences:
        timeline = head.predict_over_time(embedding, step_s=step_s)
        right += sum(found == true for found, true in zip(timeline.best, truth, strict=True))
        frames += len(truth)
        segments += len(timeline.segments())
    return right, frames, segments


def report_mistakes(clips: Sequence[MotionClip], encoder: Encoder, head: Any, views: int = 4) -> None:
    """Prints the windows of `motionrep evaluate` that the head gets wrong, and its accuracy for each class."""
    samples = SynthesizedClips(
        clips, WINDOW, WINDOW, FPS, SEED["val"], EveryWindow(WINDOW // 2, views), labels=head.labels, layout=H36M_17
    )
    right: dict[str, list[bool]] = {label: [] for label in head.labels}
    for place, (run, start_s) in enumerate(samples.places):
        true, found = head.labels[run.label], []
        for index in range(views * place, views * (place + 1)):
            keypoints = single_view(samples, index)["keypoints"][0]
            values = encode(normalised_for(keypoints, encoder), FPS, encoder)
            found.append(head.predict(_embedding(values, encoder.name)).best)
        right[true] += [one == true for one in found]
        if wrong := Counter(one for one in found if one != true):
            taken = ", ".join(f"{label} {count}" for label, count in wrong.most_common())
            print(f"| {true} | {run.name} at {start_s:g} s | {taken} |", flush=True)
    for label, ones in right.items():
        print(f"| {label} | {sum(ones)} of {len(ones)} |")


def _embedding(values: Float[Tensor, "frames joints channels"], encoder: str) -> MotionEmbedding:
    """An embedding with placeholder keypoints, of which all were seen."""
    frames = values.shape[0]
    clip = Keypoints(torch.zeros(frames, 17, 2), torch.ones(frames, 17), H36M_17, FPS, 1000, 1000)
    return MotionEmbedding(values, clip, encoder)


if __name__ == "__main__":
    main()
