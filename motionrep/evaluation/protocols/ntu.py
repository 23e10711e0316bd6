"""NTU RGB+D's protocols: classes of clips across subjects and views, and one-shot recognition."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.datasets.benchmarks.labelled import LabelledClip
from motionrep.datasets.benchmarks.ntu import EXEMPLARS, NtuName, ntu_class, parse_ntu_name
from motionrep.datasets.benchmarks.pyskl import PysklFile, read_pyskl
from motionrep.evaluation.ensembles import inputs_of, mean_score, members_of
from motionrep.evaluation.metrics import confusion_of, macro_accuracy, topk
from motionrep.evaluation.predictor import Predictor
from motionrep.evaluation.protocols.ntu_motionbert import motionbert_output
from motionrep.files.progress import progress_bar
from motionrep.head_api.published_actions import PublishedAction, PublishedOneShot
from motionrep.keypoints.ntu_actions import NTU_ACTIONS
from motionrep.types import ActionScores

_UNITS = {"top1": "%", "top5": "%", "macro_accuracy": "%"}


def evaluate_ntu60_xsub(data: Path, predictor: Predictor, ensemble: str | None = None) -> dict[str, Any]:
    """60 classes, tested on the subjects that are not for training; see `_recognition`."""
    return _recognition(data, predictor, ensemble, 60, "xsub", lambda name: not name.trains_xsub)


def evaluate_ntu60_xview(data: Path, predictor: Predictor, ensemble: str | None = None) -> dict[str, Any]:
    """60 classes, tested on camera 1, while the others are for training; see `_recognition`."""
    return _recognition(data, predictor, ensemble, 60, "xview", lambda name: not name.trains_xview)


def evaluate_ntu120_xsub(data: Path, predictor: Predictor, ensemble: str | None = None) -> dict[str, Any]:
    """120 classes, tested on the subjects that are not for training; see `_recognition`."""
    return _recognition(data, predictor, ensemble, 120, "xsub", lambda name: not name.trains_xsub)


def evaluate_ntu120_xset(data: Path, predictor: Predictor, ensemble: str | None = None) -> dict[str, Any]:
    """120 classes, tested in the setups with odd numbers; see `_recognition`."""
    return _recognition(data, predictor, ensemble, 120, "xset", lambda name: not name.trains_xset)


def evaluate_ntu120_oneshot(data: Path, predictor: Predictor) -> dict[str, Any]:
    """20 classes with one published exemplar each: a clip gets the class of the nearest exemplar, by cosine.

    The vector of a clip is the mean over its persons' embeddings, each the mean over frames and joints. With
    MotionBERT's head for one-shot recognition it is that of the head, of clips as its own evaluation reads them. Every
    sample of the 20 classes except the exemplars is classified. The encoder must not have been trained on any of them.

    Args:
        data: `ntu120_hrnet.pkl` of pyskl, or `ntu120_hrnet_oneshot.pkl` of MotionBERT.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A broken file, an exemplar is missing, or another head.
    """
    if predictor.head is not None and not isinstance(predictor.head, PublishedOneShot):
        raise ValueError(
            "the protocol compares embeddings; it takes no head, or MotionBERT's for one-shot recognition, got "
            f"{type(predictor.head).__name__}"
        )
    file = read_pyskl(data)
    novel = [name for name in file.annotations if parse_ntu_name(name).is_novel]
    if lacking := [name for name in EXEMPLARS if name not in novel]:
        raise ValueError(f"{data}: lacks the exemplar(s) {', '.join(lacking)}; the protocol needs all 20")
    clips = {clip.name: clip for clip in file.listed(novel, NTU_ACTIONS)}
    queries = [clip for name, clip in clips.items() if name not in EXEMPLARS]
    if not queries:
        raise ValueError(f"{data}: has no sample of the 20 classes besides the exemplars")
    asked = progress_bar([*(clips[name] for name in EXEMPLARS), *queries], "evaluate", "clip")
    vectors = [_clip_vector(listed.read(), file, predictor) for listed in asked]
    unit = torch.nn.functional.normalize(torch.stack(vectors).double(), dim=-1)
    similarity = unit[len(EXEMPLARS) :] @ unit[: len(EXEMPLARS)].T
    classes = tuple(clips[name].action for name in EXEMPLARS)
    label = torch.tensor([classes.index(clip.action) for clip in queries])
    details = {"classes": 20, "clips": len(queries), "exemplars": "the 20 published ones", "similarity": "cosine"}
    if predictor.head is None:
        details["persons"] = "mean of the vectors of all persons seen; vector: mean over frames and joints"
    else:
        details["persons"] = "the first two, at once, in one box; vector: that of the head"
        details["frames"] = f"whole clips, stretched to {predictor.head.stretched_to}"
    result = _result("ntu120-oneshot/1", similarity, label, details, predictor)
    return result | confusion_of(similarity, label, classes)


def _recognition(
    data: Path,
    predictor: Predictor,
    ensemble: str | None,
    classes: int,
    split: str,
    is_test: Callable[[NtuName], bool],
) -> dict[str, Any]:
    """Accuracies of a head with NTU RGB+D's first 60 or 120 classes; scores are averaged over the persons of a clip.

    The split is the published one, by the names of the recordings. A split of that name in the file must agree.
    Besides the accuracies there are `per_class`, the share in percent of each class that was recognised, and
    `confusion`, how often a clip of the class of a row was taken for the class of a column; `classes` names both. With
    an ensemble these are of all networks together, and `members` has the accuracies of each.

    Args:
        data: `ntu60_hrnet.pkl` or `ntu120_hrnet.pkl` of pyskl (HRNet's 2D keypoints, COCO-17).
        ensemble: See `members_of`; such as a run on bones beside one on joints.

    Raises:
        FileNotFoundError: No such file or run.
        ValueError: A broken file, a split that is not the published one, or a head with other classes.
    """
    file = read_pyskl(data)
    named = {name: parse_ntu_name(name) for name in file.annotations}
    names = [name for name, said in named.items() if said.action <= classes and is_test(said)]
    if not names:
        raise ValueError(f"{data}: has no recording of the test part of {split}")
    _require_same_split(file, f"{split}_val", names)
    members = members_of(predictor, ensemble)
    scores: dict[str, list[Tensor]] = {name: [] for name in members}
    label = []
    for listed in progress_bar(file.listed(names, NTU_ACTIONS), "evaluate", "clip"):
        clip = listed.read()
        label.append(NTU_ACTIONS.index(clip.action))
        for name, member in members.items():
            scores[name].append(_scores_by_class(clip, file, member, classes))
    frames = predictor.head.stretched_to if isinstance(predictor.head, PublishedAction) else None
    details: dict[str, Any] = {
        "classes": classes,
        "clips": len(names),
        "split": split,
        "persons": "mean of the scores of all persons seen" if frames is None else "the first two, at once, in one box",
        "frames": "whole clips, not resampled" if frames is None else f"whole clips, stretched to {frames}",
    }
    if len(members) > 1:
        details["ensemble"] = f"mean of the probabilities of {inputs_of(members)}"
    of_each, labels = {name: torch.stack(rows) for name, rows in scores.items()}, torch.tensor(label)
    score = mean_score(list(of_each.values()))
    result = _result(f"ntu{classes}-{split}/1", score, labels, details, predictor)
    if len(members) > 1:
        result["members"] = {name: _metrics(one, labels) for name, one in of_each.items()}
    return result | confusion_of(score, labels, NTU_ACTIONS[:classes])


def _require_same_split(file: PysklFile, split: str, names: list[str]) -> None:
    stored = set(file.splits.get(split, names))
    if differing := sorted(stored.symmetric_difference(names)):
        raise ValueError(
            f"{file.path}: its split {split!r} is not the published one: {len(differing)} recordings differ, such as "
            f"{differing[0]}"
        )


def _scores_by_class(
    clip: LabelledClip, file: PysklFile, predictor: Predictor, classes: int
) -> Float[Tensor, " classes"]:
    """Means over the persons; a published head reads two at once, as MotionBERT's own evaluation does."""
    columns = partial(_columns, classes=classes)
    if isinstance(predictor.head, PublishedAction):
        logit = motionbert_output(file.annotations[clip.name], predictor, predictor.head.stretched_to)
        return logit[columns(predictor.head.labels)]
    logits = []
    for person in _seen(clip):
        scores = predictor.motion(person)
        if not isinstance(scores, ActionScores):
            raise ValueError(f"the head predicts {type(scores).__name__}; the protocol scores actions")
        logits.append(scores.logit[columns(scores.labels)])
    return torch.stack(logits).mean(0)


def _columns(labels: tuple[str, ...], classes: int) -> list[int]:
    """The columns of the first classes in the head's scores."""
    try:
        numbers = [ntu_class(label) for label in labels]
    except ValueError as error:
        raise ValueError(f"the head's classes are not NTU RGB+D's {classes}: {error}; train a head on them") from error
    if sorted(numbers) != list(range(1, classes + 1)):
        raise ValueError(f"the head has {len(set(numbers))} of NTU RGB+D's classes, the protocol the first {classes}")
    return [numbers.index(number) for number in range(1, classes + 1)]


def _clip_vector(clip: LabelledClip, file: PysklFile, predictor: Predictor) -> Float[Tensor, " channels"]:
    if predictor.head is not None:
        return motionbert_output(file.annotations[clip.name], predictor, predictor.head.stretched_to)
    return torch.stack([predictor.embed(person).per_clip() for person in _seen(clip)]).mean(0)


def _seen(clip: LabelledClip) -> list[Any]:
    """The persons who are seen in some frame; the first person where nobody is."""
    return [person for person in clip.persons if bool((person.confidence > 0).any())] or [clip.keypoints]


def _result(name: str, score: Tensor, label: Tensor, details: dict[str, Any], predictor: Predictor) -> dict[str, Any]:
    used = predictor.details() | {"flip_averaging": False}
    return {
        "metrics": _metrics(score, label),
        "units": _UNITS,
        "protocol": {"id": name, "keypoints": "keypoint of the file"} | details | used,
    }


def _metrics(score: Tensor, label: Tensor) -> dict[str, float]:
    """In percent."""
    metrics = {
        "top1": topk(score, label, 1),
        "top5": topk(score, label, 5),
        "macro_accuracy": macro_accuracy(score, label),
    }
    return {key: 100 * value for key, value in metrics.items()}
