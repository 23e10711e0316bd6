"""`motionrep evaluate`."""

import argparse
from pathlib import Path
from typing import Any

from motionrep.cli.options import Precision, add_device, add_precision, positive

_HEAD = "mesh-ktpformer-s"
_SIMULATED = ("split", "layout", "views", "seed")
_PROTOCOLS = ("h36m", "3dhp", "3dpw", "ntu60-xsub", "ntu60-xview", "ntu120-oneshot")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, required=True,
        help="Folder with an index.csv, or of .bvh, .npz and other motion files; with --protocol what that reads.",
    )  # fmt: skip
    parser.add_argument(
        "--protocol",
        choices=_PROTOCOLS,
        help="A published protocol instead of simulated cameras; see docs/protocols.md.",
    )
    parser.add_argument(
        "--encoder", default="ktpformer-s", help="Shipped name, folder or Hub id (default %(default)s)."
    )
    parser.add_argument("--head", help=f"Shipped name, folder or Hub id (default {_HEAD}); ntu120-oneshot takes none.")
    parser.add_argument("--output", type=Path, help="A JSON file to write the result to as well.")
    parser.add_argument("--split", choices=("train", "val"), help="Which part of the data (default val).")
    parser.add_argument(
        "--layout", help="What the simulated detector reports: h36m_17, coco_17 or halpe_26 (default h36m_17)."
    )  # fmt: skip
    parser.add_argument("--views", type=positive, help="Random cameras, bodies, detections per window (default 4).")
    parser.add_argument("--seed", type=int, help="Decides what is random (default 1000).")
    parser.add_argument(
        "--flip", action=argparse.BooleanOptionalAction,
        help="Averages with what is made of the mirrored clip; left out, only published protocols do.",
    )  # fmt: skip
    add_precision(parser)
    add_device(parser)
    group = parser.add_argument_group("with --protocol")
    group.add_argument("--detector", help="h36m: which data_2d_h36m_DETECTOR.npz, such as gt or cpn_ft_h36m_dbb.")
    group.add_argument(
        "--annotation", choices=("univ_annot3", "annot3"), help="3dhp: what the file holds (left out, univ_annot3)."
    )
    group.add_argument("--regressor", help="3dpw: J_regressor_h36m.npy of SPIN, for the joints of published numbers.")
    group.add_argument("--male", help="3dpw: body of the men, by name or a SMPL file (left out, smpl-male).")
    group.add_argument("--female", help="3dpw: body of the women (left out, smpl-female).")
    group.add_argument("--overlap", type=float, help="Share of a window that the next one repeats (default 0).")


def run(
    data: Path, encoder: str, head: str | None, output: Path | None, precision: Precision, protocol: str | None,
    device: str, flip: bool | None, **options: Any,
) -> None:  # fmt: skip
    """Measures an encoder and a head on motion files or a published benchmark; prints the errors and the protocol."""
    given = {name: value for name, value in options.items() if value is not None}
    if protocol is None:
        given |= {} if device == "cpu" else {"device": device}
        _refuse(
            given, set(given) - set(_SIMULATED), "belongs to a published protocol; pass --protocol, or leave it out"
        )
        from motionrep.evaluation.synthetic_views import evaluate as measure

        result = measure(data, encoder, head or _HEAD, output, precision=precision, flip=bool(flip), **given)
    else:
        _refuse(given, set(given) & set(_SIMULATED), f"is for simulated cameras, not for --protocol {protocol}")
        from motionrep.evaluation.protocols.registry import WITHOUT_HEAD, evaluate_protocol

        chosen = head if protocol in WITHOUT_HEAD else head or _HEAD
        overlap = given.pop("overlap", 0.0)
        result = evaluate_protocol(
            protocol, data, encoder, chosen, output,
            flip=flip is not False, overlap=overlap, device=device, precision=precision, options=given,
        )  # fmt: skip
    for name, value in result["metrics"].items():
        print(f"{name:15s} {value:9.3f} {result['units'].get(name, '')}".rstrip())
    print("protocol: " + ", ".join(f"{key} {value}" for key, value in result["protocol"].items()))


def _refuse(given: dict[str, Any], unfit: set[str], why: str) -> None:
    if unfit:
        raise ValueError(f"--{next(name for name in given if name in unfit).replace('_', '-')} {why}")
