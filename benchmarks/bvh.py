"""Compares the body's motion with the joint positions of the BVH files that it was read from.

    python benchmarks/bvh.py FOLDER [--most 60]

Each rig is a row: the mean and, in brackets, the worst file's mean angle between the direction of the body's bones and
the file's, in degrees. Hands and heads count where the file shows where they end.
"""

import argparse
import logging
from collections import defaultdict
from pathlib import Path

import torch

from motionrep.body import load_body_model
from motionrep.body.kinematics import body_kinematics
from motionrep.geometry.rotations import y_up_turn
from motionrep.layouts import SMPL_24
from motionrep.motion.bvh_files import read_bvh
from motionrep.motion.readers.bvh import motion_from_bvh
from motionrep.motion.retargeting.checking import angles_deg
from motionrep.motion.retargeting.figure import Skeleton
from motionrep.motion.retargeting.skeletons import find_skeleton
from motionrep.motion.retargeting.up import up_of

GROUPS = {
    "limbs": ("hip", "knee", "shoulder", "elbow"), "hands": ("wrist",), "neck and head": ("neck", "head"),
    "hips": ("hips",), "shoulders": ("shoulders",), "torso": ("torso",),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most", type=int, help="Files to read, evenly spread over the folder (default: all).")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    paths = sorted(arguments.folder.rglob("*.bvh"))
    if arguments.most is not None and arguments.most < len(paths):
        paths = [paths[number * len(paths) // arguments.most] for number in range(arguments.most)]
    rows: dict[str, list[dict[str, float]]] = defaultdict(list)
    for path in paths:
        name, angles = angles_of(path)
        rows[name].append(angles)
        if worst := {group: round(angle, 1) for group, angle in angles.items() if angle > 5}:
            print(f"{path}: {worst}")
    print(f"\n| rig | files | {' | '.join(GROUPS)} |\n|---|---|{'---|' * len(GROUPS)}")
    for name, files in sorted(rows.items()):
        print(
            f"| {name} | {len(files)} | {' | '.join(cell([each.get(group) for each in files]) for group in GROUPS)} |"
        )


def angles_of(path: Path) -> tuple[str, dict[str, float]]:
    """The rig's name, and mean angles of a file in degrees by the groups of bones."""
    bvh, body = read_bvh(path), load_body_model("open")
    table = find_skeleton(bvh.joints, bvh.parents)
    motion, skeleton = motion_from_bvh(bvh, body), Skeleton(bvh, table)
    rest = body.rest_joints(torch.zeros(body.beta_count))
    rotmat, _ = body_kinematics(motion.local_rotmat, motion.translation_m, rest)
    world = {joint: rotmat[:, SMPL_24.index(joint)] for joint in SMPL_24.joints}
    angles = angles_deg(world, skeleton, rest, y_up_turn(up_of(skeleton, table)))
    grouped = {}
    for group, endings in GROUPS.items():
        found = [each.mean() for name, each in angles.items() if name.endswith(endings)]
        if found:
            grouped[group] = float(torch.stack(found).amax())
    return table.name, grouped


def cell(angles: list[float | None]) -> str:
    known = [angle for angle in angles if angle is not None]
    return f"{sum(known) / len(known):.1f} ({max(known):.1f})" if known else "not shown"


if __name__ == "__main__":
    main()
