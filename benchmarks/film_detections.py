"""Films bodies and runs the detectors that ship on the pictures, so that their errors are known exactly.

    python benchmarks/film_detections.py FILMED --data MOTIONS MORE_MOTIONS --clips 100
    python benchmarks/detector_noise.py FILMED

Each clip is a random window of motion, person, view, clothing and background (`variety` below), one file each: its
pictures are drawn, BlazePose (heavy and full) finds the keypoints in them, and the true image points are kept beside
them. Clips that are there already are not made again; people of --held-out take no part. About 10 seconds of CPU time
for a clip of 1.3 s.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motionrep.body import BodyModel
from motionrep.body.points import LANDMARKS
from motionrep.datasets.held_out import is_held_out, read_held_out
from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.datasets.synthetic.augmentation import Augmentation
from motionrep.datasets.synthetic.clips import RandomWindows, SynthesizedClips
from motionrep.datasets.synthetic.filming import covered
from motionrep.detection.detectors import load_detector
from motionrep.files.writing import written_beside
from motionrep.geometry.cameras import PinholeCamera
from motionrep.layouts import MEDIAPIPE_33, SMPL_24
from motionrep.rendering.backdrop import Backdrop
from motionrep.rendering.scene import draw
from motionrep.rendering.surfaces import Surface
from motionrep.types import Keypoints

FPS, FRAMES, LONGER_SIDE_PX = 30.0, 40, 720
VARIETY = Augmentation(
    pitch_deg=(-20, 60), roll_deg=10, distance_m=(1, 15), hfov_deg=(25, 100), height_in_picture=(0.2, 0.9),
    portrait=0.3, cut_off=0.3, hidden=0.25, camera_moves=0.3, pans=0.15, betas=1.2,
)  # fmt: skip
DETECTORS = {"heavy": "blazepose", "full": "blazepose-full"}
# What is coloured alike: shirt, trousers, shoes; the rest is skin. Sleeves and trouser legs may be long.
SHIRT = ("spine1", "spine2", "spine3", "left_collar", "right_collar", "left_shoulder", "right_shoulder")
TROUSERS = ("pelvis", "left_hip", "right_hip")
SLEEVES, LEGS = ("left_elbow", "right_elbow"), ("left_knee", "right_knee")
SHOES = ("left_ankle", "right_ankle", "left_foot", "right_foot")
TO_WORLD = torch.tensor([1.0, -1.0, -1.0])  # camera axes, turned so that y is up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="Number of the first clip, so that machines can share.")
    parser.add_argument("--held-out", default="people-1")
    options = parser.parse_args()
    patterns = read_held_out(options.held_out)
    clips = [clip for folder in options.data for clip in load_motion_folder(folder, "train")]
    clips = [clip for clip in clips if not is_held_out(clip, patterns)]
    weights = {"idle/*": 0.3}
    windows = RandomWindows(options.first + options.clips, VARIETY, weights)
    samples = SynthesizedClips(clips, FRAMES, FRAMES, FPS, 77, windows, layout=MEDIAPIPE_33)
    detectors = {name: load_detector(known) for name, known in DETECTORS.items()}
    for index in range(options.first, options.first + options.clips):
        path = options.output / f"{index:05}.npz"
        if path.is_file():
            continue
        arrays = filmed(samples, index, detectors)
        with written_beside(path) as beside:
            np.savez_compressed(beside, allow_pickle=False, **arrays)
        seen = [float((arrays[f"{name}_confidence"].max(1) > 0).mean()) for name in DETECTORS]
        print(f"{path.name}: found in {', '.join(f'{share:.0%}' for share in seen)} of the frames", flush=True)


def filmed(samples: SynthesizedClips, index: int, detectors: dict) -> dict[str, np.ndarray]:
    """True image points, points in the camera and what each detector found, in pixels; zeros where nothing."""
    view = samples._draw(0, index)
    batch = {name: tensor[0] for name, tensor in samples.__getitems__([(0, index)]).items()}
    scale = LONGER_SIDE_PX / max(view.size_px)
    width_px, height_px = (round(scale * side) for side in view.size_px)
    focal_px = float(batch["focal"]) * width_px / 2
    camera = PinholeCamera(
        focal_px, (width_px / 2, height_px / 2), width_px, height_px, torch.diag(torch.tensor([1.0, -1, -1, 1]))
    )
    body, pose = samples.body, (batch["local_rotmat"], batch["betas"], batch["translation_m"])
    with torch.no_grad():
        point_m = body.points(MEDIAPIPE_33, pose[0], pose[1][None], pose[2])
    xy = point_m[..., :2] / point_m[..., 2:] * float(batch["focal"])
    true_px = xy * width_px / 2 + torch.tensor([width_px / 2, height_px / 2])
    rng = np.random.default_rng((78, index))
    pictures = list(drawn(body, pose, camera, true_px, view.filming.covers, rng))
    outside = ((true_px < 0) | (true_px > torch.tensor([width_px, height_px]))).any(-1)
    arrays = {
        "true_px": true_px.numpy(), "point_m": point_m.numpy(), "size_px": np.array([width_px, height_px]),
        "outside": outside.numpy(), "covered": covered(xy, view.filming.covers).numpy(), "fps": np.array(FPS),
    }  # fmt: skip
    for name, detector in detectors.items():
        found = nearest(detector.detect(pictures, FPS), true_px)
        arrays[f"{name}_px"], arrays[f"{name}_confidence"] = found[..., :2].numpy(), found[..., 2].numpy()
    return {name: array.astype(np.float32) if array.dtype == np.float64 else array for name, array in arrays.items()}


def drawn(
    body: BodyModel,
    pose: tuple[Tensor, Tensor, Tensor],
    camera: PinholeCamera,
    true_px: Tensor,
    covers: tuple,
    rng: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Pictures of a person in random clothes in front of a random background, behind random boxes."""
    color, back = clothes(body, rng), background(camera, rng)
    shades = rng.random((len(covers), 3))
    low, high = true_px.flatten(0, 1).amin(0), true_px.flatten(0, 1).amax(0)
    for frame in range(len(true_px)):
        with torch.no_grad():
            vertex_m = body.vertices(pose[0][frame], pose[1], pose[2][frame]) * TO_WORLD
        picture = draw([Surface(vertex_m, body.faces, color)], back, supersample=1).numpy()
        for cover, shade in zip(covers, shades, strict=True):
            middle = low + (high - low) * torch.from_numpy(cover.middle[frame]).float()
            half = (high - low) * torch.tensor(cover.half_size)
            left, top = (middle - half).clamp(min=0).round().int().tolist()
            right, bottom = (middle + half).clamp(min=0).round().int().tolist()
            area = picture[top:bottom, left:right]
            area[:] = (255 * shade * np.linspace(0.8, 1, area.shape[0])[:, None, None]).astype(np.uint8)
        yield np.ascontiguousarray(np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8))


