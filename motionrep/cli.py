"""The command line, thin over the library: `motionrep COMMAND --help` explains each command."""

import json
import logging
import math
import sys
import zipfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal

import torch

import motionrep
from motionrep.cli_options import command_parser, parse_finetune
from motionrep.encoders import ENCODERS
from motionrep.files import BROKEN_NPZ, written_beside
from motionrep.head_api import head_entry_points
from motionrep.layouts import LAYOUTS
from motionrep.tables import write_embeddings
from motionrep.types import ActionScores, BodyMotion, JointMotion, Keypoints
from motionrep.weights import shipped

Size = tuple[int, int]
Axes = Literal["camera", "world"]
Precision = Literal["float32", "bfloat16"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Returns 0, 2 after one line about what is wrong with the input, or 130 when interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    with_traceback = "--traceback" in arguments
    arguments = [argument for argument in arguments if argument != "--traceback"]
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("motionrep").setLevel(logging.INFO)
    try:
        # The settings of a training run are many and also stand in YAML files, so they have a parser of their own.
        if arguments[:1] == ["finetune"]:
            finetune(arguments[1:])
            return 0
        parser = command_parser({name: (command.__doc__ or "") for name, command in COMMANDS.items()})
        options = vars(parser.parse_args(arguments))
        command = options.pop("command")
        if command is None:
            parser.print_help()
        else:
            return COMMANDS[command](**options) or 0
    except KeyboardInterrupt:
        if with_traceback:
            raise
        print("motionrep: interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError, ImportError) as error:
        if with_traceback:
            raise
        print(f"motionrep: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def demo(output: Path, clips: int, seed: int) -> None:
    """Makes example clips, embeds them, recovers the motion, and writes a video to look at."""
    from motionrep.demo import run_demo

    print(run_demo(output, clips, seed))


def embed(
    keypoints: Path, output: Path, encoder: str, level: Literal["clip", "frame", "joint"], layout: str | None,
    fps: float | None, size: Size | None, flip: bool, device: str, precision: Precision,
) -> None:  # fmt: skip
    """Writes the motion embeddings of every person in a keypoint file as a Parquet table."""
    people = _load_people(keypoints, layout, fps, size)
    network = motionrep.load_encoder(encoder)
    dtype = getattr(torch, precision)
    embeddings = [
        motionrep.embed(person, network, flip=flip, device=device, dtype=dtype, progress=True) for person in people
    ]
    write_embeddings(embeddings, output, level, [keypoints.stem] * len(people))
    frames = sum(person.frame_count for person in people)
    print(f"{output}: {len(people)} person(s), {frames} frames, {network.channels} channels")


def predict(
    keypoints: Path, output: Path, head: str, encoder: str | None, video: bool, layout: str | None,
    fps: float | None, size: Size | None, device: str, precision: Precision,
) -> None:  # fmt: skip
    """Runs a head on every person in a keypoint file: 3D pose, body mesh or action."""
    people = _load_people(keypoints, layout, fps, size)
    trained: Any = motionrep.load_head(head)
    network = motionrep.load_encoder(_encoder_for(trained, head) if encoder is None else encoder)
    for index, person in enumerate(people):
        embedding = motionrep.embed(person, network, device=device, dtype=getattr(torch, precision), progress=True)
        result = trained.predict(embedding)
        path = output / f"{keypoints.stem}_{index}"
        if isinstance(result, BodyMotion | JointMotion):
            path = path.with_name(path.name + ".npz")
            motionrep.save_motion(result, path)
            print(f"{path}: person {person.person}, {result.frame_count} frames in {result.frame} axes")
            if video:
                movie = path.with_suffix(".mp4")
                print(motionrep.render(result, movie, keypoints=person, device=device, progress=True))
        elif video:
            raise ValueError(
                f"--video: head {head!r} gives {type(result).__name__}, which cannot be drawn; leave it out"
            )
        elif isinstance(result, ActionScores):
            path = path.with_name(path.name + ".json")
            probability = dict(zip(result.labels, result.probability().tolist(), strict=True))
            content = {"person": person.person, "best": result.best, "probability": probability}
            with written_beside(path) as beside:
                beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            print(f"{path}: person {person.person}, {result.best} ({probability[result.best]:.0%})")
        else:
            print(f"person {person.person}: {result}")


def render(
    motion: Path, output: Path, keypoints: Path | None, person: int | None, frame: Axes | None,
    views: list[Literal["camera", "side"]], height: int, supersample: int, layout: str | None, fps: float | None,
    size: Size | None, device: str,
) -> None:  # fmt: skip
    """Renders a motion file as a video, or as pictures."""
    if motion.suffix.lower() == ".json" or motion.is_dir() or "0.xy_px" in _npz_fields(motion):
        raise ValueError(f"{motion}: holds keypoints, not a motion; run motionrep predict on it first")
    of_keypoints = {"layout": layout, "size": size} | ({} if motion.suffix.lower() == ".pkl" else {"fps": fps})
    given = [name for name, value in of_keypoints.items() if value is not None]
    if given and keypoints is None:
        raise ValueError(f"{motion}: a motion file, and --{given[0]} is for --keypoints; leave it out")
    if "position_m" in _npz_fields(motion):
        shown = motionrep.load_joint_motion(motion)
    else:  # with keypoints, --person is also, and often only, for them
        pickled = motion.suffix.lower() == ".pkl"
        chosen = person if pickled or keypoints is None else None
        shown = motionrep.load_motion(motion, person=chosen, frame=frame, fps=fps if pickled else None)
    clip: Keypoints | None = None
    if keypoints is not None:
        people = _load_people(keypoints, layout, fps, size)
        if not 0 <= (person or 0) < len(people):
            raise ValueError(f"{keypoints}: holds {len(people)} person(s), so --person must be 0 to {len(people) - 1}")
        clip = people[person or 0]
    print(
        motionrep.render(
            shown, output, keypoints=clip, views=views, height_px=height, supersample=supersample, device=device,
            progress=True,
        )
    )  # fmt: skip


def convert(
    source: Path, output: Path, body: str | None, person: int | None, frame: Axes | None, skeleton: Path | None,
    layout: str | None, fps: float | None, size: Size | None,
) -> None:  # fmt: skip
    """Converts keypoints to .npz or AlphaPose .json, or a motion (.bvh, AMASS, 3DPW, WHAM, GVHMR) to .npz."""
    of_motion = {"body": body, "person": person, "frame": frame, "skeleton": skeleton}
    if not _is_motion(source):
        if given := [name for name, value in of_motion.items() if value is not None]:
            raise ValueError(f"{source}: holds keypoints, and --{given[0]} is for motions; motionrep predict makes one")
        people = _load_people(source, layout, fps, size)
        motionrep.save_keypoints(people, output)
        print(f"{output}: {len(people)} person(s), {people[0].frame_count} frames at {people[0].fps:g} fps")
        return
    of_keypoints = {"layout": layout, "size": size} | ({} if source.suffix.lower() == ".pkl" else {"fps": fps})
    if given := [name for name, value in of_keypoints.items() if value is not None]:
        raise ValueError(f"{source}: a motion file, and --{given[0]} is for keypoints; leave it out")
    if skeleton is not None:
        if source.suffix.lower() != ".bvh":
            raise ValueError(f"{source}: --skeleton says how the joints of a .bvh drive the body; leave it out")
        from motionrep.skeletons import read_skeleton

        table = read_skeleton(skeleton)
    else:
        table = None
    # motionrep's own .npz keeps the body it was made for
    motion = motionrep.load_motion(source, body or "open", table, person=person, frame=frame, fps=fps)
    if body is not None and motion.body_model != body:
        from motionrep.body.transfer import transfer

        moved = transfer(motion, motionrep.load_body_model(body))
        print(f"error: joints {moved.joint_error_mm:.1f} mm, surface landmarks {moved.landmark_error_mm:.1f} mm")
        motion = moved.motion
    motionrep.save_motion(motion, output)
    print(f"{output}: {motion.frame_count} frames at {motion.fps:g} fps")


def fit(
    joints: Path, output: Path, body: str, layout: str | None, fps: float | None, unit: Literal["m", "cm", "mm"] | None,
    axes: Literal["y-up", "z-up", "camera", "root"] | None, betas: list[float] | None,
) -> None:  # fmt: skip
    """Moves a body so that it follows 3D joints of any detector or motion capture."""
    from motionrep.fitting import fit_body
    from motionrep.joint_io import load_joints

    motion, confidence = load_joints(joints, layout, fps, unit, axes)
    fitted = fit_body(
        motion, motionrep.load_body_model(body), confidence, None if betas is None else torch.tensor(betas)
    )
    motionrep.save_motion(fitted.motion, output)
    for joint, error_mm in zip(motion.layout.joints, fitted.joint_error_mm.tolist(), strict=True):
        print(f"{joint:20s} " + ("never seen" if math.isnan(error_mm) else f"{error_mm:7.1f} mm"))
    print(f"{'mean':20s} {fitted.error_mm:7.1f} mm")
    print(f"{output}: {motion.frame_count} frames at {motion.fps:g} fps in {fitted.motion.frame} axes, body {body}")


def export(
    motions: list[Path], output: Path, person: int | None, frame: Axes | None, unit: Literal["m", "cm"],
    up: Literal["y", "z"], fps: float | None, head: str | None,
) -> None:  # fmt: skip
    """Writes motion for other programs (GLB, BVH, OBJ, PLY, AMASS's .npz), or an encoder as ONNX or .pt2."""
    if output.suffix.lower() in (".onnx", ".pt2"):
        options = (("person", person, None), ("frame", frame, None), ("unit", unit, "m"), ("up", up, "y"))
        given = [name for name, value, default in (*options, ("fps", fps, None)) if value != default]
        _export_encoder(motions, output, head, given)
        return
    if head is not None:
        raise ValueError(f"{output}: --head belongs to an encoder, which is exported to .onnx or .pt2")
    if encoders := [str(path) for path in motions if _is_encoder(path)]:
        raise ValueError(f"{encoders[0]}: an encoder, which is exported to .onnx or .pt2, not to {output.name}")
    if pickles := [str(path) for path in motions if path.suffix.lower() == ".pkl" and fps is not None]:
        raise ValueError(f"{pickles[0]}: --fps is the frame rate of the export here; convert it first with --fps")
    if person is None:
        loaded = [motion for path in motions for motion in _load_together(path, frame)]
    else:
        loaded = [motionrep.load_motion(path, person=person, frame=frame) for path in motions]
    motionrep.export_motion(loaded, output, unit=unit, up=up, fps=fps)
    print(f"{output}: {len(loaded)} person(s)")


def evaluate(
    data: Path, encoder: str, head: str, output: Path | None, split: Literal["train", "val"], layout: str, views: int,
    seed: int, precision: Precision,
) -> None:  # fmt: skip
    """Measures an encoder and a head on motion files; prints the errors with their protocol."""
    from motionrep.evaluation import evaluate as run

    result = run(data, encoder, head, output, split, layout, views, seed, precision)
    for name, value in result["metrics"].items():
        print(f"{name:15s} {value:9.3f} {result['units'].get(name, '')}".rstrip())
    print("protocol: " + ", ".join(f"{key} {value}" for key, value in result["protocol"].items()))


def finetune(arguments: Sequence[str]) -> None:
    """Trains a head, and the encoder with it, on motion files; settings in YAML."""
    config, data, output, resume = parse_finetune(arguments)
    try:
        from motionrep.training import finetune as run
    except ModuleNotFoundError as error:
        raise ImportError(f'training needs {error.name}: pip install "motionrep[train]"') from error
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # each epoch's line is ours
    with redirect_stdout(sys.stderr):  # Lightning draws its progress bars on the standard output
        scores = run(config, data, output, resume)
    print(f"{output}: best epoch " + ", ".join(f"{name} {value:.4g}" for name, value in scores.items()))


def list_() -> None:
    """Lists encoders, heads, shipped weights and joint layouts."""
    for title, names in (
        ("encoder architectures", ENCODERS),
        ("heads", sorted(head_entry_points())),
        ("shipped encoders", shipped("architecture")),
        ("shipped heads", shipped("head")),
        ("joint layouts", [f"{name} ({layout.joint_count} joints)" for name, layout in LAYOUTS.items()]),
    ):
        print(f"{title}: {', '.join(names) or 'none'}")


def doctor() -> int:
    """Says what is installed and what works here, and how to get the rest; status 1 if the basics do not work."""
    from motionrep.doctor import examine, healthy, report

    findings = examine()
    print(report(findings))
    return 0 if healthy(findings) else 1


COMMANDS: dict[str, Callable[..., int | None]] = {
    "demo": demo, "embed": embed, "predict": predict, "render": render, "convert": convert, "fit": fit,
    "export": export, "finetune": finetune, "evaluate": evaluate, "list": list_, "doctor": doctor,
}  # fmt: skip


def _load_together(path: Path, frame: Axes | None) -> list[BodyMotion]:
    from motionrep.motion_formats import read_result

    motions = motionrep.load_motions(path, frame=frame)
    if len(motions) > 1 and motions[0].frame == "world" and read_result(path, "world", 30.0)[0].world == "own":
        raise ValueError(
            f"{path}: holds {len(motions)} persons, each in a world and time of its own, so where they are to each "
            "other is not known; choose one with --person, or take --frame camera"
        )
    return motions


def _export_encoder(names: list[Path], output: Path, head: str | None, motion_options: list[str]) -> None:
    from motionrep.encoders.exporting import export_encoder
    from motionrep.evaluation import require_trained_together

    if motion_options:
        raise ValueError(f"{output}: holds an encoder, and --{motion_options[0]} is for motion; leave it out")
    if len(names) > 1:
        raise ValueError(f"{output}: holds one encoder, got {len(names)}")
    if _is_motion(names[0]):
        raise ValueError(
            f"{names[0]}: a motion file, and {output.suffix} holds an encoder; see motionrep export --help"
        )
    network = motionrep.load_encoder(names[0])
    trained: Any = None if head is None else motionrep.load_head(head)
    if trained is not None:
        require_trained_together(trained, network)
    export_encoder(network, output, trained)
    print(f"{output}: {network.name}{f' with {head}' if head else ''}, {output.stat().st_size / 1e6:.1f} MB")


def _is_encoder(path: Path) -> bool:
    return str(path) in shipped("architecture") or (path / "model.safetensors").is_file()


def _load_people(path: Path, layout: str | None, fps: float | None, size: Size | None) -> list[Keypoints]:
    if _is_motion(path):
        raise ValueError(f"{path}: holds a motion, not keypoints; motionrep render shows it, convert reads it")
    return motionrep.load_keypoints(path, layout, fps, size)


def _is_motion(path: Path) -> bool:
    if path.suffix.lower() == ".pt" and path.is_file():  # GVHMR's results, or the weights of a network
        return b"smpl_params_global" in path.read_bytes()
    return path.suffix.lower() in (".bvh", ".pkl") or bool(_npz_fields(path) & {"local_rotmat", "position_m", "poses"})


def _npz_fields(path: Path) -> set[str]:
    """Names of the arrays of an .npz file; none for any other file."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return set()
    try:
        with zipfile.ZipFile(path) as file:
            return {name.removesuffix(".npy") for name in file.namelist()}
    except BROKEN_NPZ:  # the reader says so
        return set()


def _encoder_for(trained: Any, head: str) -> str:
    """Name of the shipped encoder that a head was trained on."""
    name = str(trained.trained_on)
    if name not in shipped("architecture"):
        raise ValueError(
            f"{head}: trained on encoder {name!r}, which is not a shipped one; pass its folder as --encoder"
        )
    return name
