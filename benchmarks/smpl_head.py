"""Trains a mesh head of another body on a shipped encoder, and measures it against the truth.

    python benchmarks/smpl_head.py --data CMU_FOLDER --folder runs/smpl_head --output benchmarks/smpl_head.md
    python benchmarks/smpl_head.py --data CMU_FOLDER --folder runs/anny_head --output benchmarks/anny_head.md \
        --body anny

Without --body, the body stands in SMPL's own container. It is made of the open body's mesh, with another mean, other
betas, a pelvis where SMPL's is, and pose correctives (tests/support/smpl_containers.py). Files of SMPL itself may be
given as --body. The motions are written as AMASS's files (on Anny, as motionrep's own), each subject with betas of its
own, and read back. The run is that of configs/mesh_smpl.yaml.
"""

import argparse
import csv
import hashlib
import sys
import time
from pathlib import Path

import numpy as np
import torch
import yaml
from reports import machine, write

from motionrep.body import load_body_model
from motionrep.body.anny_parameters import anny_parameters
from motionrep.datasets.motion_folders import MotionClip, load_motion_folder
from motionrep.datasets.synthetic.clips import EveryWindow, SynthesizedClips
from motionrep.evaluation.synthetic_views import SyntheticViews, evaluate, single_view
from motionrep.head_api.loading import load_head
from motionrep.layouts import H36M_17
from motionrep.motion.editing import with_betas
from motionrep.motion.exporting import export_motion
from motionrep.motion.saving import save_motion
from motionrep.pipeline import recover
from motionrep.training.config import FinetuneConfig
from motionrep.training.run import train
from motionrep.types import BodyMotion, Keypoints

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "configs" / "mesh_smpl.yaml"
WIDTH_PX, HEIGHT_PX = 1920, 1080


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of motion files with an index.csv")
    parser.add_argument("--folder", type=Path, required=True, help="folder for the body, its motions and the run")
    parser.add_argument("--body", help="a body by name or file (default: one in SMPL's container is made)")
    parser.add_argument("--epochs", type=int, help="other than the configuration's, for a shorter run")
    parser.add_argument("--clips-per-epoch", type=int, help="the same")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    body = options.body or str(_made_body(options.folder / "SMPL_NEUTRAL.pkl"))
    motions = options.folder / "motions"
    if not motions.is_dir():
        write_motions(options.data, body, motions)
    given = {name: getattr(options, name) for name in ("epochs", "clips_per_epoch") if getattr(options, name)}
    config = FinetuneConfig.from_dict(yaml.safe_load(CONFIG.read_text()) | {"body": body} | given)
    start = time.perf_counter()
    train(config, [motions], options.folder / "run")
    minutes = (time.perf_counter() - start) / 60
    report = _report(options.folder / "run", motions, body, config, minutes)
    print(report, end="")
    write(report, options.output)


def write_motions(data: Path, body: str, folder: Path) -> None:
    """The clips of a folder as files of a body, with an index that keeps their split."""
    folder.mkdir()
    rows = []
    for clip in load_motion_folder(data, body_model=body):
        path = folder / f"{clip.name.replace('#', '_')}.npz"
        (save_motion if body == "anny" else export_motion)(_shaped(clip), path)
        bad = ";".join(f"{i}-{i}" for i in (~clip.usable).nonzero()[:, 0].tolist())
        rows.append((clip.name, clip.subject, path.name, clip.action, clip.split, int(clip.core), 0, bad))
    with (folder / "index.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("clip_id", "subject", "path", "action", "split", "core", "first_frame", "bad_ranges"))
        table.writerows(rows)


def _shaped(clip: MotionClip) -> BodyMotion:
    """The clip's motion with betas that are drawn for its subject."""
    body = load_body_model(clip.motion.body_model)
    seed = int.from_bytes(hashlib.sha256(clip.subject.encode()).digest()[:4], "big")
    betas = torch.from_numpy(np.random.default_rng(seed).standard_normal(body.beta_count)).float()
    return with_betas(clip.motion, body, betas)


def _made_body(path: Path) -> Path:
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from smpl_containers import write_smpl  # pyright: ignore[reportMissingImports]

    return path if path.is_file() else write_smpl(path, "smpl")


def _report(run: Path, motions: Path, body: str, config: FinetuneConfig, minutes: float) -> str:
    views = SyntheticViews(own_betas=True, views=1)
    encoder, head = str(config.encoder), str(run / "head")
    metrics = evaluate(motions, encoder, head, options=views)["metrics"]
    lines = [
        f"# A mesh head for {'Anny' if body == 'anny' else 'a body in the container of SMPL'}\n",
        f"`python benchmarks/smpl_head.py`: {minutes:.1f} minutes of training, {config.epochs} epochs of "
        f"{config.clips_per_epoch} clips. {machine()}\n",
        "| of the validation clips, people with the betas of their files | |",
        "|---|---|",
        f"| PVE, mm | {metrics['pve']:.1f} |",
        f"| MPJPE, mm | {metrics['mpjpe']:.1f} |",
        f"| PA-MPJPE, mm | {metrics['pa_mpjpe']:.1f} |",
        f"| largest distance of a vertex from the body's own package, mm | {_from_package_mm(motions, head):.5f} |",
    ]
    return "\n".join(lines) + "\n"


def _from_package_mm(motions: Path, head: str) -> float:
    """Between a predicted motion's surface and the one that smplx or anny makes of its parameters."""
    posed = load_head(head).body
    clips = load_motion_folder(motions, "val", body_model=posed.name)
    view = single_view(SynthesizedClips(clips, 81, 81, windows=EveryWindow(), body=posed), 0)
    seen = view["keypoints"][0]
    xy_px = WIDTH_PX / 2 * seen[..., :2] + torch.tensor([WIDTH_PX / 2, HEIGHT_PX / 2])
    clip = Keypoints(xy_px, seen[..., 2], H36M_17, 30.0, WIDTH_PX, HEIGHT_PX)
    (person,) = recover(clip, [head])
    motion = person.motion
    assert isinstance(motion, BodyMotion)
    with torch.no_grad():
        if posed.name == "anny":
            import anny

            model = anny.Anny(skinning_method="lbs")
            theirs = model(**anny_parameters(motion, model))["vertices"].float()
        else:
            import smplx

            theirs = smplx.create(posed.name, model_type="smpl")(**motion.to_smplx()).vertices
    return 1000 * float((theirs - motion.mesh().vertex_m).norm(dim=-1).max())


if __name__ == "__main__":
    main()
