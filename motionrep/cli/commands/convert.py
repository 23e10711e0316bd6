"""`motionrep convert`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from motionrep.cli.inputs import refuse_clip_options, require_suffix
from motionrep.cli.options import MOTION_FILES, SOURCES, Axes, Parser, Up, add_clip, add_frame, add_person, add_up
from motionrep.cli.sources import Reading, is_filmed, kept_in
from motionrep.files.contents import Contents, look
from motionrep.files.kinds import kind_of, require_kind

if TYPE_CHECKING:
    from motionrep.types import BodyMotion

EXAMPLES = """\
  motionrep convert walk.bvh --output walk.npz
  motionrep convert dance.mp4 --output dance.npz                      # its keypoints
  motionrep convert dance.json --size 1920x1080 --fps 30 --output dance.npz
  motionrep convert walk.npz --body smpl-neutral --output smpl.npz    # the motion on another body
"""


def add_options(parser: Parser) -> None:
    parser.add_argument("source", type=Path, help=f"{SOURCES[:-1]}; or {MOTION_FILES[0].lower()}{MOTION_FILES[1:]}")
    parser.add_argument("--output", type=Path, required=True, help="The .npz, or for keypoints .json, to write.")
    parser.add_argument(
        "--body", help="The body that makes the motion, by name or a SMPL file (default: the motion's, or open)."
    )
    add_person(parser, "the motion file", "its only one")
    add_frame(parser)
    parser.rare.add_argument(
        "--skeleton", type=Path, help="A .json with the names of a .bvh file's joints (default: known by name)."
    )
    add_up(parser)
    add_clip(parser)


def run(
    source: Path, output: Path, body: str | None, person: int | None, frame: Axes | None, skeleton: Path | None,
    up: Up | None, **reading: Any,
) -> None:  # fmt: skip
    """Converts keypoints or a video to .npz or AlphaPose .json, or any motion file to .npz."""
    contents, options = look(source), Reading(**reading)
    if is_filmed(contents) or kind_of(contents).holds == "keypoints":
        of_motion = {"body": body, "person": person, "frame": frame, "skeleton": skeleton, "up": up}
        if given := [name for name, value in of_motion.items() if value is not None]:
            raise ValueError(
                f"{source}: gives keypoints, and --{given[0]} is for motions; motionrep predict makes a motion of them"
            )
        _convert_keypoints(contents, options, output)
        return
    kind = require_kind(contents, "motion", "keypoints")
    if output.suffix.lower() != ".npz":
        raise ValueError(f"{output}: convert writes motions as .npz; motionrep export writes other kinds of files")
    refuse_clip_options([contents], **options.of_files, fps=options.fps, detector=options.detector)
    if skeleton is not None and kind.name != "BVH":
        raise ValueError(f"{source}: --skeleton says how the joints of a .bvh drive the body; leave it out")
    import motionrep

    motion = _motion(contents, body, skeleton, person, frame, options.fps, up)
    if body is not None and motion.body_model != body:
        from motionrep.fitting.transfer import transfer

        moved = transfer(motion, motionrep.load_body_model(body))
        print(f"error: joints {moved.joint_error_mm:.1f} mm, surface landmarks {moved.landmark_error_mm:.1f} mm")
        motion = moved.motion
    motionrep.save_motion(motion, output)
    print(f"{output}: {motion.frame_count} frames at {motion.fps:g} fps")


def _convert_keypoints(contents: Contents, options: Reading, output: Path) -> None:
    require_suffix(output, "keypoints", ".npz", ".json")
    options.look(contents.path)
    from motionrep.keypoints.saving import as_coco_17, save_keypoints

    filmed, as_npz = is_filmed(contents), output.suffix.lower() == ".npz"
    people = options.read(contents, output if as_npz else kept_in(output.parent, [contents.path])[0])
    if not (filmed and as_npz):  # a video's keypoints are there by now
        save_keypoints([as_coco_17(one) for one in people] if filmed else people, output)
    begin = min(person.first_frame for person in people)
    frames = max(person.first_frame + person.frame_count for person in people) - begin
    print(f"{output}: {len(people)} person(s), {frames} frames at {people[0].fps:g} fps")


def _motion(
    contents: Contents, body: str | None, skeleton: Path | None, person: int | None, frame: Axes | None,
    fps: float | None, up: Up | None,
) -> "BodyMotion":  # fmt: skip
    """The motion of one person; motionrep's own .npz keeps the body that it was made for."""
    from motionrep.motion.loading import one_motion, read_motions
    from motionrep.motion.records import MotionOptions
    from motionrep.motion.retargeting.skeletons import read_skeleton

    table = None if skeleton is None else read_skeleton(skeleton)
    motions = read_motions(contents, MotionOptions(body or "open", table, frame, fps, up))
    return one_motion(motions, person, contents.path)
