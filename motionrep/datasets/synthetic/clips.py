"""Training clips simulated from motion: another body, a virtual camera, a noisy detector.

A batch is a dict of tensors, one entry per clip:

    keypoints      (batch frames 17 3)      x and y normalised by the image width, and confidence; Human3.6M-17 order
    valid          (batch frames) bool      False where a clip shorter than the window is padded by its last frame
    position_m     (batch frames 17 3)      true Human3.6M-17 points relative to the pelvis, camera axes, metres
    local_rotmat   (batch frames 24 3 3)    true pose; the first rotation is in camera axes
    betas          (batch 10)               true shape of the body
    translation_m  (batch frames 3)         true translation in the camera
    camera_from_world (batch frames 3 4)    rotation and shift from the world, whose floor is at y = 0, to the camera
    focal          (batch)                  focal length / (image width / 2): the unit of the normalised keypoints
    label          (batch) int              index of the clip's class; -1 for none, as for clips that are not core

Every random number comes from `(seed, epoch, index)`, so samples are the same for any number of workers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import roma
import torch
from torch import Tensor
from torch.utils.data import Dataset

from motionrep.body import BodyModel, load_body_model
from motionrep.body.translation import translation_for_betas
from motionrep.datasets.motion_folders import MotionClip, require_body
from motionrep.datasets.synthetic.augmentation import Augmentation
from motionrep.datasets.synthetic.bone_lengths import OtherBones
from motionrep.datasets.synthetic.clip_changes import LEGS, CameraMove, masked, random_camera_move, with_turned_limbs
from motionrep.datasets.synthetic.detector_noise import DetectorNoise, with_detector_noise
from motionrep.datasets.synthetic.filming import distorted, draw_filming
from motionrep.datasets.synthetic.hidden_joints import hidden_joints, with_hidden_joints
from motionrep.datasets.synthetic.learned_noise import with_learned_noise
from motionrep.datasets.synthetic.runs import Run, chances, every_place, usable_runs
from motionrep.datasets.synthetic.views import View, as_filmed, cameras
from motionrep.layouts import COCO_17, H36M_17, HALPE_26, SMPL_24, JointLayout, to_h36m_17

PER_FRAME = ("keypoints", "valid", "position_m", "local_rotmat", "translation_m", "camera_from_world")
_IMAGE_SIZES_PX = ((1000, 1000), (1920, 1080), (1280, 720), (640, 480), (1080, 1920))
_LAYOUT_CHANCES = ((H36M_17, 0.5), (COCO_17, 0.25), (HALPE_26, 0.25))


@dataclass(frozen=True)
class RandomWindows:
    """Windows that start anywhere in the motion, for training: `count` in each epoch.

    Attributes:
        weights: Factors on the chance of clips, by patterns for their names; the first that matches counts.
        more: Further clips, from which a share of the windows comes, whatever their length; without a class.
    """

    count: int
    augmentation: Augmentation = Augmentation()  # noqa: RUF009, it is frozen
    weights: Mapping[str, float] = field(default_factory=dict)
    more: Sequence[MotionClip] = ()
    more_share: float = 0.0


@dataclass(frozen=True)
class EveryWindow:
    """Every window once, played as recorded, for scores.

    Attributes:
        stride: Frames from the start of one window to the next; None for the length of a window.
        views: Cameras, each with another body, that see each window.
        own_betas: Whether people have the betas of their motion instead of random ones.
    """

    stride: int | None = None
    views: int = 1
    own_betas: bool = False


class SynthesizedClips(Dataset):
    """Windows of motion seen by random cameras; keys are `(epoch, index)`, whole batches through `__getitems__`.

    Args:
        window: Frames of motion in a sample, at `fps`.
        padded_to: Frames of a sample after padding by its last frame; the encoder's window.
        windows: Which windows there are.
        labels: Classes; clips of other actions, and those that are not `core`, are left out. Empty for no
            classification.
        unlabelled: Keeps those clips, with label -1. Half of the random windows are then drawn in proportion to time,
            the other half with the same chance for every class.
        body: The body of the clips and of the people seen; the open body when None.
        layout: What the detector reports before conversion to Human3.6M-17; None draws it for each sample (half
            Human3.6M-17 itself, the rest COCO-17 and Halpe-26), so that an encoder knows the keypoints users have.

    Raises:
        ValueError: The window is longer than `padded_to`, no usable motion, or none of a class.
    """

    def __init__(
        self,
        clips: Sequence[MotionClip],
        window: int,
        padded_to: int,
        fps: float = 30.0,
        seed: int = 0,
        windows: RandomWindows | EveryWindow = EveryWindow(),
        *,
        labels: Sequence[str] = (),
        unlabelled: bool = False,
        noise: DetectorNoise | None = None,
        layout: JointLayout | None = None,
        body: BodyModel | None = None,
    ) -> None:
        if window > padded_to:
            raise ValueError(f"a window of {window} frames does not fit into {padded_to}, the encoder's")
        self.body: BodyModel = load_body_model("open") if body is None else body
        require_body(clips, self.body)
        self.other_bones = OtherBones(self.body)
        self.window, self.padded_to, self.fps, self.seed, self.windows = window, padded_to, fps, seed, windows
        self.labels = tuple(labels)
        self.noise = noise or DetectorNoise()
        self.augmentation = windows.augmentation if isinstance(windows, RandomWindows) else Augmentation()
        layout_chances = _LAYOUT_CHANCES if layout is None else ((layout, 1.0),)
        self.layouts, self.layout_chances = tuple(zip(*layout_chances, strict=True))
        self.runs = usable_runs(clips, self.labels, unlabelled)
        self.chances = chances(self.runs, bool(self.labels), getattr(windows, "weights", {}))
        if isinstance(windows, RandomWindows) and windows.more_share:
            more = usable_runs(windows.more, (), unlabelled=True)
            parts = (1 - windows.more_share) * self.chances, windows.more_share * chances(more, by_class=False)
            self.runs, self.chances = self.runs + more, np.concatenate(parts)
        stride = (windows.stride if isinstance(windows, EveryWindow) else None) or window
        self.places = every_place(self.runs, window / fps, stride / fps)

    def __len__(self) -> int:
        if isinstance(self.windows, RandomWindows):
            return self.windows.count
        return len(self.places) * self.windows.views

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Tensor]:
        return {name: tensor[0] for name, tensor in self.__getitems__([key]).items()}

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        """A batch for the given `(epoch, index)` pairs; use `collate_fn=lambda batch: batch` in a DataLoader."""
        return self._show([self._draw(epoch, index) for epoch, index in keys])

    def _draw(self, epoch: int, index: int) -> View:
        rng, augmentation = np.random.default_rng((self.seed, epoch, index)), self.augmentation
        if np.random.default_rng((self.seed, epoch, index, 5)).random() < augmentation.usual_views:
            augmentation = augmentation.with_usual_views()
        more = np.random.default_rng((self.seed, epoch, index, 1))  # for what not every clip draws
        if isinstance(self.windows, EveryWindow):
            run, start_s = self.places[index // self.windows.views]
            speed, mirror, legs = 1.0, False, None
            own_betas = self.windows.own_betas
        else:
            run = self.runs[rng.choice(len(self.runs), p=self.chances)]
            own_betas = np.random.default_rng((self.seed, epoch, index, 4)).random() < augmentation.own_betas
            speed, mirror = rng.uniform(*augmentation.speed), bool(rng.random() < 0.5) and augmentation.mirror
            start_s = self._start_s(run, speed, rng)
            other = self.runs[more.choice(len(self.runs), p=self.chances)]
            legs = (other, self._start_s(other, speed, more)) if more.random() < augmentation.other_legs else None
        moves = more.random() < augmentation.camera_moves
        bones = np.random.default_rng((self.seed, epoch, index, 2))
        filmed = np.random.default_rng((self.seed, epoch, index, 3))
        view = View(
            run, start_s, speed, mirror,
            betas=augmentation.betas * rng.standard_normal(self.body.beta_count),
            yaw_rad=rng.uniform(-np.pi, np.pi),
            pitch_rad=np.radians(rng.uniform(*augmentation.pitch_deg)),
            roll_rad=np.radians(rng.normal(0, augmentation.roll_deg)),
            distance_m=rng.uniform(*augmentation.distance_m),
            hfov_rad=np.radians(rng.uniform(*augmentation.hfov_deg)),
            aim_m=rng.normal(0, 0.2, 3),
            size_px=_IMAGE_SIZES_PX[rng.integers(len(_IMAGE_SIZES_PX))],
            layout=self.layouts[int(np.searchsorted(np.cumsum(self.layout_chances), rng.random()))],
            camera_move=(random_camera_move(self.window, self.fps, more) if moves else CameraMove.none(self.window)),
            legs=legs,
            filming=draw_filming(augmentation, self.window, self.fps, filmed),
            bones_m=self.other_bones.draw(bones) * (bones.random() < augmentation.other_bones),
            rng=rng,
            augmentation_rng=more,
        )  # fmt: skip
        if own_betas:
            view = replace(view, betas=run.betas.numpy())
        return as_filmed(view, augmentation, any_layout=len(self.layouts) > 1)

    def _start_s(self, run: Run, speed: float, rng: np.random.Generator) -> float:
        return rng.uniform(0, max(run.seconds - self.window / self.fps * speed, 0.0) + 1e-9)

    def _show(self, views: list[View]) -> dict[str, Tensor]:
        """The batch that the drawn views see."""
        rotmat, translation_m, frame_counts = self._play(views)
        betas = torch.tensor(np.stack([view.betas for view in views]), dtype=torch.float32)
        recorded = torch.stack([(view.legs[0] if view.legs else view.run).betas for view in views])
        translation_m = translation_for_betas(translation_m, rotmat[:, :, 0], self.body, recorded, betas)
        bones_m = torch.from_numpy(np.stack([view.bones_m for view in views])).float()

        def points_m(layout: JointLayout, rows: list[int]) -> Tensor:
            point_m = self.body.points(layout, rotmat[rows], betas[rows][:, None], translation_m[rows])
            return point_m + self.other_bones.moved_m(layout, rotmat[rows], bones_m[rows]) if bones_m.any() else point_m

        world_m = points_m(H36M_17, list(range(len(views))))
        camera_rotmat, camera_m, focal = cameras(views, world_m)

        def in_camera(point_m: Tensor, rows: list[int] | slice = slice(None)) -> Tensor:
            return point_m @ camera_rotmat[rows].mT + camera_m[rows][:, :, None]

        keypoints = torch.zeros(*world_m.shape[:3], 3)
        for layout in dict.fromkeys(view.layout for view in views):
            if rows := [i for i, view in enumerate(views) if view.layout == layout]:
                seen_m = in_camera(points_m(layout, rows), rows)
                xy = seen_m[..., :2] / seen_m[..., 2:] * focal[rows, None, None, None]
                for i, row in enumerate(rows):
                    bent = distorted(xy[i], views[row].filming.distortion, float(focal[row]))
                    keypoints[row] = self._detected(bent, seen_m[i], views[row])

        nearest = betas + self.other_bones.change_of_betas(bones_m)
        pelvis_m, nearest_pelvis_m = (self.body.rest_joints(some)[:, None, 0] for some in (betas, nearest))
        true_m = in_camera(world_m)
        batch = {
            "keypoints": keypoints,
            "position_m": true_m - true_m[:, :, :1],
            "local_rotmat": torch.cat([camera_rotmat[:, :, None] @ rotmat[:, :, :1], rotmat[:, :, 1:]], dim=2),
            "translation_m": in_camera((translation_m + pelvis_m)[:, :, None])[:, :, 0] - nearest_pelvis_m,
            "camera_from_world": torch.cat([camera_rotmat, camera_m[..., None]], -1),
        }
        return self._padded(batch, frame_counts) | {
            "betas": nearest,
            "focal": focal,
            "label": torch.tensor([view.run.label for view in views]),
        }

    def _detected(self, xy: Tensor, seen_m: Tensor, view: View) -> Tensor:
        """What the detector reports of the true image points of one view: (frames, 17, x y confidence)."""
        aspect = view.size_px[1] / view.size_px[0]
        hidden = hidden_joints(xy, view.filming, aspect)
        if view.filming.learned:
            noisy, confidence = with_learned_noise(xy, seen_m, hidden, aspect, view.filming.guesses, self.fps, view.rng)
        else:
            noisy, confidence = with_detector_noise(xy, view.layout, self.noise, view.rng)
            if hidden is not None:
                noisy, confidence = with_hidden_joints(
                    xy, noisy, confidence, hidden, view.filming.guesses, aspect, self.fps, view.rng
                )
        noisy, confidence = to_h36m_17(noisy, confidence, view.layout)
        noisy = torch.where(confidence[..., None] > 0, noisy, 0.0)
        return masked(torch.cat([noisy, confidence[..., None]], dim=-1), self.augmentation, view.augmentation_rng)

    def _padded(self, batch: dict[str, Tensor], frame_counts: list[int]) -> dict[str, Tensor]:
        """The batch with `padded_to` frames, and `valid`."""
        frame, last = torch.arange(self.padded_to), torch.tensor(frame_counts)[:, None] - 1
        source = torch.minimum(frame, last)
        padded = {
            name: torch.stack([t[i] for t, i in zip(tensor, source, strict=True)]) for name, tensor in batch.items()
        }
        return padded | {"valid": frame <= last}

    def _play(self, views: list[View]) -> tuple[Tensor, Tensor, list[int]]:
        """Rotations, translations (world) and number of real frames of each view, padded to `window`."""
        quaternions, translations, counts = [], [], []
        for view in views:
            quaternion, moved, count = self._played(view.run, view.start_s, view.speed)
            if view.legs is not None:
                legs, moved, legs_count = self._played(*view.legs, view.speed)
                count = min(count, legs_count)
                quaternion[:, [0, *LEGS]] = legs[:, [0, *LEGS]]
            if self.augmentation.limb_turn_deg > 0:
                quaternion = with_turned_limbs(
                    quaternion, self.augmentation.limb_turn_deg, self.fps, view.augmentation_rng
                )
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
