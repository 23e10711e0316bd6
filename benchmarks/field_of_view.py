"""Measures how well `geometry.cameras.fitted_camera` estimates a field of view, from true and from predicted poses.

    python benchmarks/field_of_view.py --data MOTIONS

The clips are the first 81 frames of every validation clip, each with four random cameras and bodies and a simulated
detector.
"""

import argparse
import math
import statistics
from itertools import compress
from pathlib import Path

import torch

from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.datasets.synthetic.clips import EveryWindow, SynthesizedClips
from motionrep.embedding.encoding import encode
from motionrep.embedding.inputs import normalised_for
from motionrep.encoders import load_encoder
from motionrep.evaluation.synthetic_views import single_view
from motionrep.geometry.cameras import DEFAULT_HFOV_DEG, fitted_camera
from motionrep.head_api.loading import load_head
from motionrep.layouts import H36M_17

FRAMES, VIEWS, SIZE_PX = 81, 4, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    encoder, head = load_encoder("ktpformer-s"), load_head("pose3d-ktpformer-s")
    errors: dict[str, list[float]] = {"from true poses": [], "from predicted poses": [], "50 degrees assumed": []}
    for seed, clip in enumerate(load_motion_folder(parser.parse_args().data, "val"), 1000):
        samples = SynthesizedClips([clip], FRAMES, FRAMES, 30.0, seed, EveryWindow(views=VIEWS), layout=H36M_17)
        for view in range(VIEWS):
            batch = single_view(samples, view)
            keypoints = batch["keypoints"][0]
            with torch.no_grad():
                representation = encode(normalised_for(keypoints, encoder), 30.0, encoder)
                predicted_m = head(representation[None], batch["valid"])["position_m"][0]
            true_deg = math.degrees(2 * math.atan(1 / float(batch["focal"][0])))
            xy_px = (1 + keypoints[..., :2]) * SIZE_PX / 2
            for name, pose_m in (
                ("from true poses", batch["position_m"][0]),
                ("from predicted poses", predicted_m),
            ):
                camera = fitted_camera(pose_m, xy_px, keypoints[..., 2], SIZE_PX, SIZE_PX)
                found_deg = math.degrees(2 * math.atan(SIZE_PX / 2 / camera.focal_px))
                errors[name].append(abs(found_deg - true_deg))
            errors["50 degrees assumed"].append(abs(DEFAULT_HFOV_DEG - true_deg))
    far = [error > 10 for error in errors["50 degrees assumed"]]
    for name, values in errors.items():
        of_far = statistics.mean(compress(values, far))
        print(f"{name:22s} {statistics.mean(values):5.1f} degrees off on average, {of_far:5.1f} for unusual lenses")
    print(f"{len(far)} clips and cameras, {sum(far)} with an unusual lens, more than 10 degrees from 50")


if __name__ == "__main__":
    main()
