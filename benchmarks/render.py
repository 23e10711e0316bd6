"""Compares frames per second of the renderers with pyrender as it is commonly used.

    python benchmarks/render.py --output benchmarks/render.md
    python benchmarks/render.py --frames-for-leaks 10000 --backend pyrender

One body of the open model walks. Its vertices are computed beforehand, normals and light for every frame. All ways take
four samples per pixel. The ways take turns, so that other work of the machine affects all of them; numbers are medians
over the rounds. "Usual" is a new trimesh and a new pyrender mesh for every frame, with two lights. Processor time is
that of all threads of the process. The last table is for a clip from keypoints to .mp4: embedding, mesh head, drawing
and encoding, with weights and libraries loaded.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from reports import machine, write
from torch import Tensor

import motionrep
from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.synthetic.virtual_camera import random_camera, simulated_keypoints
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking
from motionrep.layouts import HALPE_26
from motionrep.motion.axes import in_camera
from motionrep.rendering.backdrop import make_backdrop
from motionrep.rendering.backends.choice import Renderer, renderer
from motionrep.rendering.looks import View
from motionrep.rendering.surfaces import Surface

SIZES = ((640, 480), (1280, 720))
SKIN = (0.87, 0.80, 0.745)
FRAMES = 32
Way = Callable[[list[int]], None]  # draws the frames of these numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="where raster and pytorch3d draw")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=24, help="of each way, size and round")
    parser.add_argument("--clip-seconds", type=float, default=10, help="0 leaves the clip out")
    parser.add_argument("--pytorch3d", action="store_true", help="also PyTorch3D, which takes seconds for a frame")
    parser.add_argument("--note", default="", help="a sentence for the report, for example what else ran")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    parser.add_argument("--frames-for-leaks", type=int, default=0, help="only draw so many and report memory")
    parser.add_argument("--backend", default="raster", help="for --frames-for-leaks")
    options = parser.parse_args()
    if options.frames_for_leaks:
        leaks(options.backend, options.frames_for_leaks)
        return
    report = f"{machine(options.device)} {options.note}".strip() + "\n\n" + speeds(options)
    print(report)
    if options.clip_seconds:
        clip = clip_times(options.clip_seconds, options.device)
        print(clip)
        report += "\n" + clip
    write(f"# Drawing\n\n{report}", options.output)


def speeds(options: argparse.Namespace) -> str:
    os.environ |= {"PYOPENGL_PLATFORM": "egl", "PYGLET_HEADLESS": "true"}  # before anything imports pyrender
    body = load_body_model("open")
    vertex_m = body.mesh(authored_motion("walk", seconds=FRAMES / 30)).vertex_m[:FRAMES]
    vertex_m[..., [0, 2]] -= vertex_m.mean(1, keepdim=True)[..., [0, 2]]
    lines, missing = [], []
    for width, height in SIZES:
        ways: dict[str, Way] = {}
        for name in ("raster", "pyrender", *(["pytorch3d"] if options.pytorch3d else [])):
            try:
                drawing = renderer(name, options.device)
            except (ImportError, RuntimeError) as error:
                missing.append(f"{name}: {error}")
                continue
            device = "cpu" if name == "pyrender" else options.device
            ways[f"`{name}`"] = ours(drawing, vertex_m.to(device), body.faces.to(device), width, height)
        if "`pyrender`" in ways:
            ways |= {
                "pyrender as usual, body alone": usual(vertex_m, body.faces, width, height),
                "pyrender as usual, body and floor": usual(vertex_m, body.faces, width, height, floor=True),
                "pyrender as usual, body, floor, shadows": usual(
                    vertex_m, body.faces, width, height, floor=True, shadows=True
                ),
            }
        times = measured(ways, options.rounds, options.frames)
        base = times.get("pyrender as usual, body and floor", times[next(iter(times))])[0]
        for name, (seconds, cpu_s) in times.items():
            speed = f"{1 / seconds:.1f} | {1e3 * cpu_s:.0f} | {base / seconds:.2f}"
            lines.append(f"| {name} | {width} x {height} | {speed} |")
    head = [
        "| way | size | frames/s | processor ms/frame | times as fast as pyrender as usual, body and floor |",
        "|---|---|---|---|---|",
    ]
    return "\n".join(head + lines + [""] + [f"Not measured: {text}." for text in dict.fromkeys(missing)]) + "\n"


def ours(drawing: Renderer, vertex_m: Tensor, faces: Tensor, width: int, height: int) -> Way:
    """Draws as `motionrep.render` does: with floor and shadow, a thread for each core, into an array on the CPU."""
    backdrop = make_backdrop(camera(width, height), torch.zeros(3), vertex_m.device)
    color = vertex_m.new_tensor(SKIN).expand_as(vertex_m[0])
    threads = (os.cpu_count() or 1) if vertex_m.device.type == "cpu" else 1

    def draw(frame: int) -> np.ndarray:
        with torch.no_grad():
            surface = Surface(vertex_m[frame], faces, color)
            return drawing.draw([surface], backdrop, 2).cpu().numpy()

    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))

    def draw_all(frames: list[int]) -> None:
        for _ in pool.map(draw, frames):
            pass

    return draw_all


def usual(vertex_m: Tensor, faces: Tensor, width: int, height: int, floor: bool = False, shadows: bool = False) -> Way:
    """Draws with a new trimesh and pyrender mesh for every frame; pyrender always takes 4 samples per pixel."""
    import pyrender  # pyright: ignore[reportMissingImports]
    import trimesh  # pyright: ignore[reportMissingImports]

    seen_from = camera(width, height)
    pose = np.linalg.inv(seen_from.camera_from_world.double().numpy()) @ np.diag([1.0, -1.0, -1.0, 1.0])
    scene = pyrender.Scene(bg_color=[1.0, 1.0, 1.0, 1.0], ambient_light=[0.3, 0.3, 0.3])
    focal_px = seen_from.focal_px
    scene.add(pyrender.IntrinsicsCamera(focal_px, focal_px, *seen_from.center_px), pose=pose)
    above = np.eye(4)
    above[:3, :3] = trimesh.transformations.euler_matrix(-1.2, 0.3, 0.0)[:3, :3]
    above[:3, 3] = [0.0, 3.0, 1.0]
    for place in (pose, above):
        scene.add(pyrender.DirectionalLight(intensity=2.0), pose=place)
    if floor:
        corner_m = [[-3.0, 0, -3.0], [3.0, 0, -3.0], [3.0, 0, 3.0], [-3.0, 0, 3.0]]
        ground = trimesh.Trimesh(corner_m, [[0, 2, 1], [0, 3, 2]], process=False)
        scene.add(pyrender.Mesh.from_trimesh(ground))
    material = pyrender.MetallicRoughnessMaterial(metallicFactor=0.1, baseColorFactor=(*SKIN, 1.0))
    flags = pyrender.RenderFlags.SHADOWS_DIRECTIONAL if shadows else pyrender.RenderFlags.NONE
    array, triangles = vertex_m.numpy(), faces.numpy()

    def draw(frames: list[int]) -> None:
        view = screen()
        view.viewport_width, view.viewport_height = width, height
        for frame in frames:
            mesh = trimesh.Trimesh(array[frame], triangles, process=False)
            node = scene.add(pyrender.Mesh.from_trimesh(mesh, material=material))
            np.ascontiguousarray(view.render(scene, flags=flags)[0])
            scene.remove_node(node)

    return draw


_SCREEN: list[Any] = []  # one for the process: deleting one OffscreenRenderer ends the others


def screen() -> Any:
    import pyrender  # pyright: ignore[reportMissingImports]

    if not _SCREEN:
        _SCREEN.append(pyrender.OffscreenRenderer(*SIZES[0]))
    return _SCREEN[0]


def measured(ways: dict[str, Way], rounds: int, frames: int) -> dict[str, tuple[float, float]]:
    """Seconds and processor seconds per frame of each way, medians over rounds in which the ways take turns."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for draw in ways.values():
        draw([0, 1])
    for _ in range(rounds):
        for name, draw in ways.items():
            count = 1 if name == "`pytorch3d`" else frames
            start, cpu_start = time.perf_counter(), time.process_time()
            draw([frame % FRAMES for frame in range(count)])
            times[name].append(((time.perf_counter() - start) / count, (time.process_time() - cpu_start) / count))
    return {name: tuple(statistics.median(column) for column in zip(*runs)) for name, runs in times.items()}  # noqa: B905


