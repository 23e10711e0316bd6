"""Compares speed and results of `BodyModel` with the `smplx` package, on the same bodies, poses and shapes.

    python benchmarks/skinning.py --output benchmarks/skinning.md

Times both in one run, alternating, and prints a Markdown table. Needs `smplx`.
"""

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import roma
import torch
from reports import machine, write
from torch import Tensor

from motionrep.body import BodyModel, load_body_model

_OPEN_BODY = Path(__file__).parents[1] / "motionrep" / "body" / "open_body.npz"
_SMPL_VERTICES = 6890


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64, 512])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--note", default="", help="a sentence for the report, for example what else ran")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    report = compare(options.batches, options.repeats, torch.device(options.device), options.note)
    print(report)
    write(f"# Skinning\n\n{report}", options.output)


def compare(batches: list[int], repeats: int, device: torch.device, note: str = "") -> str:
    """A table of the milliseconds of each way for each body and batch, and the largest difference of the results."""
    lines = [
        f"One call with a pose and a shape for each body of the batch, rotation matrices in, float32. Milliseconds: "
        f"median of {repeats} repeats (fastest in brackets). `smplx` is `smplx.SMPLLayer` with `pose2rot=False`; it "
        f"makes joints and vertices in one call and always skins. Backward is that of the sum, to rotations, betas and "
        f"translation. The open body has {_open_fields()['v_template'].shape[0]} vertices and no pose correctives; the "
        f"other has SMPL's size, {_SMPL_VERTICES} vertices and 207 random directions of pose correctives.",
        "",
        f"{machine(device)} {note}".strip(),
        "",
        "| body | batch | pass | `smplx` | `vertices` | `joints` | vertices, times as fast | joints, times as fast |",
        "|---|---|---|---|---|---|---|---|",
    ]
    furthest_m = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for title, fields in (("open", _open_fields()), ("SMPL's size", smpl_size_fields())):
            path = Path(folder) / "body.npz"
            np.savez(path, **fields)  # pyright: ignore[reportArgumentType]
            body, reference = load_body_model(path).to(device), smplx_layer(fields).to(device)
            for batch in batches:
                pose = random_pose(batch, device)
                furthest_m = max(furthest_m, _distance_m(body, reference, pose))
                for title_of_pass, backward in (("forward", False), ("forward, backward", True)):
                    times = _milliseconds(_ways(body, reference, pose, backward), repeats, device)
                    medians = [statistics.median(of_way) for of_way in times]
                    shown = [f"{median:.3g} ({min(t):.3g})" for median, t in zip(medians, times, strict=True)]
                    faster = [f"{medians[0] / median:.1f}" for median in medians[1:]]
                    lines.append("| " + " | ".join([title, str(batch), title_of_pass, *shown, *faster]) + " |")
    lines += ["", f"Largest distance between the two packages' vertices and joints: {1000 * furthest_m:.2g} mm."]
    return "\n".join(lines) + "\n"


def smplx_layer(fields: dict[str, np.ndarray]) -> torch.nn.Module:
    import smplx
    from smplx.utils import Struct

    ids = dict.fromkeys(_open_fields()["vertex_id_names"].tolist(), 0)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints how many betas there are
        return smplx.SMPLLayer("", data_struct=Struct(**fields), vertex_ids=ids)


def smpl_size_fields() -> dict[str, np.ndarray]:
    """SMPL's fields with as many vertices as SMPL has, those of the open body, and random pose correctives."""
    fields = {name: array for name, array in _open_fields().items() if not name.startswith("vertex_id")}
    for name in ("v_template", "weights", "shapedirs"):
        fields[name] = fields[name][:_SMPL_VERTICES]
    fields["f"] = fields["f"][(fields["f"] < _SMPL_VERTICES).all(1)]
    regressor = fields["J_regressor"][:, :_SMPL_VERTICES]
    fields["J_regressor"] = regressor / regressor.sum(1, keepdims=True)
    rng = np.random.default_rng(0)
    fields["posedirs"] = rng.normal(0, 0.001, (_SMPL_VERTICES, 3, 207)).astype(np.float32)
    return fields


def random_pose(batch: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    rotmat = roma.rotvec_to_rotmat(0.3 * torch.randn(batch, 24, 3, generator=generator))
    betas, translation_m = torch.randn(batch, 10, generator=generator), torch.randn(batch, 3, generator=generator)
    return rotmat.to(device), betas.to(device), translation_m.to(device)


def _ways(body: BodyModel, reference: Any, pose: tuple[Tensor, ...], backward: bool) -> list[Callable[[], object]]:
    """smplx, our vertices, our joints."""
    inputs = [tensor.clone().requires_grad_(backward) for tensor in pose]

    def run(forward: Callable[..., Tensor]) -> object:
        with torch.set_grad_enabled(backward):
            result = forward(*inputs)
        return torch.autograd.grad(result.sum(), inputs) if backward else result

    return [
        lambda: run(lambda *inputs: _smplx(reference, *inputs).vertices),
        lambda: run(body.vertices),
        lambda: run(body.joints),
    ]


def _smplx(reference: Any, rotmat: Tensor, betas: Tensor, translation_m: Tensor) -> Any:
    return reference(
        betas=betas, global_orient=rotmat[:, :1], body_pose=rotmat[:, 1:], transl=translation_m, pose2rot=False
    )


@torch.no_grad()
def _distance_m(body: BodyModel, reference: Any, pose: tuple[Tensor, Tensor, Tensor]) -> float:
    expected = _smplx(reference, *pose)
    far = (body.vertices(*pose) - expected.vertices).norm(dim=-1).max()
    return max(float(far), float((body.joints(*pose) - expected.joints[:, :24]).norm(dim=-1).max()))


def _milliseconds(ways: list[Callable[[], object]], repeats: int, device: torch.device) -> list[list[float]]:
    """Time of each call; ways take turns, and short calls are repeated until 20 ms have passed."""

    def timed(way: Callable[[], object], calls: int) -> float:
        start = time.perf_counter()
        for _ in range(calls):
            way()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - start) * 1000 / calls

    calls = []
    for way in ways:
        timed(way, 1)
        calls.append(max(1, round(20 / timed(way, 1))))
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(repeats):
        for of_way, way, count in zip(times, ways, calls, strict=True):
            of_way.append(timed(way, count))
    return times


def _open_fields() -> dict[str, np.ndarray]:
    with np.load(_OPEN_BODY, allow_pickle=False) as file:
        return dict(file)


if __name__ == "__main__":
    main()
