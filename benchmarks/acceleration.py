"""Measures how much of the acceleration error of the shipped heads lies in the fast part of the recorded motion.

    python benchmarks/acceleration.py --data MOTIONS

The validation windows are filtered at their 120 frames per second by a fourth-order Butterworth low-pass, forwards and
backwards, as gait laboratories do. For each cut-off the table has the error of the filtered truth against the recorded
truth, and the error of the heads against the filtered truth. All are at 30 frames per second, one view of each window.
"""

import argparse
from pathlib import Path

import torch
from scipy.signal import butter, sosfiltfilt
from torch import Tensor

from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.datasets.synthetic.clips import SynthesizedClips
from motionrep.embedding.encoding import encode
from motionrep.embedding.inputs import normalised_for
from motionrep.encoders import load_encoder
from motionrep.evaluation.metrics import accel_error_m_per_s2
from motionrep.evaluation.synthetic_views import single_view
from motionrep.head_api.loading import load_head
from motionrep.layouts import H36M_17

FPS, FILE_FPS, WINDOW = 30, 120, 81
ENCODERS = ("ktpformer-s", "ssr-stf-s")
CUT_OFFS_HZ = (4, 5, 6, 8, 10, 12)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    clips = load_motion_folder(parser.parse_args().data, "val")
    step = FILE_FPS // FPS
    slow, fast = (SynthesizedClips(clips, n * WINDOW, n * WINDOW, n * FPS, 1000, layout=H36M_17) for n in (1, step))
    models = {name: (load_encoder(name), load_head(f"pose3d-{name}")) for name in ENCODERS}
    recorded, filtered = [], {cut_off_hz: [] for cut_off_hz in CUT_OFFS_HZ}
    predicted = {name: [] for name in models}
    for index in range(len(slow)):
        batch, whole = single_view(slow, index), single_view(fast, index)
        recorded.append(batch["position_m"][0])
        position_m = whole["position_m"][0]
        for cut_off_hz, of_windows in filtered.items():
            of_windows.append(low_passed(position_m, cut_off_hz)[::step][: len(recorded[-1])])
        for name, (encoder, head) in models.items():
            with torch.no_grad():
                values = encode(normalised_for(batch["keypoints"][0], encoder), FPS, encoder)
                predicted[name].append(head(values[None], batch["valid"])["position_m"][0])
    still = [torch.zeros_like(position_m) for position_m in recorded]
    print("m/s^2                            " + "".join(f"{name:>14s}" for name in ("no motion", *models)))
    row("recorded", None, recorded, still, predicted)
    for cut_off_hz, target in filtered.items():
        row(f"below {cut_off_hz} Hz", error(target, recorded), target, still, predicted)
    print(f"mean accelerations: recorded {error(still, recorded):.2f}", end="")
    print(*(f", {name} {error(still, of_model):.2f}" for name, of_model in predicted.items()), sep="")


def low_passed(position_m: Tensor, cut_off_hz: float) -> Tensor:
    """Zero-phase Butterworth of fourth order over the frames."""
    sections = butter(2, cut_off_hz, fs=FILE_FPS, output="sos")  # run forwards and backwards, which doubles the order
    return torch.from_numpy(sosfiltfilt(sections, position_m.double().numpy(), axis=0).copy()).float()


def error(some_m: list[Tensor], others_m: list[Tensor]) -> float:
    """Mean acceleration error of all inner frames in m/s^2."""
    each = [accel_error_m_per_s2(a, b, FPS) for a, b in zip(some_m, others_m, strict=True)]
    return float(torch.cat(each).mean())


def row(name: str, own: float | None, target: list[Tensor], still: list[Tensor], predicted: dict) -> None:
    scores = [error(still, target), *(error(of_model, target) for of_model in predicted.values())]
    itself = "" if own is None else f"itself {own:.2f}"
    print(f"{name:12s} {itself:20s}" + "".join(f"{score:14.2f}" for score in scores))


if __name__ == "__main__":
    main()