def clip_times(seconds: float, device: str) -> str:
    body, rng = load_body_model("open"), np.random.default_rng(0)
    motion = authored_motion("walk", seconds=seconds)
    seen_from = random_camera(motion, body, rng, 640, 480)
    keypoints = simulated_keypoints(in_camera(motion, body, seen_from), body, seen_from, HALPE_26, rng)
    encoder, head = motionrep.load_encoder("ktpformer-s"), motionrep.load_head("mesh-ktpformer-s")
    lines = [
        f"{seconds:g} s at 30 frames/s, from keypoints to .mp4, back end `raster`, 4 samples per pixel:",
        "",
        "| pictures | embedding and mesh head, s | drawing and encoding, s | together, s |",
        "|---|---|---|---|",
    ]
    pictures: list[tuple[str, list[View]]] = [
        ("the body, 640 x 480", ["camera"]),
        ("keypoints, body, body from the side, each 640 x 480", ["keypoints", "camera", "side"]),
    ]
    for text, views in pictures:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            recovered = head.predict(motionrep.embed(keypoints, encoder))
            between = time.perf_counter()
            shown = keypoints if "keypoints" in views else None
            path = Path(folder) / "clip.mp4"
            motionrep.render(
                recovered, path, keypoints=shown, views=views, width_px=640, backend="raster", device=device
            )
            end = time.perf_counter()
        lines.append(f"| {text} | {between - start:.1f} | {end - between:.1f} | {end - start:.1f} |")
    return "\n".join(lines) + "\n"


def leaks(name: str, frames: int) -> None:
    """Draws small pictures of a body; prints the memory in use ten times."""
    drawing = renderer(name)
    body = load_body_model("open")
    seen_from = replace(camera(640, 480), focal_px=60.0, center_px=(32.0, 24.0), width_px=64, height_px=48)
    backdrop = make_backdrop(seen_from, torch.zeros(3))
    vertex_m = body.template_vertex_m + torch.tensor([0.0, 0.93, 0.0])
    surface = Surface(vertex_m, body.faces, vertex_m.new_tensor(SKIN).expand_as(vertex_m))
    first = 0.0
    with torch.no_grad():
        for frame in range(1, frames + 1):
            moved = replace(surface, vertex_m=vertex_m + 0.001 * (frame % 100))
            drawing.draw([moved], backdrop)
            if frame == frames // 10:
                first = resident_mb()
            if frame % (frames // 10) == 0:
                print(f"{name}: {frame} frames, {resident_mb():.1f} MB, {resident_mb() - first:+.1f}", flush=True)


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def camera(width: int, height: int) -> PinholeCamera:
    """A camera in whose picture the body has about two thirds of the height."""
    pose = camera_from_world_looking(torch.tensor([1.6, 1.2, 3.6]), torch.tensor([0.0, 0.85, 0.0]))
    return PinholeCamera(1.6 * height, (width / 2, height / 2), width, height, pose)


if __name__ == "__main__":
    main()
