"""`motionrep evaluate`."""

import argparse
from pathlib import Path
from typing import Any

from motionrep.cli.options import WEIGHTS, Parser, Precision, add_device, add_precision, add_run, positive
from motionrep.evaluation.protocols.registry import PROTOCOLS
from motionrep.weights import DEFAULT_ENCODER, DEFAULT_HEAD

EXAMPLES = """\
  motionrep evaluate --data MOTIONS
  motionrep evaluate --data MOTIONS --run runs/mine --output metrics.json
  motionrep evaluate --protocol 3dpw --data 3DPW --encoder ssr-stf-s --head mesh-ssr-stf-s
"""
_SIMULATED = ("split", "layout", "views", "seed")


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "--data", type=Path, required=True,
        help="Folder with an index.csv, or of .bvh, .npz and other motion files; with --protocol what that reads.",
    )  # fmt: skip
    titles = "; ".join(f"{name}: {protocol.title}" for name, protocol in PROTOCOLS.items())
    parser.add_argument(
        "--protocol", choices=PROTOCOLS,
        help=f"A published protocol instead of simulated cameras, see docs/protocols.md. {titles}.",
    )  # fmt: skip
    parser.add_argument("--encoder", help=f"{WEIGHTS} (default: the one the head was trained on).")
    headless = ", ".join(name for name, protocol in PROTOCOLS.items() if not protocol.needs_head)
    parser.add_argument("--head", help=f"{WEIGHTS} (default: {DEFAULT_HEAD}; none with {headless}).")
    add_run(parser, "Its first head and its encoder are")
    parser.add_argument("--output", type=Path, help="JSON file to write the result to (default: none).")
    parser.add_argument("--split", choices=("train", "val"), help="Which part of the data (default: val).")
    parser.add_argument(
        "--layout", help="What the simulated detector reports: h36m_17, coco_17 or halpe_26 (default: h36m_17)."
    )
    parser.add_argument("--views", type=positive, help="Random cameras, bodies, detections per window (default: 4).")
    parser.rare.add_argument("--seed", type=int, help="Seed of everything random (default: 1000).")
    parser.add_argument(
        "--flip", action=argparse.BooleanOptionalAction,
        help="Averages with what is made of the mirrored clip (default: only in published protocols).",
    )  # fmt: skip
    add_precision(parser)
    add_device(parser)
    for name, text in _protocol_options().items():
        parser.rare.add_argument(f"--{name.replace('_', '-')}", help=text)
    parser.rare.add_argument(
        "--overlap", type=float, help="With --protocol, the share of a window that the next one repeats (default: 0)."
    )


def run(
    data: Path, encoder: str | None, head: str | None, run_folder: Path | None, output: Path | None,
    precision: Precision, protocol: str | None, device: str, flip: bool | None, **options: Any,
) -> None:  # fmt: skip
    """Measures an encoder and a head on motion files or a published benchmark; prints the errors and the protocol."""
    given = {name: value for name, value in options.items() if value is not None}
    if protocol is None:
        given |= {} if device == "cpu" else {"device": device}
        _refuse(
            given, set(given) - set(_SIMULATED), "belongs to a published protocol; pass --protocol, or leave it out"
        )
        from motionrep.evaluation.synthetic_views import SyntheticViews, evaluate

        views = SyntheticViews(precision=precision, flip=bool(flip), **given)
        encoder, head = _networks(encoder, head, run_folder, needs_head=True)
        result = evaluate(data, encoder, head or DEFAULT_HEAD, output, views)
    else:
        _refuse(given, set(given) & set(_SIMULATED), f"is for simulated cameras, not for --protocol {protocol}")
        from motionrep.evaluation.published import evaluate_protocol

        overlap = given.pop("overlap", 0.0)
        result = evaluate_protocol(
            protocol, data, *_networks(encoder, head, run_folder, PROTOCOLS[protocol].needs_head), output,
            flip=flip is not False, overlap=overlap, device=device, precision=precision, options=given,
        )  # fmt: skip
    from motionrep.files.units import readable

    for name, value in result["metrics"].items():
        number, unit = readable(name, value, result["units"].get(name, ""))
        print(f"{name:15s} {number:9.3f} {unit}".rstrip())
    print("protocol: " + ", ".join(f"{key} {value}" for key, value in result["protocol"].items()))


def _networks(encoder: str | None, head: str | None, run: Path | None, needs_head: bool) -> tuple[str, str | None]:
    """What to load as encoder and head."""
    from motionrep.head_api.loading import load_head
    from motionrep.pipeline.networks import encoder_name
    from motionrep.pipeline.run_folders import run_networks

    if run is not None:
        found, heads = run_networks(run, encoder)
        return str(found), head or (str(heads[0]) if needs_head else None)
    head = head or (DEFAULT_HEAD if needs_head else None)
    if encoder is None and head is not None:
        encoder = encoder_name(load_head(head), head)
    return encoder or DEFAULT_ENCODER, head


def _protocol_options() -> dict[str, str]:
    """Help text of each option that some protocol takes."""
    protocols: dict[str, list[str]] = {}
    texts: dict[str, str] = {}
    for name, protocol in PROTOCOLS.items():
        for option, text in protocol.options.items():
            protocols.setdefault(option, []).append(name)
            texts.setdefault(option, text)
    return {option: f"{', '.join(names)}: {texts[option]}." for option, names in protocols.items()}


def _refuse(given: dict[str, Any], unfit: set[str], why: str) -> None:
    if unfit:
        raise ValueError(f"--{next(name for name in given if name in unfit).replace('_', '-')} {why}")
