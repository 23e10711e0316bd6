"""Reads what other systems found in a clip, in the camera and, where the file tells, in the world."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Bool
from torch import Tensor

from motionrep.body.loading import load_body_model
from motionrep.files.contents import Contents, look
from motionrep.files.kinds import kind_of, require_kind
from motionrep.files.recognising_keypoints import landmark_frames
from motionrep.layouts import H36M_17, MEDIAPIPE_33, to_h36m_17
from motionrep.motion.joint_loading import load_joints
from motionrep.motion.loading import body_meant, load_motions
from motionrep.types import BodyMotion, JointMotion

_WORLD_LANDMARKS = ("pose_world_landmarks", "poseWorldLandmarks", "worldLandmarks", "world_landmarks")


@dataclass(frozen=True)
class Result:
    """What was found of one person.

    Attributes:
        camera: In camera axes, or the same with the pelvis at the origin; None where the file holds the world alone.
        world: In world axes; None where the file does not tell.
        joints: Which of Human3.6M's 17 joints there are, by their numbers.
        found: False for frames in which the person, or one of these joints, was not found; None for no such frame.
    """

    camera: BodyMotion | JointMotion | None
    world: BodyMotion | JointMotion | None
    joints: tuple[int, ...] = tuple(range(H36M_17.joint_count))
    found: Bool[Tensor, " frames"] | None = None

    @property
    def motion(self) -> BodyMotion | JointMotion:
        """The one in the camera, or else in the world."""
        motion = self.camera or self.world
        assert motion is not None
        return motion


def read_results(path: Path | str, body: str, fps: float) -> list[Result]:
    """Everybody in a result file of WHAM, GVHMR, 4D-Humans and PHALP, ROMP, SAM 3D Body, MediaPipe or motionrep.

    Any other file that `load_motions` or `load_joints` reads will do, too. Bodies are those that a file means, if the
    user has them (`motion.loading.body_meant`), and `body` otherwise. MediaPipe's results are JSON whose frames have
    its world landmarks, or an array (frames, 33, 3) of them.

    Args:
        body: What `load_body_model` takes.
        fps: Frame rate, for files that do not tell it.

    Raises:
        FileNotFoundError: No such file, or a body is missing.
        ValueError: The file holds no motion and no joints, is broken, or has another frame rate.
    """
    path = Path(path)
    contents = look(path)
    if (landmarks := _world_landmarks(contents, fps)) is not None:
        found = [landmarks]
    elif require_kind(contents, "motion", "joints").holds == "motion":
        found = _bodies(path, contents, body, fps)
    else:
        found = _joints(path, contents, fps)
    for result in found:
        if abs(result.motion.fps - fps) > 0.01:
            raise ValueError(
                f"{path}: has {result.motion.fps:g} frames per second, the truth {fps:g}; compare results of the same "
                "video"
            )
    return found


def _bodies(path: Path, contents: Contents, body: str, fps: float) -> list[Result]:
    kind = kind_of(contents)
    own = body_meant(path, load_body_model(body), fps) or body
    rate = fps if kind.takes_fps else None
    if kind.both_axes:
        found = (load_motions(path, own, frame=frame, fps=rate) for frame in ("camera", "world"))
        return [Result(*both) for both in zip(*found, strict=True)]
    motions = load_motions(path, own, fps=rate)
    return [Result(it, None) if it.frame == "camera" else Result(None, it) for it in motions]


def _joints(path: Path, contents: Contents, fps: float) -> list[Result]:
    """Every person in a file of joints; one after the other, until there is no more."""
    found: list[Result] = []
    rate = fps if kind_of(contents).takes_fps else None
    several = kind_of(contents).name == "SAM 3D Body"
    while True:
        try:
            motion, confidence = load_joints(
                path, fps=rate, axes=_axes(contents), person=len(found) if several else None
            )
        except ValueError:
            if found:
                return found
            raise
        camera, world = (None, motion) if motion.frame == "world" else (motion, None)
        _, seen = to_h36m_17(motion.position_m, confidence, motion.layout)
        known = (seen > 0).float().mean(0) > 0.5
        joints = tuple(known.nonzero()[:, 0].tolist())
        found.append(Result(camera, world, joints, (seen[:, known] > 0).all(-1)))
        if not several:
            return found


def _axes(contents: Contents) -> Literal["root"] | None:
    """MediaPipe's arrays have y down and the origin between the hips."""
    shape = getattr(contents.value, "shape", None)
    return "root" if shape is not None and len(shape) == 3 and shape[1] == MEDIAPIPE_33.joint_count else None


def _world_landmarks(contents: Contents, fps: float) -> Result | None:
    """MediaPipe's landmarks in metres of the first person of each frame; None for other files."""
    poses = [_first_pose(frame) for frame in landmark_frames(contents.value)]
    if not any(poses):
        return None
    position_m = torch.zeros(len(poses), MEDIAPIPE_33.joint_count, 3)
    for number, pose in enumerate(poses):
        if not pose:
            continue
        try:
            position_m[number] = torch.tensor([[point[axis] for axis in "xyz"] for point in pose])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"{contents.path}: frame {number}: expected 33 world landmarks with numbers x, y, z, got "
                f"{len(pose)} ({error})"
            ) from error
    motion = JointMotion(position_m, MEDIAPIPE_33, fps, "root")
    return Result(motion, None, found=torch.tensor([bool(pose) for pose in poses]))


def _first_pose(frame: Any) -> list[Any] | None:
    if not isinstance(frame, dict):
        return None
    pose = next((frame[name] for name in _WORLD_LANDMARKS if frame.get(name)), None)
    pose = pose.get("landmark") if isinstance(pose, dict) else pose
    return pose[0] if isinstance(pose, list) and pose and isinstance(pose[0], list) else pose
