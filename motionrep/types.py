"""The types that users hold: one clip of one person, at each stage. Metres, pixels, seconds, radians; frozen.

There are three frames of reference. `camera` is x right, y down, z forward. `root` has the same axes and its origin at
the pelvis. `world` is right-handed, y up, with the floor at y = 0.

All tensors are float32, and so become NumPy arrays and other dtypes. They are on the CPU unless a user moved them.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from itertools import groupby
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from motionrep.checks import values as check
from motionrep.checks.optional import optional
from motionrep.layouts import H36M_17, SMPL_24, CocoRecipe, JointLayout, find_layout, to_h36m_17

DEFAULT_FPS = 30.0
Frame = Literal["root", "camera", "world"]
Moved = TypeVar("Moved")


class _Movable:
    """A dataclass of tensors that moves between devices."""

    def to(self: Moved, device: str | torch.device) -> Moved:
        """The same with all its tensors on a device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # pyright: ignore[reportArgumentType]
        moved = {name: value.to(device) for name, value in values.items() if isinstance(value, Tensor | _Movable)}
        return replace(self, **moved)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class Keypoints(_Movable):
    """2D keypoints of one person, as a detector saw them.

    Attributes:
        xy_px: Pixels from the image's top left corner; meaningless but finite where a joint was not seen.
        confidence: 0 for a joint that was not seen, positive otherwise.
        person: The person's id in the file.
        first_frame: Number of the clip's first frame in the file it came from.
    """

    xy_px: Float[Tensor, "frames joints 2"]
    confidence: Float[Tensor, "frames joints"]
    layout: JointLayout
    fps: float
    width_px: int
    height_px: int
    person: str = "0"
    first_frame: int = 0

    def __post_init__(self) -> None:
        _hold_float32(self, "xy_px", "confidence")
        _hold_layout(self)
        check.require_clip("Keypoints.xy_px", self.xy_px, (None, self.layout.joint_count, 2), check.LARGEST_PX)
        check.require_clip("Keypoints.confidence", self.confidence, self.xy_px.shape[:2], check.LARGEST_CONFIDENCE)
        if (least := float(self.confidence.min())) < 0:
            raise ValueError(f"Keypoints.confidence must be 0 (unseen) or positive, got {least:g}")
        check.require_text("Keypoints.person", self.person)
        size_px = check.picture_size("Keypoints", self.width_px, self.height_px)
        _hold(self, width_px=size_px[0], height_px=size_px[1])
        _hold_times(self)

    @property
    def frame_count(self) -> int:
        return self.xy_px.shape[0]

    def as_h36m_17(self, coco_recipe: CocoRecipe = "motionbert") -> "Keypoints":
        """The same clip in Human3.6M-17 order, with confidences, as `layouts.to_h36m_17` converts them."""
        if self.layout == H36M_17:
            return self
        xy_px, confidence = to_h36m_17(self.xy_px, self.confidence, self.layout, coco_recipe)
        return replace(self, xy_px=xy_px, confidence=confidence, layout=H36M_17)


@dataclass(frozen=True)
class MotionEmbedding(_Movable):
    """An encoder's representation of a clip, with the Human3.6M-17 keypoints it was made from.

    Heads need the keypoints to place the person in the camera, and to know in which frames it was seen.

    Attributes:
        encoder: The encoder's name.
        encoder_digest: Says which weights it had (`encoders.weights_digest`); None for weights from no file.
    """

    values: Float[Tensor, "frames joints channels"]
    keypoints: Keypoints
    encoder: str
    encoder_digest: str | None = None

    def __post_init__(self) -> None:
        _hold_float32(self, "values")
        shape = (self.keypoints.frame_count, self.layout.joint_count, None)
        check.require_shape("MotionEmbedding.values", self.values, shape)

    @property
    def layout(self) -> JointLayout:
        return self.keypoints.layout

    @property
    def fps(self) -> float:
        return self.keypoints.fps

    def seen_frames(self) -> Bool[Tensor, " frames"]:
        """False for frames in which the detector saw no joint of the person.

        An encoder has values for these frames too, but only from their neighbours.
        """
        return (self.keypoints.confidence > 0).any(-1)

    def per_frame(self) -> Float[Tensor, "frames channels"]:
        """Mean over the joints."""
        return self.values.mean(1)

    def per_clip(self) -> Float[Tensor, " channels"]:
        """Mean over joints and the frames in which the person was seen; over all frames if there are none."""
        seen = self.seen_frames()
        return self.values[seen | ~seen.any()].mean((0, 1))