def clothes(body: BodyModel, rng: np.random.Generator) -> Tensor:
    """Colour of each vertex: skin, hair, shirt, trousers and shoes."""
    part = body.skin_weights_for(SMPL_24.joint_count).argmax(1).numpy()
    vertex_m = body.template_vertex_m.numpy()
    skin = np.array([0.9, 0.72, 0.6]) * rng.uniform(0.3, 1.05) * rng.uniform(0.95, 1.05, 3)
    color = np.tile(skin, (len(part), 1))

    def paint(joints: tuple[str, ...], rgb: np.ndarray) -> None:
        color[np.isin(part, [SMPL_24.index(joint) for joint in joints])] = rgb

    shirt, trousers = paint_of(rng), paint_of(rng) * 0.8
    paint(SHIRT + SLEEVES * (rng.random() < 0.5), shirt)
    paint(TROUSERS + LEGS * (rng.random() < 0.7), trousers)
    paint(SHOES, paint_of(rng) * 0.9)
    head = part == SMPL_24.index("head")
    eyes = vertex_m[[int(body.landmark_ids[LANDMARKS.index(f"{side}_eye")]) for side in ("left", "right")]].mean(0)
    hair = head & (
        (vertex_m[:, 1] > eyes[1] + 0.05) | ((vertex_m[:, 2] < eyes[2] - 0.09) & (vertex_m[:, 1] > eyes[1] - 0.06))
    )
    color[hair] = np.array([0.35, 0.25, 0.18]) * rng.uniform(0.2, 2.0)
    return torch.from_numpy(color.clip(0, 1)).float()


def paint_of(rng: np.random.Generator) -> np.ndarray:
    """A colour, seldom a strong one."""
    grey, strength = rng.uniform(0.05, 1), rng.beta(1, 2)
    return np.clip(grey + strength * (rng.random(3) - 0.5), 0, 1)


def background(camera: PinholeCamera, rng: np.random.Generator) -> Backdrop:
    """A floor, a wall, boxes on it, and blotches of all sizes."""
    height, width = camera.height_px, camera.width_px
    image = np.empty((height, width, 3))
    horizon = int(height * rng.uniform(0.3, 0.9))
    image[:horizon], image[horizon:] = paint_of(rng), paint_of(rng)
    for _ in range(rng.integers(2, 14)):
        x, y, w, h = rng.uniform(-0.1, 1), rng.uniform(-0.1, 1), rng.uniform(0.03, 0.4), rng.uniform(0.03, 0.5)
        image[int(max(y, 0) * height) : int((y + h) * height), int(max(x, 0) * width) : int((x + w) * width)] = (
            paint_of(rng)
        )
    for cells in (4, 16, 60):
        noise = torch.from_numpy(rng.standard_normal((1, 3, cells, cells))).float()
        noise = torch.nn.functional.interpolate(noise, (height, width), mode="bilinear")[0].permute(1, 2, 0)
        image += 0.05 * noise.numpy()
    flat = torch.from_numpy(image.clip(0, 1)).float()
    return Backdrop(camera, flat, torch.zeros(height, width, 2), torch.zeros(height, width))


def nearest(found: list[Keypoints], true_px: Tensor) -> Tensor:
    """The detections (frames, 33, x y confidence) of the person who is nearest to the true points; zeros where none."""
    result, error = torch.zeros(*true_px.shape[:2], 3), torch.inf
    for clip in found:
        frames = slice(clip.first_frame, clip.first_frame + clip.frame_count)
        away = (clip.xy_px - true_px[frames]).norm(dim=-1)
        sure = clip.confidence > 0.3
        score = float(away[sure].median()) / max(float(sure.any(1).sum()), 1) if bool(sure.any()) else torch.inf
        if score < error:
            error, result = score, torch.zeros_like(result)
            result[frames] = torch.cat([clip.xy_px, clip.confidence[..., None]], -1)
    return result


if __name__ == "__main__":
    main()
