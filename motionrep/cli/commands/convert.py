"""`motionrep convert`."""

import argparse
from pathlib import Path

import motionrep
from motionrep.cli.inputs import is_motion, load_people
from motionrep.cli.options import Axes, Size, add_choice, add_clip


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, help="A keypoint file or folder, or a motion file.")
    parser.add_argument("--output", type=Path, required=True, help="The .npz, or for keypoints .json, to write.")
    parser.add_argument("--body", help="The body that shall make the motion, by name or a SMPL file.")
    add_choice(parser)
    parser.add_argument("--skeleton", type=Path, help="A .json with the names of a .bvh file's joints.")
    add_clip(parser)


def run(
    source: Path, output: Path, body: str | None, person: int | None, frame: Axes | None, skeleton: Path | None,
    layout: str | None, fps: float | None, size: Size | None,
) -> None:  # fmt: skip
    """Converts keypoints to .npz or AlphaPose .json, or a motion (.bvh, AMASS, 3DPW, WHAM, GVHMR) to .npz."""
    if not source.exists():
        raise FileNotFoundError(f"{source}: no such file or folder")
    of_motion = {"body": body, "person": person, "frame": frame, "skeleton": skeleton}
    if not is_motion(source):
        if given := [name for name, value in of_motion.items() if value is not None]:
            raise ValueError(f"{source}: holds keypoints, and --{given[0]} is for motions; motionrep predict makes one")
        people = load_people(source, layout, fps, size)
        motionrep.save_keypoints(people, output)
        begin = min(person.first_frame for person in people)
        frames = max(person.first_frame + person.frame_count for person in people) - begin
        print(f"{output}: {len(people)} person(s), {frames} frames at {people[0].fps:g} fps")
        return
    if output.suffix.lower() != ".npz":
        raise ValueError(f"{output}: convert writes motions as .npz; motionrep export writes other kinds of files")
    of_keypoints = {"layout": layout, "size": size} | ({} if source.suffix.lower() == ".pkl" else {"fps": fps})
    if given := [name for name, value in of_keypoints.items() if value is not None]:
        raise ValueError(f"{source}: a motion file, and --{given[0]} is for keypoints; leave it out")
    if skeleton is not None:
        if source.suffix.lower() != ".bvh":
            raise ValueError(f"{source}: --skeleton says how the joints of a .bvh drive the body; leave it out")
        from motionrep.motion.retargeting.skeletons import read_skeleton

        table = read_skeleton(skeleton)
    else:
        table = None
    # motionrep's own .npz keeps the body it was made for
    motion = motionrep.load_motion(source, body or "open", table, person=person, frame=frame, fps=fps)
    if body is not None and motion.body_model != body:
        from motionrep.fitting.transfer import transfer

        moved = transfer(motion, motionrep.load_body_model(body))
        print(f"error: joints {moved.joint_error_mm:.1f} mm, surface landmarks {moved.landmark_error_mm:.1f} mm")
        motion = moved.motion
    motionrep.save_motion(motion, output)
    print(f"{output}: {motion.frame_count} frames at {motion.fps:g} fps")
