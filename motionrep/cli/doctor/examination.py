"""The whole examination of `motionrep doctor`."""

import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import torch

from motionrep.cli.doctor.computing import computing
from motionrep.cli.doctor.drawing import renderers
from motionrep.cli.doctor.findings import Finding, tried
from motionrep.cli.doctor.installation import packages, versions
from motionrep.cli.doctor.models import bodies, weights
from motionrep.embedding.encoding import embed
from motionrep.encoders import load_encoder
from motionrep.head_api.loading import load_head
from motionrep.keypoints.loading import load_keypoints
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import H36M_17
from motionrep.rendering import render
from motionrep.types import Keypoints


def examine() -> list[Finding]:
    """Tries everything that motionrep consists of, in a few seconds; what is missing or broken is a finding.

    Pictures and videos are written to a temporary folder. OpenGL and PyTorch3D are tried in processes of their own.
    Body models are loaded, which converts pickles once (`motionrep.body.smpl_files`).
    """
    findings = [*versions(), *packages(), *renderers(), *bodies(), *computing(), *weights()]
    fix = "repair what is broken or missing above"
    return [*findings, tried("five lines", "keypoints to a video", _five_lines, fix, needed=True)]


def _five_lines() -> str:
    """Runs the five lines of the README on half a second of random keypoints."""
    start_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        keypoints, movie = Path(folder) / "dance.npz", Path(folder) / ("dance.mp4" if find_spec("av") else "dance.gif")
        xy_px = torch.rand(15, H36M_17.joint_count, 2, generator=torch.Generator().manual_seed(0)) * 400
        save_keypoints([Keypoints(xy_px, torch.ones(15, H36M_17.joint_count), H36M_17, 30.0, 400, 400)], keypoints)
        clips = load_keypoints(keypoints)
        embedding = embed(clips[0], load_encoder("ktpformer-s"))
        motion = load_head("mesh-ktpformer-s").predict(embedding)
        render(motion, movie, keypoints=clips[0], height_px=64, supersample=1, backend="raster")
    return f"15 frames, from keypoints to a video, in {time.perf_counter() - start_s:.1f} s"
