"""From a video or keypoints to what heads make of them, on one device from the first step to the last."""

import inspect
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from motionrep.embedding import embed, mirrored
from motionrep.encoders import Encoder
from motionrep.geometry.cameras import PinholeCamera
from motionrep.layouts import H36M_17, JointLayout
from motionrep.motion.contacts import Ground
from motionrep.pipeline.cameras import camera_of, places_people
from motionrep.pipeline.floor import on_one_floor
from motionrep.pipeline.long_clips import HeadsOnWays, found_in_pieces, without_values
from motionrep.pipeline.networks import load_networks
from motionrep.pipeline.people import chosen
from motionrep.pipeline.pieces import PIECE_FRAMES, NamedClip
from motionrep.pipeline.result import Recovered
from motionrep.pipeline.sources import clips_of
from motionrep.types import ActionTimeline, BodyMotion, Keypoints, MotionEmbedding
from motionrep.weights import DEFAULT_ACTION_HEAD, DEFAULT_GROUND_HEAD, DEFAULT_HEAD

logger = logging.getLogger(__name__)


def recover(
    source: Keypoints | Sequence[Keypoints] | Path | str,
    heads: Sequence[str | Path | nn.Module] = (DEFAULT_HEAD, DEFAULT_ACTION_HEAD, DEFAULT_GROUND_HEAD),
    *,
    encoder: Encoder | str | Path | None = None,
    camera: PinholeCamera | str | Path | None = None,
    flip: bool = False,
    refine: bool = False,
    person: int | None = None,
    layout: JointLayout | str | None = None,
    fps: float | None = None,
    size_px: tuple[int, int] | None = None,
    all_persons: bool = False,
    detector: str | None = None,
    body: str | Path | None = None,
    device: str | torch.device = "cpu",
) -> list[Recovered]:
    """What heads make of every person of a video or clip: body meshes, actions, 3D poses.

        for person in motionrep.recover("dance.mp4"):
            keypoints, embedding = person.keypoints, person.embedding
            vertex_m, action = person.motion.mesh().vertex_m, person.actions.best
            person.save("results", "dance")

    `Recoverer` is the same for many clips: it loads the networks once.

    Args:
        source: A video, a folder of pictures, a keypoint file, a clip, or clips. A video's keypoints are found with
            `motionrep.detect`; keep its result to recover the same people again.
        heads: What `load_head` takes, all of one encoder.
        encoder: What `load_encoder` takes; None is the one that the heads were trained on.
        camera: The camera that took the clip, its .json file, "fit" to estimate its field of view, or "weak" for one
            very far away. None assumes a horizontal field of view of 50 degrees.
        flip: Averages with what is made of the mirrored clip: twice the time, fewer errors.
        refine: Moves bodies nearer to the keypoints and smooths them (`motionrep.refine`).
        person: Place of the only person to recover, from 0; None is everybody.
        layout: Joint order, frame rate and image size of a keypoint file that does not say them (`load_keypoints`).
        all_persons: Keeps the people of a keypoint file who were seen in few frames and with little confidence.
        detector: Of a video's keypoints; None is `motionrep.detect`'s default.
        body: The body to give meshes on, as in `load_networks`; None is that of the heads.
        device: Where everything is computed; results are on the CPU.

    Returns:
        One result for each person, in the order of the source.

    Raises:
        FileNotFoundError: No such file, head or encoder.
        ValueError: As `load_keypoints`, `detect`, `load_head`, `load_encoder`; heads of different encoders; a camera
            that no head uses; nothing to refine or to average.
    """
    clips = chosen(clips_of(source, layout, fps, size_px, detector, device, all_persons), person)
    recoverer = Recoverer(*load_networks(heads, encoder, device, body), flip=flip, refine=refine, device=device)
    if camera is not None:
        recoverer = recoverer.with_camera(camera, list(clips.values()))
    return list(recoverer.together(clips))


