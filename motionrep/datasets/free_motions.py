"""Makes one folder of motions to train on from free motion files: fitted, on the floor, with an index.csv.

    python -m motionrep.datasets.free_motions MORE --output PREPARED

MORE is a folder with any of these: `joints/*.npz` (3D joints of the CMU data base, Human3.6M-17 order), `idle/*.bvh`
(ReActIdle), `animated_drawings/*.bvh` and `deepmimic/*.txt`. Bodies are fitted to the joints, which takes some
minutes; what is already in the output folder is not made again. Then train with

    motionrep finetune --data CMU PREPARED ...
"""

import argparse
import csv
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.files.arrays import Arrays, open_npz
from motionrep.files.reading import reading
from motionrep.files.writing import written_beside
from motionrep.fitting.joints import fit_body
from motionrep.layouts import H36M_17
from motionrep.motion.floor import raised
from motionrep.motion.loading import load_motions
from motionrep.motion.saving import save_motion
from motionrep.types import BodyMotion, JointMotion

logger = logging.getLogger(__name__)

# Trust in joints: the two CMU rigs have the shoulders 0.19 m from the thorax, and spine and head of another rig.
_LITTLE = {"shoulder": 0.5, "thorax": 0.2, "spine": 0.1, "nose": 0.1, "head": 0.1}
# What people do, by the first of these words in a file's name; who stands about has another kind of name.
_ACTIONS = {
    "walking": "walk", "walk": "walk", "zombie": "walk", "running": "run", "run": "run",
    "jumping_jacks": "jumping_jacks", "jumping": "jump", "jump": "jump", "basketball_signal": "basketball_signal",
    "genuine": "stand", "acted": "stand",
    "dance": "dance", "dab": "dance", "wave": "wave", "punch": "punch", "kick": "kick", "crawl": "crawl",
    "getup": "get_up", "backflip": "acrobatics", "cartwheel": "acrobatics", "roll": "acrobatics",
}  # fmt: skip
_FLOOR_STEP, _FLOOR_QUANTILE = 4, 0.05
_COLUMNS = ("clip_id", "subject", "path", "action", "split", "core", "first_frame", "bad_ranges")


def prepare(more: Path, output: Path) -> Path:
    """Writes every motion of the folder to `output`, and an index.csv of them.

    Raises:
        FileNotFoundError: No such folder, or nothing of what this module reads in it.
    """
    if not more.is_dir():
        raise FileNotFoundError(f"{more}: no such folder")
    body, rows = load_body_model("open"), []
    for clip, bad_ranges, made in _clips(more, body):
        path = f"{clip}.npz"
        if not (output / path).is_file():
            motion = made()
            save_motion(_on_floor(motion, body), output / path)
            logger.info("%s: %d frames", path, motion.frame_count)
        rows.append((clip, _subject(clip), path, _action(clip), "train", 0, 0, bad_ranges))
    if not rows:
        raise FileNotFoundError(
            f"{more}: holds none of joints/*.npz, idle/*.bvh, animated_drawings/*.bvh and deepmimic/*.txt"
        )
    with written_beside(output / "index.csv") as beside, beside.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([_COLUMNS, *rows])
    return output


def _clips(more: Path, body: BodyModel) -> Iterator[tuple[str, str, Callable[[], BodyMotion]]]:
    """Name, ranges of frames in which tracking failed, and what makes the motion, of every clip."""
    for path in sorted(more.glob("joints/*.npz")):
        with open_npz(path) as arrays:
            for key in sorted(name for name in arrays.names if "/" in name and not name.endswith("__valid")):
                joints, bad = _recorded(arrays, key)
                yield f"joints/{key.split('/')[1]}", bad, partial(_fitted, joints, body)
    for pattern in ("idle/*.bvh", "animated_drawings/*.bvh", "deepmimic/humanoid3d_*.txt"):
        for path in sorted(more.glob(pattern)):
            yield f"{path.parent.name}/{path.stem}", "", partial(_read, path)


def _read(path: Path) -> BodyMotion:
    return load_motions(path)[0]


def _recorded(arrays: Arrays, key: str) -> tuple[JointMotion, str]:
    """The joints of a clip of a file, and the ranges of frames in which tracking failed.

    Raises:
        ValueError: A field is missing, damaged or of another shape; the message names the file.
    """
    with reading(arrays.path):
        position_m, valid = arrays[key], arrays[f"{key}__valid"]
        if position_m.dtype.kind != "f" or valid.dtype != bool or valid.shape != position_m.shape[:1]:
            raise ValueError(
                f"field {key!r} and its '__valid' should be joints in metres, and true or false for each frame, got "
                f"{position_m.dtype} of shape {position_m.shape} and {valid.dtype} of shape {valid.shape}"
            )
        joints = JointMotion(torch.from_numpy(position_m).float(), H36M_17, float(arrays["fps"]), "world")
        return joints, _ranges(~valid)


def _fitted(joints: JointMotion, body: BodyModel) -> BodyMotion:
    """A body that follows the limbs, and loosely the other joints."""
    trust = torch.tensor([_LITTLE.get(joint.split("_")[-1], 1.0) for joint in H36M_17.joints])
    return fit_body(joints, body, trust.expand(joints.frame_count, -1)).motion


def _on_floor(motion: BodyMotion, body: BodyModel) -> BodyMotion:
    """The motion moved so that the lowest point of the body is at y = 0 most of the time, whatever it stands on."""
    some = slice(None, None, _FLOOR_STEP)
    lowest_m = body.vertices(motion.local_rotmat[some], motion.betas, motion.translation_m[some])[..., 1].amin(1)
    return raised(motion, -torch.quantile(lowest_m, _FLOOR_QUANTILE))


def _ranges(bad: np.ndarray) -> str:
    """Runs of True as index.csv has them, such as 3-7;20-22."""
    edge = np.flatnonzero(np.diff(np.concatenate([[0], bad.astype(np.int8), [0]])))
    return ";".join(f"{first}-{after - 1}" for first, after in zip(edge[::2], edge[1::2], strict=True))


def _subject(clip: str) -> str:
    """Who moves, as far as the name tells: CMU's number, the person of ReActIdle, or the source."""
    source, name = clip.split("/")
    known = {"joints": name[:2].lstrip("0") if name[:2].isdecimal() else "cmu", "idle": f"idle-{name[:3]}"}
    return known.get(source, source)


def _action(clip: str) -> str:
    return next((action for word, action in _ACTIONS.items() if word in clip), "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("more", type=Path, help="Folder of the motion files.")
    parser.add_argument("--output", type=Path, required=True, help="Folder to write.")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    prepare(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
