"""Measures an action head on clips that it was not trained on, by two-fold cross-validation over the training clips.

    python benchmarks/action_folds.py --data MOTIONS --rate 0.003 --dropout 0.3

For choosing how to train the head without the validation clips. Whole clips are held out, in two divisions, each both
ways. Classes with a single clip are always trained on and not scored. The encoder should have been trained without
labels of actions, or it knows those of the clips that are held out.
"""

import argparse
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import motionrep
from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.datasets.synthetic.clips import RandomWindows, SynthesizedClips
from motionrep.embedding.inputs import normalised_for
from motionrep_heads.action import ActionHead

BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", default="ktpformer-s")
    parser.add_argument("--views", type=int, default=3840)
    parser.add_argument("--epochs", type=int, default=107)
    parser.add_argument("--rate", type=float, default=0.001)
    parser.add_argument("--dropout", type=float, default=0.5)
    options = parser.parse_args()
    batch, names, labels = encoded_views(options.data, options.encoder, options.views)
    right: dict[int, list[float]] = defaultdict(list)
    for division in (0, 1):
        fold = folds(names, batch["label"].tolist(), division)
        for held_out in (0, 1):
            torch.manual_seed(100 * division + held_out)
            train, test = (fold != held_out).nonzero()[:, 0], (fold == held_out).nonzero()[:, 0]
            head = ActionHead(batch["representation"].shape[-1], labels, dropout=options.dropout)
            fit(head, batch, train, options.epochs, options.rate)
            with torch.no_grad():
                found = torch.cat([_logit(head, batch, rows).argmax(-1) for rows in test.split(256)])
            for label in set(batch["label"][test].tolist()):
                of_class = batch["label"][test] == label
                right[label].append(float((found[of_class] == label).float().mean()))
    for label, shares in sorted(right.items()):
        print(f"{labels[label]:14s} {np.mean(shares):.3f}")
    print(f"macro accuracy {np.mean([np.mean(shares) for shares in right.values()]):.3f}")


@torch.no_grad()
def encoded_views(data: Path, name: str, views: int) -> tuple[dict[str, Tensor], list[str], tuple[str, ...]]:
    """Random views: `representation` (views frames joints channels), `valid`, `label`; their clips; the classes."""
    encoder = motionrep.load_encoder(name)
    clips = [clip for clip in load_motion_folder(data, "train") if clip.core]
    labels = tuple(sorted({clip.action for clip in clips if clip.action is not None}))
    frames, fps = encoder.frames, encoder.fps or 30.0
    samples = SynthesizedClips(clips, frames, frames, fps, 0, RandomWindows(views), labels=labels)
    parts: dict[str, list[Tensor]] = defaultdict(list)
    names = []
    for start in range(0, views, BATCH):
        keys = [(0, index) for index in range(start, min(start + BATCH, views))]
        names += [samples._draw(*key).run.name for key in keys]
        batch = samples.__getitems__(keys)
        with torch.autocast("cpu", torch.bfloat16):
            parts["representation"].append(encoder(normalised_for(batch["keypoints"], encoder)).bfloat16())
        for key in ("valid", "label"):
            parts[key].append(batch[key])
    return {key: torch.cat(tensors) for key, tensors in parts.items()}, names, labels


def folds(names: list[str], label: list[int], seed: int) -> Tensor:
    """The fold of each view, 0 or 1, by its clip; half of the clips of each class in each, -1 for a class of one."""
    generator = torch.Generator().manual_seed(seed)
    of_clip: dict[str, int] = {}
    for one in dict.fromkeys(label):
        clips = sorted({name for name, its in zip(names, label, strict=True) if its == one})
        for rank, place in enumerate(torch.randperm(len(clips), generator=generator).tolist()):
            of_clip[clips[place]] = rank % 2 if len(clips) > 1 else -1
    return torch.tensor([of_clip[name] for name in names])


def fit(head: ActionHead, batch: dict[str, Tensor], rows: Tensor, epochs: int, rate: float) -> None:
    """Trains as `motionrep finetune` does: AdamW with a rate that rises for 50 steps and falls along a cosine."""
    optimizer = torch.optim.AdamW(head.parameters(), lr=rate, weight_decay=0.01)
    steps = epochs * (len(rows) // BATCH)
    order = torch.cat([rows[torch.randperm(len(rows))][: len(rows) // BATCH * BATCH] for _ in range(epochs)])
    for step, some in enumerate(order.split(BATCH)):
        for group in optimizer.param_groups:
            group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / steps)) * min(1.0, (step + 1) / 50)
        output = head(batch["representation"][some].float(), batch["valid"][some])
        loss = torch.stack(list(head.loss(output, {"label": batch["label"][some]}).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    head.eval()


def _logit(head: ActionHead, batch: dict[str, Tensor], rows: Tensor) -> Tensor:
    return head(batch["representation"][rows].float(), batch["valid"][rows])["logit"]


if __name__ == "__main__":
    main()
