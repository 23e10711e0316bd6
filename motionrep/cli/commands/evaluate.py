"""`motionrep evaluate`."""

import argparse
from pathlib import Path
from typing import Any

from motionrep.cli.options import (
    Parser,
    add_body,
    add_device,
    add_heads,
    add_precision,
    add_run,
    number,
    place,
    positive,
)
from motionrep.cli.tables import print_protocol
from motionrep.evaluation.protocols.registry import PROTOCOLS
from motionrep.weights import DEFAULT_ENCODER, DEFAULT_GROUND_HEAD, DEFAULT_HEAD

EXAMPLES = """\
  motionrep evaluate --data MOTIONS
  motionrep evaluate --data MOTIONS --run runs/mine --output metrics.json
  motionrep evaluate --data MOTIONS --world
  motionrep evaluate --data MOTIONS --held-out people-1 --head ground-ktpformer-s
  motionrep evaluate --protocol 3dpw --data 3DPW --encoder ssr-stf-s --head mesh-ssr-stf-s
"""
_SIMULATED = ("split", "held_out", "world", "layout", "views", "seed", "own_betas", "body")
_COMPUTING = ("device", "precision", "flip", "overlap")


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "--data", type=Path, required=True, nargs="+",
        help="Folders with an index.csv, or of .bvh, .npz and other motion files; with --protocol what that reads.",
    )  # fmt: skip
    titles = "; ".join(f"{name}: {protocol.title}" for name, protocol in PROTOCOLS.items())
    parser.add_argument(
        "--protocol", choices=PROTOCOLS,
        help=f"A published protocol instead of simulated cameras, see docs/protocols.md. {titles}.",
    )  # fmt: skip
    headless = ", ".join(name for name, protocol in PROTOCOLS.items() if not protocol.needs_head)
    add_heads(parser, f"; with {headless} none, or one that gives vectors")
    add_run(parser, "Its heads (with --protocol the first one) and its encoder are")
    parser.add_argument(
        "--output", type=Path, help="JSON file to write the result to, one for each of several heads (default: none)."
    )
    parser.add_argument(
        "--world", action="store_true", default=None,
        help="The errors in the world of what the heads recover together, before cameras that stand, pan and walk.",
    )  # fmt: skip
    parser.add_argument("--split", choices=("train", "val"), help="Which part of the data (default: val).")
    parser.add_argument(
        "--held-out", metavar="LIST",
        help="Instead of a part, people who took no part in training: people-1, or a file of patterns for names.",
    )  # fmt: skip
    parser.add_argument(
        "--layout", help="What the simulated detector reports: h36m_17, coco_17 or halpe_26 (default: h36m_17)."
    )
    parser.add_argument(
        "--views",
        type=positive,
        help="Random cameras, bodies, detections per window (default: 4); with --world, windows (default: 20).",
    )
    parser.add_argument(
        "--own-betas", action="store_true", default=None,
        help="People have the betas of their motion files instead of random ones.",
    )  # fmt: skip
    add_body(parser, "Where the body is that the head recovers (default: under the name it was trained with)")
    parser.rare.add_argument("--seed", type=place, help="Seed of everything random (default: 1000).")
    parser.add_argument(
        "--flip", action=argparse.BooleanOptionalAction,
        help="Averages with what is made of the mirrored clip (default: only in published protocols).",
    )  # fmt: skip
    add_precision(parser)
    add_device(parser)
    for name, text in _protocol_options().items():
        parser.rare.add_argument(f"--{name.replace('_', '-')}", help=text)
    parser.rare.add_argument(
        "--overlap", type=number, help="With --protocol, the share of a window that the next one repeats (default: 0)."
    )


def run(
    data: list[Path], encoder: str | None, heads: list[str] | None, run_folder: Path | None, output: Path | None,
    protocol: str | None, **options: Any,
) -> None:  # fmt: skip
    """Measures an encoder and heads on motion files or a published benchmark; prints the errors and the protocol."""
    given = {name: value for name, value in options.items() if value is not None}
    _require_fitting(given, protocol, data)
    if given.pop("world", False):
        _world(data, encoder, heads, run_folder, output, given)
        return
    network, names = _networks(encoder, heads, run_folder, protocol, given.get("body"))
    from motionrep.pipeline.networks import endings

    ending = endings(dict.fromkeys(names)) if names else {}
    for head in names or [None]:
        path = None if output is None else output.with_name(f"{output.stem}{ending.get(head or '', '')}{output.suffix}")
        result = _measured(data, network, head, path, protocol, given)
        if len(names) > 1:
            print(f"head {head}:")
        print_protocol(result)
        if path is not None:
            print(f"{path}: the result")


