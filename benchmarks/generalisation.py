"""How far weights carry: other people, real video, people who are cut off, single frames, embeddings of other people.

    python -m motionrep.datasets.free_motions MORE --output PREPARED
    python benchmarks/generalisation.py --data CMU PREPARED [--development FOLDER] [--encoder NAME ...]
        [--ground HEAD] [--output benchmarks/generalisation.md] [--windows 10]

--data: CMU's motion files with their index.csv, and what the first command makes. An encoder is a shipped name, whose
heads are found by name, or the folder of a run that trained a mesh head and a pose3d head. Each window is seen by one
random camera, body and simulated detector, the same for all encoders. The table has means over sources of people, so
that no source counts more than another. --development names a folder with a `score.py` that prints errors on real video
for an encoder's name.
"""

import argparse
import contextlib
import io
import re
import runpy
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from embedding_quality import embeddings
from reports import machine, write
from torch import Tensor

import motionrep
from motionrep.body import load_body_model
from motionrep.datasets.held_out import is_held_out, read_held_out
from motionrep.datasets.motion_folders import MotionClip, load_motion_folder
from motionrep.datasets.synthetic.augmentation import Augmentation
from motionrep.datasets.synthetic.clips import EveryWindow, RandomWindows, SynthesizedClips
from motionrep.embedding.encoding import encode
from motionrep.embedding.inputs import normalised_for
from motionrep.evaluation.scores import Scores
from motionrep.evaluation.synthetic_views import single_view
from motionrep.evaluation.world_metrics import WORLD_UNITS
from motionrep.evaluation.world_scores import WorldScores, true_motion
from motionrep.evaluation.world_views import WORLD_CAMERAS, recovered_in_world
from motionrep.head_api.loading import load_head
from motionrep.layouts import H36M_17
from motionrep.pipeline import Recoverer
from motionrep.types import Keypoints

FPS, WINDOW, WIDTH_PX = 30.0, 81, 1000
SEEDS = {"validation": 1000, "held-out": 1100, "cut": 1200, "world": 1400}
CUT = Augmentation(speed=(1.0, 1.0), mirror=False, cut_off=1.0)
WORLD_WINDOW = 100
Row = dict[str, str]


@dataclass(frozen=True)
class Model:
    """An encoder with a 3D pose head and a mesh head."""

    name: str
    encoder: Any
    pose: Any
    mesh: Any

    @classmethod
    def of(cls, name: str) -> "Model":
        run = Path(name)
        if not run.is_dir():
            return cls(name, motionrep.load_encoder(name), load_head(f"pose3d-{name}"), load_head(f"mesh-{name}"))
        encoder = run / "encoder" if (run / "encoder").is_dir() else run
        return cls(run.name, motionrep.load_encoder(encoder), load_head(run / "head_pose3d"), load_head(run / "head"))

    def output(self, head: Any, keypoints: Tensor) -> dict[str, Tensor]:
        """What a head makes of keypoints (frames 17 3) as the samples of training have them."""
        valid = torch.ones(1, len(keypoints), dtype=torch.bool)
        with torch.no_grad():
            return head(encode(normalised_for(keypoints, self.encoder), FPS, self.encoder)[None], valid)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--encoder", nargs="+", default=["ktpformer-s", "ssr-stf-s"])
    parser.add_argument("--development", type=Path)
    parser.add_argument("--held-out", default="people-1")
    parser.add_argument("--ground", help="A trained head of kind ground, of the only encoder.")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--windows", type=int, default=10, help="Of each source of people, at most.")
    options = parser.parse_args()
    patterns = read_held_out(options.held_out)
    clips = [clip for folder in options.data for clip in load_motion_folder(folder)]
    people = {name: some for name, some in by_source(clips).items() if any(is_held_out(c, patterns) for c in some)}
    people = {name: [clip for clip in some if is_held_out(clip, patterns)] for name, some in people.items()}
    most = options.windows
    models = [Model.of(name) for name in options.encoder]
    ground = None if options.ground is None else load_head(options.ground)
    rows: list[tuple[str, Row]] = []
    for model in models:
        for what, value in measured(model, clips, people, patterns, most, options.development, ground):
            found = next((row for name, row in rows if name == what), None)
            if found is None:
                rows.append((what, found := {}))
            found[model.name] = value
            print(f"{model.name} | {what} | {value}", flush=True)
    report = table(rows, [model.name for model in models], people, most)
    print(report)
    write(report, options.output)


def by_source(clips: Sequence[MotionClip]) -> dict[str, list[MotionClip]]:
    """Clips by the folder in their names; "cmu" for those without one."""
    sources: dict[str, list[MotionClip]] = defaultdict(list)
    for clip in clips:
        sources[clip.name.split("/")[0] if "/" in clip.name else "cmu"].append(clip)
    return sources


