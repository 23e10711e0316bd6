"""Measures 3D poses of people whose skeleton differs from the open body's, which plays the training clips.

    python benchmarks/skeletons.py --data MOTIONS

The validation windows of the CMU motion capture (BVH conversion of B. Hahne) are seen in two views each, as in
`motionrep evaluate`. Three kinds of people play them: random bodies, as there; the figure of the BVH files; and that
figure with the mean bone lengths of Human3.6M's skeleton, each varied at random by 5 % (standard deviation).
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motionrep.body import load_body_model
from motionrep.body.kinematics import JointTree
from motionrep.datasets.motion_folders import load_motion_folder, read_repaired
from motionrep.datasets.synthetic.clips import EveryWindow, SynthesizedClips
from motionrep.datasets.synthetic.detector_noise import DetectorNoise, with_detector_noise
from motionrep.embedding.encoding import encode
from motionrep.embedding.inputs import normalised_for
from motionrep.encoders import load_encoder
from motionrep.evaluation.metrics import mpjpe_mm, n_mpjpe_mm, pa_mpjpe_mm
from motionrep.evaluation.synthetic_views import single_view
from motionrep.head_api.loading import load_head
from motionrep.layouts import H36M_17
from motionrep.motion.bvh_files import BvhMotion

MODELS = [(name, f"{head}-{name}") for name in ("ktpformer-s", "ssr-stf-s") for head in ("pose3d", "mesh")]
# Human3.6M-17 on the figure: each point is the mean of these joints.
FIGURE = (
    "lThigh rThigh", "rThigh", "rShin", "rFoot", "lThigh", "lShin", "lFoot", "abdomen chest", "neck",
    "head head leftEye rightEye", "head", "lShldr", "lForeArm", "lHand", "rShldr", "rForeArm", "rHand",
)  # fmt: skip
HEAD_TOP = 10
HEAD_TOP_M = torch.tensor([0.0024, 0.155, 0.02])  # from the joint "head", in its axes
# Metres from each point to its parent in H36M_17.
LENGTHS_M = (
    0.0, 0.133, 0.443, 0.454, 0.133, 0.443, 0.454, 0.233, 0.257, 0.121, 0.115, 0.151, 0.279, 0.252, 0.151, 0.279, 0.252,
)  # fmt: skip
LENGTH_SD, VIEWS, WINDOW, FPS, SEED = 0.05, 2, 81, 30, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--model", nargs=2, action="append", metavar=("ENCODER", "HEAD"), help="Default: those that ship."
    )
    arguments = parser.parse_args()
    models = [(head, load_encoder(encoder), load_head(head)) for encoder, head in arguments.model or MODELS]
    scores: dict[tuple[str, str], list[list[float]]] = {}
    for people, keypoints, true_m in people_seen(arguments.data):
        valid = torch.ones(1, len(true_m), dtype=torch.bool)
        for name, encoder, head in models:
            with torch.no_grad():
                output = head(encode(normalised_for(keypoints, encoder), FPS, encoder)[None], valid)
            predicted_m = points_of(output)[0]
            each = [float(metric(predicted_m, true_m).mean()) for metric in (mpjpe_mm, n_mpjpe_mm, pa_mpjpe_mm)]
            scores.setdefault((name, people), []).append(each)
    print("| head | people | windows | MPJPE mm | N-MPJPE mm | PA-MPJPE mm |\n|---|---|---|---|---|---|")
    for (name, people), values in sorted(scores.items()):
        print(
            f"| `{name}` | {people} | {len(values)} | "
            + " | ".join(f"{mean:.1f}" for mean in np.mean(values, 0))
            + " |"
        )


def people_seen(data: Path) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yields who plays a window, keypoints (x and y in halves of the image width, confidence) and true points.

    The true points are in camera axes, metres.
    """
    clips = load_motion_folder(data, "val")
    figures = {}
    for clip in clips:
        bvh = read_repaired(next(data.rglob(f"{clip.name}.bvh")))
        figures[clip.name] = figure_m(bvh)[-clip.motion.frame_count :]
    samples = SynthesizedClips(clips, WINDOW, WINDOW, FPS, SEED, EveryWindow(views=VIEWS), layout=H36M_17)
    body, rest_motion = load_body_model("open"), {clip.name: clip.motion for clip in clips}
    for index in range(len(samples)):
        run, start_s = samples.places[index // VIEWS]
        batch = {name: tensor[0] for name, tensor in single_view(samples, index).items()}
        frames = len(batch["valid"])
        at = run.first_frame + torch.round((start_s + torch.arange(frames) / FPS) * run.fps).long()
        open_m = body.points(H36M_17, batch["local_rotmat"], batch["betas"][None], batch["translation_m"])
        to_camera = batch["local_rotmat"][0, 0] @ rest_motion[run.name].local_rotmat[at[0], 0].T
        own_m = (figures[run.name][at] - figures[run.name][at][:, :1]) @ to_camera.T
        rng = np.random.default_rng((SEED, index))
        people = {"random bodies": open_m - open_m[:, :1], "the recordings' figure": own_m}
        people["the figure, Human3.6M's lengths"] = with_lengths(own_m, rng)
        for name, point_m in people.items():
            seen_m = point_m + open_m[:, :1]
            xy = seen_m[..., :2] / seen_m[..., 2:] * batch["focal"]
            xy, confidence = with_detector_noise(xy, H36M_17, DetectorNoise(), np.random.default_rng((SEED, index, 1)))
            yield name, torch.cat([xy.nan_to_num(), confidence[..., None]], -1), point_m


def figure_m(bvh: BvhMotion) -> Tensor:
    """Human3.6M-17 points of the BVH file's own skeleton (frames 17 3), world, metres; its unit is a centimetre."""
    placed = world_of(bvh)
    joint_m = {name: placed[:, number, :3, 3] / 100 for number, name in enumerate(bvh.joints)}
    point_m = torch.stack([torch.stack([joint_m[name] for name in names.split()]).mean(0) for names in FIGURE], 1)
    point_m[:, HEAD_TOP] += placed[:, bvh.joints.index("head"), :3, :3] @ HEAD_TOP_M
    return point_m


def world_of(bvh: BvhMotion) -> Tensor:
    """Matrix of each joint (frames joints 4 4), file axes and unit; only the root moves against its parent."""
    rest = [bvh.offset[0]]
    for joint, parent in enumerate(bvh.parents[1:], 1):
        rest.append(rest[parent] + bvh.offset[joint])
    placed = JointTree(bvh.parents)(bvh.local_rotmat, torch.stack(rest))
    placed[..., :3, 3] += (bvh.local_position[:, 0] - bvh.offset[0])[:, None]
    return placed


def with_lengths(point_m: Tensor, rng: np.random.Generator) -> Tensor:
    """The same directions with Human3.6M's lengths, varied by LENGTH_SD, the same on both sides."""
    factor = np.exp(LENGTH_SD * rng.standard_normal(H36M_17.joint_count))
    moved = [torch.zeros_like(point_m[:, 0])]
    for joint, parent in enumerate(H36M_17.parent_indices[1:], 1):
        side = min(joint, H36M_17.flip_indices[joint])
        direction = torch.nn.functional.normalize(point_m[:, joint] - point_m[:, parent], dim=-1)
        moved.append(moved[parent] + LENGTHS_M[joint] * factor[side] * direction)
    return torch.stack(moved, 1)


def points_of(output: dict[str, Tensor]) -> Tensor:
    """Human3.6M-17 points of the output of a pose or mesh head."""
    if "position_m" in output:
        return output["position_m"]
    rotmat = output["local_rotmat"]
    still = rotmat.new_zeros(*rotmat.shape[:2], 3)
    return load_body_model("open").points(H36M_17, rotmat, output["betas"][:, None], still)


if __name__ == "__main__":
    main()
