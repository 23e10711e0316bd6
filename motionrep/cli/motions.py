"""Motions of the files a command was given: read, or recovered from keypoints and videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from motionrep.cli.inputs import name_of, read_shown, refuse_clip_options
from motionrep.cli.options import Axes, FrameOrder, Precision, Size, Up
from motionrep.cli.sources import RESULTS, Reading, called, kept_in, with_folders_of_videos
from motionrep.files.contents import Contents, look
from motionrep.files.kinds import kind_of
from motionrep.weights import DEFAULT_GROUND_HEAD, DEFAULT_HEAD

if TYPE_CHECKING:
    from motionrep.pipeline import Recovered, Recoverer
    from motionrep.viewing import ViewedMotion


@dataclass(frozen=True)
class Recovery:
    """The options of a command about how keypoints become motions."""

    heads: Sequence[str] | None
    encoder: str | None
    camera: str | None
    layout: str | None
    fps: float | None
    size: Size | None
    device: str
    precision: Precision
    run_folder: Path | None = None
    frame_order: FrameOrder = "number"
    all_persons: bool = False
    detector: str | None = None
    video: Path | None = None
    body: str | None = None

    @property
    def reading(self) -> Reading:
        """The options about how files and videos become keypoints."""
        return Reading(
            self.layout, self.fps, self.size, self.frame_order, self.all_persons, self.detector, self.device, self.video
        )

    def people(self, contents: Contents, kept: Path, person: int | None) -> "list[Recovered]":
        """What the heads make of everybody in a video or a keypoint file, or of one person."""
        from motionrep.pipeline.people import chosen

        clips = chosen(self.reading.read(contents, kept), person)
        recoverer = self.recoverer()
        if self.camera is not None:
            recoverer = recoverer.with_camera(self.camera, list(clips.values()))
        return list(recoverer.together(clips))

    def recoverer(self) -> "Recoverer":
        """The networks, loaded."""
        import torch

        from motionrep.pipeline import Recoverer, load_networks

        networks = load_networks(*self.networks(), self.device, self.body)
        return Recoverer(*networks, device=self.device, dtype=getattr(torch, self.precision), progress=True)

    def networks(self) -> tuple[Sequence[str], Path | str | None]:
        """The heads, and the encoder if it is another one than they say."""
        heads, encoder = self.heads, self.encoder
        if self.run_folder is not None:
            from motionrep.pipeline.run_folders import run_networks

            encoder, trained = run_networks(self.run_folder, encoder)
            heads = heads or list(map(str, trained))
        return heads or [DEFAULT_HEAD, DEFAULT_GROUND_HEAD], encoder


def viewed_motions(
    paths: Sequence[Path],
    recovery: Recovery,
    person: int | None,
    frame: Axes | None,
    folder: Path = RESULTS,
    up: Up | None = None,
) -> "list[ViewedMotion]":
    """The persons of all the files, named after the file; keypoints are embedded and go through the heads.

    Args:
        folder: Where the keypoints of videos are kept.
    """
    paths = with_folders_of_videos(paths)
    files = [look(path) for path in paths]
    motions = [file for file in files if kind_of(file).holds in ("motion", "joints")]
    if len(motions) == len(files):
        refuse_clip_options(
            files, **recovery.reading.of_files, encoder=recovery.encoder, camera=recovery.camera,
            head=recovery.heads, run=recovery.run_folder, fps=recovery.fps, detector=recovery.detector,
        )  # fmt: skip
    else:
        recovery.reading.look(*(file.path for file in files if file not in motions))
    found: list[ViewedMotion] = []
    recoverer = recovery.recoverer() if len(motions) < len(files) else None
    for file, kept in zip(files, kept_in(folder, paths), strict=True):
        if file in motions:
            found += _read(file, frame, recovery.fps, person, up)
        elif recoverer is not None:
            found += _recovered(file, kept, recovery, recoverer, person)
    return found


def _read(
    file: Contents, frame: Axes | None, fps: float | None, person: int | None, up: Up | None
) -> "list[ViewedMotion]":
    from motionrep.motion.loading import one_motion
    from motionrep.viewing import ViewedMotion

    motions = read_shown(file, frame, fps, up=up)
    chosen = {index: motion for index, motion in enumerate(motions) if person in (None, index)}
    if not chosen:
        one_motion(motions, person, file.path)  # says which there are
    return [ViewedMotion(name_of(called(file.path), index, len(motions)), motion) for index, motion in chosen.items()]


def _recovered(
    file: Contents, kept: Path, recovery: Recovery, recoverer: "Recoverer", person: int | None
) -> "list[ViewedMotion]":
    from motionrep.pipeline.networks import endings
    from motionrep.pipeline.people import chosen
    from motionrep.types import BodyMotion, JointMotion
    from motionrep.viewing import ViewedMotion

    people = recovery.reading.read(file, kept)
    taken = chosen(people, person)
    if recovery.camera is not None:
        recoverer = recoverer.with_camera(recovery.camera, list(taken.values()))
    found = []
    for recovered in recoverer.together(taken):
        clip, name = recovered.keypoints, name_of(called(file.path), recovered.index, len(people))
        shown = {
            head: recovered.saved(head)
            for head, result in recovered.results.items()
            if isinstance(result, BodyMotion | JointMotion)
        } or {"": recovered.motion}  # which says what there is instead
        for head, motion in shown.items():
            label = ", ".join([name, *([endings(shown)[head].strip("_")] if len(shown) > 1 else [])])
            found.append(ViewedMotion(label, motion, clip, recovered.embedding, recovery.reading.filmed_in(file)))
    return found