@dataclass(frozen=True)
class JointMotion(_Movable):
    """3D joint positions over time; `first_frame` is as in `Keypoints`."""

    position_m: Float[Tensor, "frames joints 3"]
    layout: JointLayout
    fps: float
    frame: Frame
    first_frame: int = 0

    def __post_init__(self) -> None:
        _hold_float32(self, "position_m")
        _hold_layout(self)
        shape = (None, self.layout.joint_count, 3)
        check.require_clip("JointMotion.position_m", self.position_m, shape, check.LARGEST_M)
        _hold_times(self)
        check.require_frame("JointMotion", self.frame, ("root", "camera", "world"))

    @property
    def frame_count(self) -> int:
        return self.position_m.shape[0]


@dataclass(frozen=True)
class BodyMotion(_Movable):
    """Pose, place and shape of a body model over time.

    Attributes:
        local_rotmat: Rotation of each joint relative to its parent; the first turns the whole body. The joints are
            SMPL's 24, or all of the body's (`BodyModel.joint_names`: SMPL's 24, then fingers, jaw and eyes).
        translation_m: Added to every posed vertex, as in SMPL: the pelvis is at its rest position plus the translation.
        betas: Shape. Betas of one body mean nothing on another.
        body_model: What `load_body_model` takes.
        expression: For bodies that have one (SMPL-X); None is a still face.
        first_frame: As in `Keypoints`.
    """

    local_rotmat: Float[Tensor, "frames joints 3 3"]
    translation_m: Float[Tensor, "frames 3"]
    betas: Float[Tensor, " betas"]
    body_model: str
    fps: float
    frame: Literal["camera", "world"]
    expression: Float[Tensor, "frames expressions"] | None = None
    first_frame: int = 0

    def __post_init__(self) -> None:
        _hold_float32(self, "local_rotmat", "translation_m", "betas", "expression")
        check.require_shape("BodyMotion.local_rotmat", self.local_rotmat, (None, None, 3, 3))
        if self.local_rotmat.shape[1] < SMPL_24.joint_count:
            raise ValueError(
                f"BodyMotion.local_rotmat: expected SMPL's {SMPL_24.joint_count} joints, or all of a body with hands "
                f"and face, got {self.local_rotmat.shape[1]}; joints without motion have the identity"
            )
        frames = self.local_rotmat.shape[0]
        check.require_clip("BodyMotion.translation_m", self.translation_m, (frames, 3), check.LARGEST_M)
        if self.expression is not None:
            check.require_clip("BodyMotion.expression", self.expression, (frames, None), check.LARGEST_SHAPE)
        check.require_finite("BodyMotion.local_rotmat", self.local_rotmat)
        check.require_rotations("BodyMotion.local_rotmat", self.local_rotmat)
        check.require_shape("BodyMotion.betas", self.betas, (None,))
        check.require_within("BodyMotion.betas", self.betas, check.LARGEST_SHAPE)
        check.require_text("BodyMotion.body_model", self.body_model)
        _hold_times(self)
        check.require_frame("BodyMotion", self.frame, ("camera", "world"))

    @property
    def frame_count(self) -> int:
        return self.local_rotmat.shape[0]

    def cut(self, start: int, stop: int | None = None) -> "BodyMotion":
        """The frames from `start` to the one before `stop`, or to the end."""
        return replace(
            self,
            local_rotmat=self.local_rotmat[start:stop],
            translation_m=self.translation_m[start:stop],
            expression=None if self.expression is None else self.expression[start:stop],
            first_frame=self.first_frame + slice(start, stop).indices(self.frame_count)[0],
        )

    def mesh(self) -> "MeshMotion":
        """The surface: `vertex_m` for every frame, and `faces`. The body is loaded by the name in `body_model`.

        A frame of the open body takes 84 kB. Of a clip too long for the memory, take `motion.cut(start, stop).mesh()`.

        Raises:
            FileNotFoundError: The body is one that users have to obtain, and is not there.
            ValueError: The body has other joints or expression coefficients.
        """
        return _body_functions().surface_of(self)

    def joints(self, layout: JointLayout | str = SMPL_24) -> "JointMotion":
        """The points of a layout on the body, by default SMPL's 24 joints; `motionrep.body.points` says where they sit.

        Raises:
            FileNotFoundError, ValueError: As `mesh`; or the body has no points of that layout.
        """
        return _body_functions().joints_of(self, find_layout(layout) if isinstance(layout, str) else layout)

    def to_smplx(self, arrays: Literal["torch", "numpy"] = "torch") -> dict[str, Any]:
        """The arguments with which a model of the `smplx` package gives the same vertices.

            model = smplx.create("SMPLX_NEUTRAL.npz", model_type="smplx", use_pca=False, flat_hand_mean=True)
            vertex_m = model(**motion.to_smplx()).vertices

        `global_orient`, `body_pose`, `transl` and `betas`, with SMPL-H `left_hand_pose` and `right_hand_pose` too, with
        SMPL-X also those of jaw and eyes and `expression`; a row for each frame, rotations as axis-angle, in the
        motion's axes. `motionrep.motion_from_smplx` reads them back.

        Raises:
            FileNotFoundError, ValueError: As `mesh`; or the body is none of SMPL's format.
        """
        parameters = _body_functions().smplx_of(self)
        return {name: it.cpu().numpy() for name, it in parameters.items()} if arrays == "numpy" else parameters

    def to_trimesh(self, frame: int = 0) -> Any:
        """The surface of one frame as a `trimesh.Trimesh`, which also writes .obj, .ply and others (`.export`)."""
        start = range(self.frame_count)[frame]
        return self.cut(start, start + 1).mesh().to_trimesh()


