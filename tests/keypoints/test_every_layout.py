"""A body that is known, projected in the joints of every layout, comes back through files, embedding and 3D pose."""

import numpy as np
import pytest
import torch
from keypoint_files import coco, load, written
from paths import WALK_BVH

import motionrep
from motionrep.layouts import H36M_17, LAYOUTS
from motionrep.motion.loading import load_motion

SIZE = (1920, 1080)
PARTS = {"coco_wholebody_133": "coco_17", "halpe_68": "halpe_26", "halpe_136": "halpe_26"}  # of the whole bodies
LIMBS = [i for i, joint in enumerate(H36M_17.joints) if "_" in joint]
MOST_PA_MM = 45  # 27 to 35 when this was written


def seen_by_a_camera(position_m):
    """The points four metres before a camera that looks from the front left, and in the picture."""
    turn = np.array([[np.cos(0.6), 0, np.sin(0.6)], [0, 1, 0], [-np.sin(0.6), 0, np.cos(0.6)]])
    camera_m = position_m @ turn.T * [1, -1, -1] + [0, 0, 4.0]
    return camera_m, camera_m[..., :2] / camera_m[..., 2:] * 1500 + np.array(SIZE) / 2


def detections(layout, motion, middle_m):
    body = LAYOUTS[PARTS.get(layout.name, layout.name)]
    _, xy_px = seen_by_a_camera(motion.joints(body).position_m[::2].numpy() - middle_m)
    xyc = np.full((len(xy_px), layout.joint_count, 3), 0.9)
    xyc[:, :, :2] = xy_px[:, :1]  # fingers and faces, which nothing is made of
    xyc[:, : body.joint_count, :2] = xy_px
    return xyc


def pa_mm(found, true):
    found, true = (points - points.mean(1, keepdims=True) for points in (found, true))
    u, s, vt = np.linalg.svd(np.einsum("tji,tjk->tik", found, true))
    sign = np.sign(np.linalg.det(u @ vt))
    s[:, 2] *= sign
    u[:, :, 2] *= sign[:, None]
    scale = (s.sum(1) / (found**2).sum((1, 2)))[:, None, None]
    return 1000 * float(np.linalg.norm(scale * (found @ (u @ vt)) - true, axis=-1).mean())


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_known_body_comes_back(tmp_path, layout):
    motion = load_motion(WALK_BVH)
    true_m = motion.joints(H36M_17).position_m[::2].numpy()
    middle_m = true_m[:, 0].mean(0)
    xyc = detections(layout, motion, middle_m)
    path = written(tmp_path, [coco(t, frame) for t, frame in enumerate(xyc)])
    (clip,) = load(path, size_px=SIZE, fps=60.0, layout=layout.name)
    assert clip.frame_count == len(true_m)
    (found,) = motionrep.recover(clip, ["pose3d-ktpformer-s"])
    assert bool(torch.isfinite(found.embedding.values).all())
    camera_m, _ = seen_by_a_camera(true_m - middle_m)
    assert pa_mm(found.motion.position_m.numpy()[:, LIMBS], camera_m[:, LIMBS]) < MOST_PA_MM
