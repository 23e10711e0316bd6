"""What was recovered of one person, and how it is saved."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from motionrep.files.writing import write_json
from motionrep.geometry.cameras import PinholeCamera
from motionrep.pipeline.cameras import stands_in_world
from motionrep.pipeline.networks import endings
from motionrep.types import ActionScores, ActionTimeline, BodyMotion, Frame, JointMotion, Keypoints, MotionEmbedding


@dataclass(frozen=True)
class Recovered:
    """The results of one person; all tensors are on the CPU.

    Attributes:
        index: Place of the person in the source, from 0.
        embedding: Of the clip as it is, not mirrored.
        results: What each head predicts, by the head's name. Motions are in camera axes, or relative to the pelvis.
        timelines: What an action head says over time, by the head's name.
        camera: The one that the person is placed in; None is one with a horizontal field of view of 50 degrees.
    """

    index: int
    keypoints: Keypoints
    embedding: MotionEmbedding
    results: Mapping[str, Any]
    timelines: Mapping[str, ActionTimeline] = field(default_factory=dict)
    camera: PinholeCamera | None = None

    @property
    def motion(self) -> BodyMotion | JointMotion:
        """The first motion among the results.

        Raises:
            ValueError: No head predicts a motion.
        """
        return self._first(BodyMotion | JointMotion, "motion")

    @property
    def actions(self) -> ActionScores:
        """The first action scores among the results.

        Raises:
            ValueError: No head predicts actions.
        """
        return self._first(ActionScores, "action scores")

    @property
    def timeline(self) -> ActionTimeline:
        """The first action scores over time; those of the whole clip in every frame where it was one window.

        Raises:
            ValueError: No head predicts actions.
        """
        for timeline in self.timelines.values():
            return timeline
        probability = self.actions.probability()
        return ActionTimeline(
            probability.repeat(self.keypoints.frame_count, 1), self.actions.labels, self.keypoints.fps
        )

    def saved_frame(self, motion: BodyMotion | JointMotion) -> Frame:
        """The axes in which `save` writes a motion: the world's for bodies, where the camera's place in it is known."""
        in_world = isinstance(motion, BodyMotion) and self.camera is not None and stands_in_world(self.camera)
        return "world" if in_world else motion.frame

    def saved(self, head: str) -> BodyMotion | JointMotion:
        """The motion of a head in the axes in which `save` writes it."""
        from motionrep.motion.axes import in_world  # brings roma, which takes as long as torch

        result = self.results[head]
        if isinstance(result, BodyMotion) and self.camera and self.saved_frame(result) == "world":
            return in_world(result, self.camera)
        return result

    @property
    def placed(self) -> BodyMotion | JointMotion:
        """The first motion in the axes in which `save` writes it; raises as `motion` does."""
        motion = self.motion
        return self.saved(next(head for head, result in self.results.items() if result is motion))

    def endings(self) -> dict[str, str]:
        """What comes before the suffix of each head's file; nothing where it alone gives motions, or actions."""
        found: dict[str, str] = {}
        for kind in (BodyMotion | JointMotion, ActionScores):
            found |= endings({head: None for head, result in self.results.items() if isinstance(result, kind)})
        return found

    def save(self, folder: Path | str, name: str = "clip") -> dict[str, Path]:
        """Writes `NAME_INDEX.npz` for motions and `NAME_INDEX.json` for actions.

        Where several heads give motions, or several give actions, the head's name comes before the suffix. Results of
        other types are not written.

        Returns:
            The path of each head's file.

        Raises:
            OSError: A file cannot be written; what was there before stays.
        """
        from motionrep.motion.saving import save_motion  # brings roma, which takes as long as torch

        paths = {}
        for head, ending in self.endings().items():
            result, path = self.results[head], Path(folder) / f"{name}_{self.index}{ending}"
            if isinstance(result, BodyMotion | JointMotion):
                paths[head] = path.with_name(path.name + ".npz")
                save_motion(self.saved(head), paths[head])
            elif isinstance(result, ActionScores):
                paths[head] = path.with_name(path.name + ".json")
                write_json(_scores(result, self.timelines.get(head), self.keypoints), paths[head])
        return paths

    def _first(self, kind: Any, what: str) -> Any:
        for result in self.results.values():
            if isinstance(result, kind):
                return result
        given = ", ".join(f"{head!r} gives {type(result).__name__}" for head, result in self.results.items())
        raise ValueError(f"no head predicts {what}: {given}; add one that does")


def _scores(scores: ActionScores, timeline: ActionTimeline | None, person: Keypoints) -> dict[str, Any]:
    probability = dict(zip(scores.labels, scores.probability().tolist(), strict=True))
    content: dict[str, Any] = {
        "format": "motionrep action scores 1", "person": person.person, "first_frame": person.first_frame,
        "fps": person.fps, "best": scores.best, "probability": probability,
    }  # fmt: skip
    return content if timeline is None else content | {"over_time": _over_time(timeline)}


def _over_time(timeline: ActionTimeline) -> dict[str, Any]:
    """What is done from when to when, and the probability of each class about every half second."""
    every = max(1, round(timeline.fps / 2))
    shown = timeline.probability[::every]
    return {
        "segments": [asdict(segment) for segment in timeline.segments()],
        "time_s": [round(frame / timeline.fps, 4) for frame in range(0, len(timeline.probability), every)],
        "probability": {
            label: [round(value, 4) for value in column.tolist()]
            for label, column in zip(timeline.labels, shown.T, strict=True)
        },
    }