@dataclass(frozen=True)
class Recoverer:
    """An encoder and heads, and how they are used on a clip; call it with the clip of one person.

        recoverer = Recoverer(*load_networks(["mesh-ktpformer-s"], device="cuda"), flip=True, device="cuda")
        results = [recoverer(clip) for clip in clips]

    Attributes:
        encoder, heads: On the device already, as `load_networks` gives them.
        window_s: Action heads also give their scores over time, by windows so long, of clips that are longer.
        step_s: From one such window to the next; a quarter of a window when None.
        keeps_embedding: Without it, results of clips of more than `PIECE_FRAMES` frames have an embedding without
            channels, and the memory needed does not grow with it (`long_clips.found_in_pieces`).
    """

    encoder: Encoder
    heads: Mapping[str, Any]
    camera: PinholeCamera | None = None
    flip: bool = False
    refine: bool = False
    window_s: float = 2.0
    step_s: float | None = None
    device: str | torch.device = "cpu"
    dtype: torch.dtype = torch.float32
    progress: bool = False
    keeps_embedding: bool = True

    def __call__(self, clip: Keypoints, index: int = 0) -> Recovered:
        """What the heads make of one person's clip.

        Raises:
            ValueError: Nobody was seen, or no head gives what is to be refined or averaged.
        """
        return self._finished([self._found_of(clip, index)])[0]

    def together(self, clips: Mapping[int, Keypoints]) -> Iterator[Recovered]:
        """What the heads make of each person of a clip; on one floor (`on_one_floor`) if a head tells of the ground.

        Args:
            clips: By their place in the source.

        Raises:
            ValueError: As a call does.
        """
        standing = []
        for index, clip in clips.items():
            found = self._found_of(clip, index)
            if _tells_ground(found):
                standing.append(found)
            else:
                yield self._finished([found])[0]
        yield from self._finished(standing)

    def ways(self, clip: Keypoints) -> list[Keypoints]:
        """The clip and, with `flip`, its mirror image."""
        return [clip, mirrored(clip)] if self.flip else [clip]

    def of_embeddings(self, clip: Keypoints, ways: Sequence[MotionEmbedding], index: int = 0) -> Recovered:
        """What the heads make of a clip that is encoded already; raises as a call does.

        Args:
            ways: The embeddings of `self.ways(clip)`, on the device.
        """
        return self._finished([self._found(clip, ways, index)])[0]

    @property
    def used_step_s(self) -> float:
        """From one window of an action head to the next."""
        return self.window_s / 4 if self.step_s is None else self.step_s

    def embed(self, clip: Keypoints) -> MotionEmbedding:
        """The embedding of one person's clip, on the device."""
        options = {"device": self.device, "dtype": self.dtype, "progress": self.progress}
        return embed(clip, self.encoder, **options).to(self.device)

    def with_camera(self, camera: PinholeCamera | str | Path, clips: Sequence[Keypoints]) -> "Recoverer":
        """The same with the camera that took the clips; "fit" fits it to the person who is seen most.

        Raises:
            ValueError: As `pipeline.cameras.camera_of` and `PinholeCamera.during`.
        """
        most_seen = max(clips, key=lambda clip: float(clip.confidence.sum()))
        embedding = self.embed(most_seen) if camera == "fit" else None
        found = camera_of(camera, most_seen, self.heads, embedding)
        for clip in clips:
            found.during(clip.first_frame, clip.frame_count)  # says where a moving camera is not known
        return replace(self, camera=found)

    def _found_of(self, clip: Keypoints, index: int) -> Recovered:
        """`_found` of a clip that is not encoded yet."""
        if not self.keeps_embedding and clip.frame_count > PIECE_FRAMES:
            over_time = self._over_time if self._has_timeline(clip) else None
            used = HeadsOnWays(dict(self.heads), self._predicted, over_time)
            named = NamedClip(str(clip.person), self.ways(clip))
            found = found_in_pieces(named, self.encoder, used, self.device, self.dtype, self.progress)
            if found is not None:
                results = {name: _with_ends(result, clip, self.camera) for name, result in found[0].items()}
                embedding = without_values(clip, self.encoder)
                return Recovered(index, clip, embedding, results, found[1], self.camera)
        return self._found(clip, [self.embed(one) for one in self.ways(clip)], index)

    def _found(self, clip: Keypoints, ways: Sequence[MotionEmbedding], index: int) -> Recovered:
        """What the heads say, before people are put on a floor or refined."""
        results = {name: self._predicted(head, ways) for name, head in self.heads.items()}
        results = {name: _with_ends(result, clip, self.camera) for name, result in results.items()}
        return Recovered(index, clip, ways[0].to("cpu"), results, _on_cpu(self._timelines(ways)), self.camera)

    def _finished(self, people: Sequence[Recovered]) -> list[Recovered]:
        """People of one clip, on one floor and refined where that is asked for; on the CPU."""
        if self.refine:
            for one in people:
                _require_body(one.results)
        if any(map(_tells_ground, people)):
            people = on_one_floor(people, self.refine)
        elif self.refine:
            people = [replace(one, results=self._refined(one.results, one.keypoints)) for one in people]
        return [replace(one, results=_on_cpu(one.results)) for one in people]

    def _predicted(self, head: Any, ways: Sequence[MotionEmbedding], betas: torch.Tensor | None = None) -> Any:
        """What a head says of the clip, or the mean with what it says of the mirrored clip."""
        known = {} if betas is None else {"betas": betas}
        if self.camera is None or not places_people(head):
            return _mean([head.predict(way, **known) for way in ways])
        options = known | ({"frame": "camera"} if "frame" in inspect.signature(head.predict).parameters else {})
        cameras = (self.camera, self.camera.mirrored())
        return _mean([head.predict(way, camera=seen, **options) for way, seen in zip(ways, cameras, strict=False)])

    def _refined(self, results: Mapping[str, Any], clip: Keypoints) -> dict[str, Any]:
        return {
            name: _refined(result, clip, self.camera, self.progress) if isinstance(result, BodyMotion) else result
            for name, result in results.items()
        }

    def _timelines(self, ways: Sequence[MotionEmbedding]) -> dict[str, ActionTimeline]:
        if not self._has_timeline(ways[0].keypoints):
            return {}
        heads = {name: head for name, head in self.heads.items() if hasattr(head, "predict_over_time")}
        return {name: self._over_time(head, ways) for name, head in heads.items()}

    def _has_timeline(self, clip: Keypoints) -> bool:
        return clip.frame_count / clip.fps > self.window_s

    def _over_time(self, head: Any, ways: Sequence[MotionEmbedding]) -> ActionTimeline:
        return _mean([head.predict_over_time(way, self.window_s, self.used_step_s) for way in ways])