def measured(
    model: Model,
    clips: Sequence[MotionClip],
    people: dict[str, list[MotionClip]],
    patterns: tuple[str, ...],
    most: int,
    development: Path | None,
    ground: Any,
) -> Iterator[tuple[str, str]]:
    """Name and value of every row of the table."""
    val = [clip for clip in clips if clip.split == "val"]
    yield from scored("validation clips", model, {"validation": val}, 3 * most, SEEDS["validation"])
    yield from scored("held-out people", model, people, most, SEEDS["held-out"], each=True)
    yield from cut_off(model, people, most)
    yield from single_frames(model, people, most)
    yield from in_world(model, people, most, ground)
    yield from embeddings(model.encoder, clips, patterns)
    if development is not None:
        yield from on_development(model, development)


def windows_of(clips: Sequence[MotionClip], seed: int, most: int) -> list[dict[str, Tensor]]:
    """Windows spread over all of the clips, each a batch of one without padding."""
    samples = SynthesizedClips(clips, WINDOW, WINDOW, FPS, seed, EveryWindow(), layout=H36M_17)
    chosen = np.unique(np.linspace(0, len(samples) - 1, min(most, len(samples))).round().astype(int))
    return [single_view(samples, int(index)) for index in chosen]


def scored(
    what: str, model: Model, sources: dict[str, list[MotionClip]], most: int, seed: int, each: bool = False
) -> Iterator[tuple[str, str]]:
    """Errors of poses and meshes, plain and refined; the mean over sources, and each source's poses."""
    results: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for source, clips in sources.items():
        kinds = {kind: Scores(FPS, vertex_step=9) for kind in ("3D pose", "mesh", "mesh refined")}
        for number, batch in enumerate(windows_of(clips, seed, most)):
            keypoints = batch["keypoints"][0]
            kinds["3D pose"].add(model.output(model.pose, keypoints), batch)
            kinds["mesh"].add(model.output(model.mesh, keypoints), batch)
            if number % 2 == 0:
                kinds["mesh refined"].add(refined(model, keypoints), batch)
        for kind, scores in kinds.items():
            results[kind][source] = scores.result()
    for kind, found in results.items():
        mean = {name: float(np.mean([one[name] for one in found.values()])) for name in next(iter(found.values()))}
        yield f"{what}: {kind}", wording(mean)
    if each:
        for source in sources:
            yield f"{what}, {source}: 3D pose", wording(results["3D pose"][source])
            yield f"{what}, {source}: mesh refined", wording(results["mesh refined"][source])


def wording(scores: dict[str, float]) -> str:
    surface = f", PVE {scores['pve']:.1f}" if "pve" in scores else ""
    return f"{scores['mpjpe']:.1f} / {scores['pa_mpjpe']:.1f}{surface}, {scores['accel_error']:.2f} m/s²"


def clip_of(keypoints: Tensor) -> Keypoints:
    """Keypoints of a sample as a clip in a square picture."""
    return Keypoints((keypoints[..., :2] + 1) * WIDTH_PX / 2, keypoints[..., 2], H36M_17, FPS, WIDTH_PX, WIDTH_PX)


def refined(model: Model, keypoints: Tensor) -> dict[str, Tensor]:
    clip = clip_of(keypoints)
    motion = motionrep.refine(model.mesh.predict(motionrep.embed(clip, model.encoder)), clip)
    return {"local_rotmat": motion.local_rotmat[None], "betas": motion.betas[None]}


def points_m(output: dict[str, Tensor]) -> Tensor:
    """Human3.6M-17 points (frames 17 3) of a pose or mesh head, relative to the pelvis."""
    if "position_m" in output:
        return output["position_m"][0]
    rotmat = output["local_rotmat"][0]
    point_m = load_body_model("open").points(H36M_17, rotmat, output["betas"], torch.zeros(len(rotmat), 3))
    return point_m - point_m[:, :1]


def cut_off(model: Model, people: dict[str, list[MotionClip]], most: int) -> Iterator[tuple[str, str]]:
    """Errors of the joints in the picture, relative to the pelvis, and to the middle of these joints."""
    errors: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for clips in people.values():
        windows = RandomWindows(most, CUT)
        samples = SynthesizedClips(clips, WINDOW, WINDOW, FPS, SEEDS["cut"], windows, layout=H36M_17)
        for index in range(most):
            view, batch = samples._draw(0, index), single_view(samples, index)
            seen = in_picture(batch, view.size_px[1] / view.size_px[0])
            keep = seen.sum(1) >= 5
            if not bool(keep.any()):
                continue
            for kind, head in (("3D pose", model.pose), ("mesh", model.mesh)):
                off = points_m(model.output(head, batch["keypoints"][0])) - batch["position_m"][0]
                both = [
                    off,
                    off - (off * seen[..., None]).sum(1, keepdim=True) / seen.sum(1).clamp(min=1)[:, None, None],
                ]
                errors[kind].append(tuple(float(e[keep].norm(dim=-1)[seen[keep]].mean()) * 1000 for e in both))  # pyright: ignore[reportArgumentType]
    for kind, pairs in errors.items():
        pelvis, middle = np.mean(pairs, 0)
        yield f"cut-off held-out people: {kind}", f"{pelvis:.1f}, from their middle {middle:.1f}"