@dataclass(frozen=True)
class MeshMotion(_Movable):
    """A surface over time; `faces` index vertices, counter-clockwise seen from outside.

    `first_frame` is as in `Keypoints`.
    """

    vertex_m: Float[Tensor, "frames vertices 3"]
    faces: Int[Tensor, "faces 3"]
    fps: float
    frame: Literal["camera", "world"]
    first_frame: int = 0

    @property
    def frame_count(self) -> int:
        return self.vertex_m.shape[0]

    def __post_init__(self) -> None:
        _hold_float32(self, "vertex_m")
        _hold(self, faces=torch.as_tensor(self.faces))
        check.require_clip("MeshMotion.vertex_m", self.vertex_m, (None, None, 3), 10 * check.LARGEST_M)
        _hold_times(self)
        check.require_frame("MeshMotion", self.frame, ("camera", "world"))

    def to_trimesh(self, frame: int = 0) -> Any:
        """The surface of one frame as a `trimesh.Trimesh`, with vertices in their order; needs the extra `trimesh`."""
        trimesh = optional("trimesh", "to_trimesh", 'pip install "motionrep[trimesh]"')
        vertex_m, faces = (it.detach().cpu().numpy() for it in (self.vertex_m[frame], self.faces))
        return trimesh.Trimesh(vertex_m, faces, process=False)

    def to_pytorch3d(self) -> Any:
        """All frames as `pytorch3d.structures.Meshes`; only where PyTorch3D is installed."""
        structures = optional("pytorch3d.structures", "to_pytorch3d", "see PyTorch3D's INSTALL.md")
        return structures.Meshes(self.vertex_m, self.faces.to(self.vertex_m.device).expand(self.frame_count, -1, -1))