def _require_body(results: Mapping[str, Any]) -> None:
    if not any(isinstance(result, BodyMotion) for result in results.values()):
        given = ", ".join(f"{name!r} gives {type(result).__name__}" for name, result in results.items())
        raise ValueError(f"refine: needs a body mesh, but {given}; leave it out, or add a head that gives one")


def _tells_ground(one: Recovered) -> bool:
    return any(isinstance(result, Ground) for result in one.results.values())


def _mean(results: Sequence[Any]) -> Any:
    if len(results) == 1:
        return results[0]
    from motionrep.head_api.flip_averaging import flip_averaged  # brings roma, which takes as long as torch

    try:
        return flip_averaged(*results)
    except TypeError as error:
        raise ValueError(f"flip: {error}; leave it out for this head") from error


def _with_ends(result: Any, clip: Keypoints, camera: PinholeCamera | None) -> Any:
    """A body whose wrists and ankles follow the keypoints of hands and feet, if there are any; others as they are."""
    if not isinstance(result, BodyMotion) or clip.layout.joint_count <= H36M_17.joint_count:
        return result
    from motionrep.fitting.limb_ends import with_hands_and_feet  # brings roma, which takes as long as torch

    return with_hands_and_feet(result, clip, camera)


def _refined(motion: BodyMotion, clip: Keypoints, camera: PinholeCamera | None, progress: bool) -> BodyMotion:
    from motionrep.fitting.keypoints import refine, reprojection_error_px  # brings roma, which takes as long as torch

    try:
        refined = refine(motion, clip, camera, progress)
    except ValueError as error:
        logger.warning("person %s is not refined: %s", clip.person, error)
        return motion
    before_px, after_px = (reprojection_error_px(one, clip, camera) for one in (motion, refined))
    logger.info(
        "person %s: %.1f px from the keypoints before refinement, %.1f px after", clip.person, before_px, after_px
    )
    return refined


def _on_cpu(results: Mapping[str, Any]) -> dict[str, Any]:
    return {name: result.to("cpu") if hasattr(result, "to") else result for name, result in results.items()}
