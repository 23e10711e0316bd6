"""Training clips made on the fly from motion: another body, a virtual camera, a noisy detector.

A batch is a dict of tensors, one entry per clip:

    keypoints      (batch frames 17 3)      x and y normalised by the image width, and confidence; Human3.6M-17 order
    valid          (batch frames) bool      False where a clip shorter than the window is padded by its last frame
    position_m     (batch frames 17 3)      true Human3.6M-17 points relative to the pelvis, camera axes, metres
    local_rotmat   (batch frames 24 3 3)    true pose; the first rotation is in camera axes
    betas          (batch 10)               true shape of the open body
    translation_m  (batch frames 3)         true translation in the camera
    focal          (batch)                  focal length / (image width / 2): the unit of the normalised keypoints
    label          (batch) int              index of the clip's action, -1 for none and for clips that are not core

Every random number comes from `(seed, epoch, index)`: the same samples for any number of workers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from motionrep.body import BodyModel, load_body_model
from motionrep.body.translation import translation_for_betas
from motionrep.datasets.motion_folders import MotionClip
from motionrep.datasets.synthetic.augmentation import (
    LEGS,
    CameraMove,
    Variety,
    masked,
    random_camera_move,
    with_turned_limbs,
)
from motionrep.datasets.synthetic.bone_lengths import OtherBones
from motionrep.datasets.synthetic.detector_noise import DetectorNoise, detect
from motionrep.layouts import COCO_17, H36M_17, HALPE_26, SMPL_24, JointLayout, to_h36m_17

PER_FRAME = ("keypoints", "valid", "position_m", "local_rotmat", "translation_m")
_IMAGE_SIZES_PX = ((1000, 1000), (1920, 1080), (1280, 720), (640, 480), (1080, 1920))
_LONGEST_BRIDGED_GAP_S = 0.1
_SHORTEST_RUN_S = 0.5
_LAYOUT_CHANCES = ((H36M_17, 0.5), (COCO_17, 0.25), (HALPE_26, 0.25))


@dataclass(frozen=True)
class Run:
    """Usable motion without a gap, at the frame rate of its file, world frame; `first_frame` is the clip's."""

    quaternion: Float[Tensor, "frames 24 4"]
    translation_m: Float[Tensor, "frames 3"]
    betas: Float[Tensor, " betas"]
    fps: float
    label: int
    name: str
    first_frame: int

    @property
    def seconds(self) -> float:
        return (self.quaternion.shape[0] - 1) / self.fps


@dataclass(frozen=True)
class View:
    """Everything random about one sample."""

    run: Run
    start_s: float
    speed: float
    mirror: bool
    betas: np.ndarray
    yaw_rad: float
    pitch_rad: float
    roll_rad: float
    distance_m: float
    hfov_rad: float
    aim_m: np.ndarray
    size_px: tuple[int, int]
    layout: JointLayout
    camera_move: CameraMove
    legs: tuple[Run, float] | None
    """Whose legs to play instead, and from which second on."""
    bones_m: np.ndarray
    """Change of the body's bones (`proportions.OtherBones.draw`), metres; zeros for the open body's own."""
    rng: np.random.Generator
    variety_rng: np.random.Generator


