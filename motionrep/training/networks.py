"""The networks of a training run: an encoder, new or trained, and heads that fit it."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from motionrep.body.registry import BODIES
from motionrep.encoders import ENCODERS, Encoder, load_encoder
from motionrep.head_api.contract import require_same_encoder
from motionrep.head_api.loading import head_class, head_entry_points, load_head, takes_body, trained_head_name
from motionrep.training.config import FinetuneConfig

USUAL_FPS = 30.0


def build_networks(config: FinetuneConfig, labels: tuple[str, ...]) -> tuple[Encoder, dict[str, Any]]:
    """The encoder, at the frame rate of the run, and the heads by the names that their classes are registered under.

    Args:
        labels: Classes of the training clips; empty without classification.

    Raises:
        ValueError: The configuration builds no such network, or they do not fit each other or the classes.
    """
    encoder = load_encoder(config.encoder) if config.encoder is not None else _new_encoder(config)
    wanted = {config.head: config.head_config} | config.more_heads
    body = body_name(config)
    heads = dict(build_head(name, options, encoder, labels, body) for name, options in wanted.items())
    if len(heads) < len(wanted):
        raise ValueError(f"{', '.join(wanted)}: two heads of the same kind cannot be trained together")
    if config.fps is not None and encoder.fps not in (None, config.fps):
        # A new encoder declares its own rate, which must agree. A frozen one would not be saved with the head.
        if config.encoder is None or config.tune == "frozen":
            raise ValueError(f"the encoder reads {encoder.fps:g} frames per second; set fps: {encoder.fps:g}")
        encoder = encoder.with_frame_rate(config.fps)
    return encoder, heads


def body_name(config: FinetuneConfig) -> str:
    """The body of a run, for `load_body_model`: as set, else that of its trained head, else the open body."""
    if config.body is not None:
        named = config.body not in BODIES and Path(config.body).is_file()
        return str(Path(config.body).resolve()) if named else config.body
    if config.head in head_entry_points():
        return config.head_config.get("body", "open")
    try:
        return getattr(load_head(config.head, **config.head_config), "body_model", "open")
    except FileNotFoundError:
        return "open"  # building the heads says what is wrong


def build_head(
    name: str, options: Mapping[str, Any], encoder: Encoder, labels: tuple[str, ...], body: str = "open"
) -> tuple[str, Any]:
    """A new head of an installed class, or a trained head, with the name under which its class is registered.

    Args:
        name: An installed head, or what `load_head` takes.
        options: Options of the class; of a trained head, those that replace its own.
        encoder: The encoder that it is to be trained on.
        labels: As in `build_networks`.
        body: The body of a head that recovers one.

    Raises:
        ValueError: No such head, one of another body, or it does not fit the options, the encoder or the classes.
    """
    installed = head_entry_points()
    if name in installed:
        return name, _new_head(name, options, encoder.channels, labels, body)
    try:
        registered = trained_head_name(name)
        head = load_head(name, **({"body": body} if takes_body(registered) else {}), **options)
    except FileNotFoundError as error:
        raise ValueError(f"{error}, and not one of the installed heads ({', '.join(sorted(installed))})") from error
    require_same_encoder(head, encoder)
    if hasattr(head, "labels") and tuple(head.labels) != labels:
        raise ValueError(
            f"head {name!r} tells {', '.join(head.labels)} apart, but the training clips are of "
            f"{', '.join(labels) or 'no classes'}; use data of just its classes with classes: core, or a new head"
        )
    return registered, head


def _new_head(name: str, options: Mapping[str, Any], channels: int, labels: tuple[str, ...], body: str) -> Any:
    kind = head_class(name)
    parameters = inspect.signature(kind).parameters
    classifies = "labels" in parameters
    if classifies and not labels and ("labels" in options or parameters["labels"].default is inspect.Parameter.empty):
        raise ValueError(f"head {name!r} needs clips with classes: set classes: core")
    classes = {"labels": list(labels)} if labels and classifies else {}
    bodies = {"body": body} if "body" in parameters else {}
    try:
        return kind(channels=channels, **(bodies | dict(options)), **classes)
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise ValueError(f"head_config does not fit head {name!r}: {error}") from error


def _new_encoder(config: FinetuneConfig) -> Encoder:
    options = dict(config.new_encoder or {})
    architecture = options.pop("architecture", None)
    options.setdefault("fps", config.fps or USUAL_FPS)
    if architecture not in ENCODERS:
        raise ValueError(f"new_encoder.architecture: unknown {architecture!r} (known: {', '.join(ENCODERS)})")
    try:
        return ENCODERS[architecture](**options)
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise ValueError(f"new_encoder does not fit architecture {architecture!r}: {error}") from error