def _world(
    data: list[Path], encoder: str | None, heads: list[str] | None, run: Path | None, output: Path | None,
    given: dict[str, Any],
) -> None:  # fmt: skip
    from motionrep.evaluation.world_views import WorldViews, evaluate_world

    if "own_betas" in given:
        raise ValueError("--own-betas: people have random betas with --world; leave it out")
    heads = heads or ([DEFAULT_HEAD, DEFAULT_GROUND_HEAD] if run is None else None)
    network, names = _networks(encoder, heads, run, None, given.get("body"))
    named = {"views": "windows"}
    views = {named.get(name, name): value for name, value in given.items() if name not in ("device", "body")}
    print_protocol(
        evaluate_world(data, network, names, output, WorldViews(**views), given["device"], given.get("body"))
    )
    if output is not None:
        print(f"{output}: the result")


def _measured(
    data: list[Path], encoder: str, head: str | None, output: Path | None, protocol: str | None, given: dict[str, Any]
) -> dict[str, Any]:
    if protocol is None:
        from motionrep.evaluation.synthetic_views import SyntheticViews, evaluate

        views = {name: value for name, value in given.items() if name not in ("device", "body")}
        where = given["device"], given.get("body")
        return evaluate(data, encoder, head or DEFAULT_HEAD, output, SyntheticViews(**views), *where)
    from motionrep.evaluation.published import evaluate_protocol

    named = {name: given[name] for name in _COMPUTING if name in given}
    own = {name: value for name, value in given.items() if name not in _COMPUTING}
    return evaluate_protocol(protocol, data[0], encoder, head, output, **named, options=own)


def _networks(
    encoder: str | None, heads: list[str] | None, run: Path | None, protocol: str | None, body: str | None
) -> tuple[str, list[str]]:
    """What to load as encoder and heads; a protocol measures the first head of a run alone, or none."""
    from motionrep.pipeline.networks import encoder_name
    from motionrep.pipeline.on_body import head_on
    from motionrep.pipeline.run_folders import run_networks

    needs_head = protocol is None or PROTOCOLS[protocol].needs_head
    if run is not None:
        found, trained = run_networks(run, encoder)
        own = list(map(str, trained if protocol is None else trained[:1])) if needs_head else []
        return str(found), heads or own
    heads = heads or ([DEFAULT_HEAD] if needs_head else [])
    if encoder is None and heads:
        encoder = encoder_name(head_on(heads[0], body), heads[0])
    return encoder or DEFAULT_ENCODER, heads


def _require_fitting(given: dict[str, Any], protocol: str | None, data: list[Path]) -> None:
    """Raises ValueError for an option of the other kind of measurement."""
    if protocol is not None and len(data) > 1:
        raise ValueError(f"--data: --protocol {protocol} reads one folder, got {len(data)}; give one")
    if {"split", "held_out"} <= given.keys():
        raise ValueError("--split: people of --held-out are taken from all parts; leave one of them out")
    for name in given:
        option = f"--{name.replace('_', '-')}"
        if protocol is None and name not in (*_SIMULATED, "device", "precision", "flip"):
            raise ValueError(f"{option} belongs to a published protocol; pass --protocol, or leave it out")
        if protocol is not None and name in _SIMULATED:
            raise ValueError(f"{option} is for simulated cameras, not for --protocol {protocol}")


def _protocol_options() -> dict[str, str]:
    """Help text of each option that some protocol takes."""
    protocols: dict[str, list[str]] = {}
    texts: dict[str, str] = {}
    for name, protocol in PROTOCOLS.items():
        for option, text in protocol.options.items():
            protocols.setdefault(option, []).append(name)
            texts.setdefault(option, text)
    return {option: f"{', '.join(names)}: {texts[option]}." for option, names in protocols.items()}