class SynthesizedClips(Dataset):
    """Windows of motion seen by random cameras; keys are `(epoch, index)`, whole batches through `__getitems__`.

    Args:
        window: Frames of motion in a sample, at `fps`.
        padded_to: Frames of a sample after padding by its last frame; the encoder's window.
        length: Samples per epoch, each at a random place; None walks through every window once, without
            speed change or mirror (for validation), `stride` frames apart (None: `window`), from `views` cameras each.
        labels: Classes; clips of other actions, and those that are not `core`, are left out. Empty for no
            classification.
        unlabelled: Keeps those clips, with label -1. Half of what is drawn at random is then drawn as the
            clips come, the other half every class alike.
        layout: What the detector reports before conversion to Human3.6M-17; None draws it for each sample (half
            Human3.6M-17 itself, the rest COCO-17 and Halpe-26), so that an encoder knows the keypoints users have.
        variety: How far clips drawn at random go from the recorded motion; those for validation do not.
    """

    def __init__(
        self,
        clips: Sequence[MotionClip],
        window: int,
        padded_to: int,
        fps: float = 30.0,
        seed: int = 0,
        length: int | None = None,
        stride: int | None = None,
        views: int = 1,
        labels: Sequence[str] = (),
        unlabelled: bool = False,
        noise: DetectorNoise | None = None,
        layout: JointLayout | None = None,
        variety: Variety | None = None,
    ) -> None:
        if window > padded_to:
            raise ValueError(f"a window of {window} frames does not fit into {padded_to}, the encoder's")
        self.body: BodyModel = load_body_model("open")
        self.other_bones = OtherBones(self.body)
        self.window, self.padded_to, self.fps, self.seed, self.views = window, padded_to, fps, seed, views
        self.labels = tuple(labels)
        self.noise = noise or DetectorNoise()
        self.variety = Variety() if variety is None or length is None else variety
        self.length = length
        chances = _LAYOUT_CHANCES if layout is None else ((layout, 1.0),)
        self.layouts, self.layout_chances = tuple(zip(*chances, strict=True))
        self.runs = [run for clip in clips for run in _runs_of(clip, self.labels, unlabelled)]
        if not self.runs:
            raise ValueError(
                f"none of the {len(clips)} motion clips ({', '.join(clip.name for clip in clips[:3])}"
                f"{', ...' if len(clips) > 3 else ''}) holds a usable run of {_SHORTEST_RUN_S} s"
                + (f" with an action among {', '.join(self.labels)}" if self.labels else "")
            )
        if self.labels and all(run.label < 0 for run in self.runs):
            split = " and ".join(sorted({clip.split or "none" for clip in clips}))
            raise ValueError(
                f"none of the {len(self.runs)} usable runs of {_SHORTEST_RUN_S} s or more of split {split} is of a "
                f"class ({', '.join(self.labels)}): put core clips of these actions into that split in the index.csv, "
                "or train without classes"
            )
        self.chances = _chances(self.runs, by_class=bool(self.labels))
        self.places = _places(self.runs, window / fps, (stride or window) / fps)

    def __len__(self) -> int:
        return self.length if self.length is not None else len(self.places) * self.views

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Tensor]:
        return {name: tensor[0] for name, tensor in self.__getitems__([key]).items()}

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        """A batch for the given `(epoch, index)` pairs; use `collate_fn=lambda batch: batch` in a DataLoader."""
        views = [self._draw(epoch, index) for epoch, index in keys]
        return self._show(views)

    def _draw(self, epoch: int, index: int) -> View:
        rng, variety = np.random.default_rng((self.seed, epoch, index)), self.variety
        more = np.random.default_rng((self.seed, epoch, index, 1))  # for what not every clip draws
        if self.length is None:
            run, start_s = self.places[index // self.views]
            speed, mirror, legs = 1.0, False, None
        else:
            run = self.runs[rng.choice(len(self.runs), p=self.chances)]
            speed, mirror = rng.uniform(*variety.speed), bool(rng.random() < 0.5) and variety.mirror
            start_s = self._start_s(run, speed, rng)
            other = self.runs[more.choice(len(self.runs), p=self.chances)]
            legs = (other, self._start_s(other, speed, more)) if more.random() < variety.other_legs else None
        moves = more.random() < variety.camera_moves
        bones = np.random.default_rng((self.seed, epoch, index, 2))
        return View(
            run, start_s, speed, mirror,
            betas=variety.betas * rng.standard_normal(self.body.beta_count),
            yaw_rad=rng.uniform(-np.pi, np.pi),
            pitch_rad=np.radians(rng.uniform(*variety.pitch_deg)),
            roll_rad=np.radians(rng.normal(0, variety.roll_deg)),
            distance_m=rng.uniform(3, 7),
            hfov_rad=np.radians(rng.uniform(35, 65)),
            aim_m=rng.normal(0, 0.2, 3),
            size_px=_IMAGE_SIZES_PX[rng.integers(len(_IMAGE_SIZES_PX))],
            layout=self.layouts[int(np.searchsorted(np.cumsum(self.layout_chances), rng.random()))],
            camera_move=(random_camera_move(self.window, self.fps, more) if moves else CameraMove.none(self.window)),
            legs=legs,
            bones_m=self.other_bones.draw(bones) * (bones.random() < variety.other_bones),
            rng=rng,
            variety_rng=more,
        )  # fmt: skip

    def _start_s(self, run: Run, speed: float, rng: np.random.Generator) -> float:
        return rng.uniform(0, max(run.seconds - self.window / self.fps * speed, 0.0) + 1e-9)

    def _show(self, views: list[View]) -> dict[str, Tensor]:
        """The batch that the drawn views see."""
        rotmat, translation_m, frame_counts = self._play(views)
        betas = torch.tensor(np.stack([view.betas for view in views]), dtype=torch.float32)
        given = torch.stack([(view.legs[0] if view.legs else view.run).betas for view in views])  # whose way it is
        translation_m = translation_for_betas(translation_m, rotmat[:, :, 0], self.body, given, betas)
        shape = betas[:, None]
        bones_m = torch.from_numpy(np.stack([view.bones_m for view in views])).float()

        def points_m(layout: JointLayout, rows: list[int]) -> Tensor:
            point_m = self.body.points(layout, rotmat[rows], shape[rows], translation_m[rows])
            return point_m + self.other_bones.moved_m(layout, rotmat[rows], bones_m[rows]) if bones_m.any() else point_m

        world_m = points_m(H36M_17, list(range(len(views))))
        camera_rotmat, camera_m, focal = _cameras(views, world_m)

        def in_camera(point_m: Tensor) -> Tensor:
            return point_m @ camera_rotmat.mT + camera_m[:, :, None]

        true_m = in_camera(world_m)
        keypoints = torch.zeros(*true_m.shape[:3], 3)
        for layout in self.layouts:
            rows = [i for i, view in enumerate(views) if view.layout == layout]
            if not rows:
                continue
            seen = points_m(layout, rows)
            seen = seen @ camera_rotmat[rows].mT + camera_m[rows][:, :, None]
            xy = seen[..., :2] / seen[..., 2:] * focal[rows, None, None, None]
            for i, row in enumerate(rows):
                detected, confidence = detect(xy[i], layout, self.noise, views[row].rng)
                detected, confidence = to_h36m_17(detected, confidence, layout)
                detected = torch.where(confidence[..., None] > 0, detected, 0.0)
                seen_by_detector = torch.cat([detected, confidence[..., None]], dim=-1)
                keypoints[row] = masked(seen_by_detector, self.variety, views[row].variety_rng)

        nearest = betas + self.other_bones.change_of_betas(bones_m)
        pelvis_m, nearest_pelvis_m = (self.body.rest_joints(some)[:, None, 0] for some in (betas, nearest))
        turned = torch.cat([camera_rotmat[:, :, None] @ rotmat[:, :, :1], rotmat[:, :, 1:]], dim=2)
        moved = in_camera((translation_m + pelvis_m)[:, :, None])[:, :, 0] - nearest_pelvis_m
        batch = {
            "keypoints": keypoints,
            "position_m": true_m - true_m[:, :, :1],
            "local_rotmat": turned,
            "translation_m": moved,
        }
        frame = torch.arange(self.padded_to)
        last = torch.tensor(frame_counts)[:, None] - 1
        source = torch.minimum(frame, last)
        batch = {
            name: torch.stack([t[i] for t, i in zip(tensor, source, strict=True)]) for name, tensor in batch.items()
        }
        return batch | {
            "valid": frame <= last,
            "betas": nearest,
            "focal": focal,
            "label": torch.tensor([view.run.label for view in views]),
        }

    def _play(self, views: list[View]) -> tuple[Tensor, Tensor, list[int]]:
        """Rotations, translations (world) and number of real frames of each view, padded to `window`."""
        quaternions, translations, counts = [], [], []
        for view in views:
            quaternion, moved, count = self._played(view.run, view.start_s, view.speed)
            if view.legs is not None:
                legs, moved, legs_count = self._played(*view.legs, view.speed)
                count = min(count, legs_count)
                quaternion[:, [0, *LEGS]] = legs[:, [0, *LEGS]]
            if self.variety.limb_turn_deg > 0 and self.length is not None:
                quaternion = with_turned_limbs(quaternion, self.variety.limb_turn_deg, self.fps, view.variety_rng)
            if view.mirror:
                quaternion = quaternion[:, list(SMPL_24.flip_indices)] * torch.tensor([1.0, -1.0, -1.0, 1.0])
                moved = moved * torch.tensor([-1.0, 1.0, 1.0])
            quaternions.append(quaternion)
            translations.append(moved)
            counts.append(count)
        rotmat = roma.unitquat_to_rotmat(torch.nn.functional.normalize(torch.stack(quaternions), dim=-1))
        return rotmat, torch.stack(translations), counts

    def _played(self, run: Run, start_s: float, speed: float) -> tuple[Tensor, Tensor, int]:
        """Quaternions and translations of a window's frames, and how many of them are before the run's end."""
        at_s = start_s + np.arange(self.window) / self.fps * speed
        at = torch.from_numpy(np.minimum(at_s, run.seconds) * run.fps).float()
        before = at.floor().long().clamp(max=run.quaternion.shape[0] - 2)
        share = (at - before)[:, None]
        a, b = run.quaternion[before], run.quaternion[before + 1]
        quaternion = torch.lerp(a, b, share[..., None])  # signs are continuous, neighbours milliseconds apart
        moved = torch.lerp(run.translation_m[before], run.translation_m[before + 1], share)
        return quaternion, moved, max(int((at_s <= run.seconds + 1e-6).sum()), 1)


def _cameras(views: list[View], world_m: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rotation (batch frames 3 3) and translation (batch frames 3) to the camera, and focal over half the image width.

    Cameras step back from their drawn distance until every joint is in the picture and more than 1 m away.
    """

    def column(values: list[Any]) -> Tensor:
        return torch.tensor(np.array(values), dtype=torch.float32)

    frames = world_m.shape[1]
    move = [view.camera_move for view in views]
    angles = column([[v.pitch_rad, v.yaw_rad, v.roll_rad] for v in views])[:, None] + column([m.turn_rad for m in move])
    # World axes to camera axes, y still up.
    facing = roma.euler_to_rotmat("ZXY", angles[..., [2, 0, 1]])
    rotation = torch.tensor([1.0, -1.0, -1.0])[:, None] * facing
    center = world_m[:, :, 0].mean(1) + column([v.aim_m for v in views])
    center = center[:, None] + column([m.follow for m in move])[:, None, None] * _straight_way(world_m[:, :, 0])
    focal = 1 / torch.tan(column([v.hfov_rad for v in views]) / 2)
    aspect = column([v.size_px[1] / v.size_px[0] for v in views])
    half_size = torch.stack([torch.ones_like(aspect), aspect], dim=-1)
    distance = column([v.distance_m for v in views])
    farther = torch.exp(-column([m.closer for m in move]))
    relative = (world_m - center[:, :, None]) @ rotation.mT
    for _ in range(12):
        depth = relative[..., 2] + (distance[:, None] * farther)[..., None]
        xy = relative[..., :2] / depth.clamp(min=0.1)[..., None] * focal[:, None, None, None]
        fits = (depth.amin((1, 2)) > 1) & (xy.abs() < half_size[:, None, None]).all(-1).all(-1).all(-1)
        if bool(fits.all()):
            break
        distance = torch.where(fits, distance, distance * 1.2)
    translation = -(rotation @ center.expand(-1, frames, 3)[..., None])[..., 0]
    translation[..., 2] += distance[:, None] * farther
    return rotation, translation, focal


def _straight_way(path_m: Float[Tensor, "batch frames 3"]) -> Float[Tensor, "batch frames 3"]:
    """The straight line at even speed nearest to a path, relative to its middle."""
    at = torch.linspace(-1, 1, path_m.shape[1]) if path_m.shape[1] > 1 else torch.zeros(1)
    slope = (at[:, None] * path_m).sum(1) / (at**2).sum().clamp(min=1e-6)
    return at[:, None] * slope[:, None]


def _runs_of(clip: MotionClip, labels: tuple[str, ...], unlabelled: bool) -> list[Run]:
    """Stretches of usable frames; gaps of up to a tenth of a second (single-frame jumps) are interpolated."""
    label = labels.index(clip.action) if clip.core and clip.action in labels else -1
    if labels and label < 0 and not unlabelled:
        return []
    motion = clip.motion
    good = clip.usable.nonzero()[:, 0].tolist()
    if not good:
        return []
    longest_gap = max(1, int(_LONGEST_BRIDGED_GAP_S * motion.fps))
    stretches, start = [], 0
    for k in range(1, len(good) + 1):
        if k == len(good) or good[k] - good[k - 1] > longest_gap:
            stretches.append(good[start:k])
            start = k
    quaternion = _continuous(roma.rotmat_to_unitquat(motion.local_rotmat))
    runs = []
    for frames in stretches:
        if (frames[-1] - frames[0]) / motion.fps < _SHORTEST_RUN_S:
            continue
        wanted = np.arange(frames[0], frames[-1] + 1)
        place = np.searchsorted(frames, wanted, side="right") - 1
        before = np.array(frames)[place]
        after = np.array(frames)[np.minimum(place + 1, len(frames) - 1)]
        share = torch.from_numpy((wanted - before) / np.maximum(after - before, 1)).float()
        a, b = quaternion[before], quaternion[after]
        bridged = torch.nn.functional.normalize(a + share[:, None, None] * (b - a), dim=-1)
        moved = torch.lerp(motion.translation_m[before], motion.translation_m[after], share[:, None])
        runs.append(Run(bridged, moved, motion.betas, motion.fps, label, clip.name, frames[0]))
    return runs


def _continuous(quaternion: Float[Tensor, "frames joints 4"]) -> Float[Tensor, "frames joints 4"]:
    """The same rotations with signs chosen so that neighbouring frames are close."""
    flips = (quaternion[1:] * quaternion[:-1]).sum(-1) < 0
    sign = torch.cat([torch.ones_like(quaternion[:1, :, 0]), torch.where(flips, -1.0, 1.0)]).cumprod(0)
    return quaternion * sign[..., None]


def _chances(runs: list[Run], by_class: bool) -> np.ndarray:
    """Chance of each run: its share of the time, or every class alike and within it the share of the time.

    Where some runs have no class, the mean of both.
    """
    seconds = np.array([run.seconds for run in runs])
    by_time = seconds / seconds.sum()
    if not by_class:
        return by_time
    label = np.array([run.label for run in runs])
    known = label >= 0
    of_class = np.bincount(label[known], weights=seconds[known])
    by_class_alike = np.where(known, seconds / of_class[label], 0) / (of_class > 0).sum()
    return by_class_alike if known.all() else (by_time + by_class_alike) / 2


def _places(runs: list[Run], window_s: float, stride_s: float) -> list[tuple[Run, float]]:
    """Every window in order; what is left over at the end of a run counts when it is at least half a window."""
    places = []
    for run in runs:
        count = max(1, int((run.seconds - window_s / 2) / stride_s) + 1)
        places += [(run, k * stride_s) for k in range(count)]
    return places