def in_picture(batch: dict[str, Tensor], aspect: float) -> Tensor:
    """Which of the true Human3.6M-17 points are in the picture (frames 17)."""
    point_m = load_body_model("open").points(
        H36M_17, batch["local_rotmat"][0], batch["betas"], batch["translation_m"][0]
    )
    xy = point_m[..., :2] / point_m[..., 2:] * batch["focal"]
    return (xy.abs() < torch.tensor([1.0, aspect])).all(-1)


def single_frames(model: Model, people: dict[str, list[MotionClip]], most: int) -> Iterator[tuple[str, str]]:
    """Errors where the networks see one frame alone."""
    kinds: dict[str, list[dict[str, float]]] = defaultdict(list)
    for clips in people.values():
        scores = {kind: Scores(FPS) for kind in ("3D pose", "mesh")}
        for batch in windows_of(clips, SEEDS["held-out"], most):
            middle = batch["valid"].shape[1] // 2
            one = {name: t[:, [middle]] if t.dim() > 1 and name != "betas" else t for name, t in batch.items()}
            for kind, head in (("3D pose", model.pose), ("mesh", model.mesh)):
                scores[kind].add(model.output(head, one["keypoints"][0]), one)
        for kind, score in scores.items():
            kinds[kind].append(score.result())
    for kind, found in kinds.items():
        mpjpe, pa = (np.mean([one[name] for one in found]) for name in ("mpjpe", "pa_mpjpe"))
        yield f"single frames of held-out people: {kind}", f"{mpjpe:.1f} / {pa:.1f}"


def in_world(model: Model, people: dict[str, list[MotionClip]], most: int, ground: Any) -> Iterator[tuple[str, str]]:
    """Errors in the world of refined meshes: under a level camera, each on a floor of its own, and on a floor found."""
    body = load_body_model("open")
    ways = {"level camera": Recoverer(model.encoder, {"mesh": model.mesh}, refine=True)}
    if ground is not None:
        ways["floor found"] = Recoverer(model.encoder, {"mesh": model.mesh, "ground": ground}, refine=True)
    for camera, augmentation in WORLD_CAMERAS.items():
        scores = {name: WorldScores(body) for name in ways}
        if camera == "walking" and ground is not None:
            scores["floor found, way known"] = WorldScores(body)
        for clips in people.values():
            windows = RandomWindows(most, augmentation)
            samples = SynthesizedClips(clips, WORLD_WINDOW, WORLD_WINDOW, FPS, SEEDS["world"], windows, layout=H36M_17)
            for index in range(most):
                batch = single_view(samples, index)
                truth = true_motion(batch, body, FPS)
                for name, one in scores.items():
                    way = name.removesuffix(", way known")
                    found, seen_from = recovered_in_world(ways[way], batch, way_is_known=name != way)
                    assert found is not None
                    one.add(found, truth)
                    one.add_up(seen_from, batch)
        for name, one in scores.items():
            told = ", ".join(f"{key} {value:.1f} {WORLD_UNITS[key]}" for key, value in one.result().items())
            yield f"world, {camera} camera: {name}", told


def on_development(model: Model, folder: Path) -> Iterator[tuple[str, str]]:
    """The lines that the folder's score.py prints for this model."""
    found = {"pose3d": model.pose, "mesh": model.mesh}
    printed, name = io.StringIO(), model.name
    with (
        mock.patch.object(sys, "argv", ["score.py", name]),
        mock.patch.object(motionrep, "load_encoder", return_value=model.encoder),
        mock.patch.object(motionrep, "load_head", lambda head: found[head.split("-")[0]]),
        contextlib.redirect_stdout(printed),
    ):
        runpy.run_path(str(folder / "score.py"), run_name="__main__")
    for line in printed.getvalue().splitlines():
        before, after = line.split("MPJPE", 1)
        source = " ".join(before.replace(name, "").split())
        numbers = re.findall(r"[\d.]+", after)
        value = f"{numbers[0]} / {numbers[1]}" + (f", {numbers[2]} m/s²" if len(numbers) > 2 else "")
        yield f"development, {source}", value


def table(rows: list[tuple[str, Row]], names: list[str], people: dict[str, list[MotionClip]], most: int) -> str:
    lines = [
        "# How far the weights carry", "",
        "Errors in mm: MPJPE / after Procrustes alignment, and the error of the acceleration. How they are measured:",
        f"`benchmarks/generalisation.py`; up to {most} windows of each source of people. {machine()}", "",
        "| | " + " | ".join(f"`{name}`" for name in names) + " |", "|---" * (len(names) + 1) + "|",
    ]  # fmt: skip
    lines += [f"| {what} | " + " | ".join(row.get(name, "") for name in names) + " |" for what, row in rows]
    lines += ["", "Held-out people, minutes:", ""]
    for source, clips in people.items():
        minutes = sum(clip.motion.frame_count / clip.motion.fps for clip in clips) / 60
        lines.append(f"* {source}: {minutes:.2f} ({len(clips)} clips)")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