@dataclass(frozen=True)
class ActionScores(_Movable):
    """Unnormalised score of each class for a whole clip."""

    logit: Float[Tensor, " classes"]
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        _hold_float32(self, "logit")
        _hold(self, labels=check.labels("ActionScores.labels", self.labels))
        check.require_shape("ActionScores.logit", self.logit, (len(self.labels),))

    @property
    def best(self) -> str:
        """The label with the highest score."""
        return self.labels[int(self.logit.argmax())]

    def probability(self) -> Float[Tensor, " classes"]:
        """Softmax of the scores."""
        return self.logit.softmax(-1)


@dataclass(frozen=True)
class ActionSegment:
    """A stretch of time with one most probable class; `probability` is the mean of that class's over its frames."""

    start_s: float
    end_s: float
    label: str
    probability: float


@dataclass(frozen=True)
class ActionTimeline(_Movable):
    """Probability of each class in each frame; all 0 where nobody was seen in the whole window.

    The time of a frame is its number, counted from the clip's first frame, divided by `fps`.
    """

    probability: Float[Tensor, "frames classes"]
    labels: tuple[str, ...]
    fps: float

    def __post_init__(self) -> None:
        if self.probability.ndim != 2 or self.probability.shape[1] != len(self.labels):
            raise ValueError(
                f"ActionTimeline.probability: expected frames x {len(self.labels)} classes, "
                f"got {' x '.join(map(str, self.probability.shape))}"
            )

    @property
    def best(self) -> list[str | None]:
        """The most probable label of each frame, None where the probabilities are all 0."""
        seen = (self.probability.sum(-1) > 0).tolist()
        return [self.labels[i] if s else None for i, s in zip(self.probability.argmax(-1).tolist(), seen, strict=True)]

    def segments(self) -> list[ActionSegment]:
        """Runs of frames with the same label, in order; frames whose probabilities are all 0 are in none."""
        segments, start = [], 0
        for label, frames in groupby(self.best):
            end = start + len(list(frames))
            if label is not None:
                probability = float(self.probability[start:end, self.labels.index(label)].mean())
                segments.append(ActionSegment(start / self.fps, end / self.fps, label, probability))
            start = end
        return segments


@dataclass(frozen=True)
class BodyFunctions:
    """What a `BodyMotion` needs of the bodies, which this file does not import."""

    surface_of: Callable[[BodyMotion], MeshMotion]
    joints_of: Callable[[BodyMotion, JointLayout], JointMotion]
    smplx_of: Callable[[BodyMotion], dict[str, Tensor]]


_BODY_FUNCTIONS: list[BodyFunctions] = []


def pose_bodies_with(functions: BodyFunctions) -> None:
    """Says how a `BodyMotion` finds its surface and joints. `motionrep.body` calls it: this file imports no bodies."""
    _BODY_FUNCTIONS[:] = [functions]


def _body_functions() -> BodyFunctions:
    if not _BODY_FUNCTIONS:
        raise RuntimeError("mesh and joints need the bodies, which are not loaded; add `import motionrep.body`")
    return _BODY_FUNCTIONS[0]


def as_float32(values: Any) -> Tensor:
    """A float32 tensor of a tensor or of anything like an array; a float32 tensor is returned as it is."""
    if isinstance(values, np.ndarray):
        values = np.ascontiguousarray(values)  # torch refuses arrays that run backwards
    return torch.as_tensor(values, dtype=torch.float32)


def _hold_float32(owner: Any, *names: str) -> None:
    _hold(owner, **{name: as_float32(it) for name in names if (it := getattr(owner, name)) is not None})


def _hold(owner: Any, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(owner, name, value)


def _hold_times(owner: Any) -> None:
    name = type(owner).__name__
    check.require_fps(name, owner.fps)
    _hold(owner, first_frame=check.whole(f"{name}.first_frame", owner.first_frame))


def _hold_layout(owner: Any) -> None:
    if isinstance(owner.layout, str):
        _hold(owner, layout=find_layout(owner.layout))
