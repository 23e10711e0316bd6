"""Pictures of people whose 2D points are known: written motions, drawn by motionrep's own rasteriser."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking, project
from motionrep.layouts import MEDIAPIPE_33
from motionrep.motion.axes import in_camera
from motionrep.rendering import render_frames


@dataclass(frozen=True)
class Film:
    """Pictures, and where MediaPipe's 33 points of each person are in them."""

    pictures: list[np.ndarray]
    truth_px: np.ndarray  # people frames 33 2
    fps: float

    def errors_px(self, person: int, xy_px: torch.Tensor) -> np.ndarray:
        """Distance of each limb joint, shoulders to ankles, in each frame."""
        joints = [MEDIAPIPE_33.index(f"{side}_{joint}") for side in ("left", "right") for joint in _LIMBS]
        return np.linalg.norm(xy_px.numpy()[:, joints] - self.truth_px[person][:, joints], axis=-1)


_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")


def film(
    names: tuple[str, ...], seconds: float = 2.0, fps: float = 15.0, width_px: int = 320, height_px: int = 240,
    apart_m: float = 1.4, eye_m: tuple[float, float, float] = (0.6, 1.5, 5.5),
    ways_m: list[tuple[tuple[float, float], tuple[float, float]]] | None = None,
) -> Film:  # fmt: skip
    """Films one person for each name, side by side, from the front and a little above.

    Args:
        ways_m: From where to where each person is moved: x to the right, z to the camera. Side by side when None.
    """
    body = load_body_model("open")
    pose = camera_from_world_looking(torch.tensor(eye_m), torch.tensor([0.0, 0.9, 0.0]))
    camera = replace(PinholeCamera.from_hfov(width_px, height_px, 50.0), camera_from_world=pose)
    motions = []
    for i, name in enumerate(names):
        motion = authored_motion(name, 0, seconds, fps)
        start_m = motion.translation_m[0] * torch.tensor([1.0, 0.0, 1.0])
        beside_m = apart_m * (i - (len(names) - 1) / 2), 0.0
        first_m, last_m = (torch.tensor([x, 0.0, z]) for x, z in (ways_m[i] if ways_m else (beside_m, beside_m)))
        share = torch.linspace(0, 1, len(motion.translation_m))[:, None]
        place_m = first_m + share * (last_m - first_m)
        moved = replace(motion, translation_m=motion.translation_m - start_m + place_m)
        motions.append(in_camera(moved, body, camera))
    points_m = [body.points(MEDIAPIPE_33, m.local_rotmat, m.betas, m.translation_m) for m in motions]
    truth_px = np.stack([project(points, camera).numpy() for points in points_m])
    still = PinholeCamera.from_hfov(width_px, height_px, 50.0)
    frames = render_frames(
        motions, camera=still, views=["camera"], width_px=width_px, height_px=height_px, titles=False,
        supersample=1, backend="raster",
    )  # fmt: skip
    return Film([np.ascontiguousarray(frame[..., :3]) for frame in frames], truth_px, fps)
