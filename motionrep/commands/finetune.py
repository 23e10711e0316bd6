"""`motionrep finetune`."""

import argparse
import difflib
import logging
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import fields
from pathlib import Path
from typing import Any

from motionrep.commands.options import Parser


def add_options(parser: argparse.ArgumentParser) -> None:
    """None: the settings are many and also stand in YAML files, so `run` reads them with a parser of its own."""


def run(arguments: Sequence[str]) -> None:
    """Trains a head, and the encoder with it, on motion files; settings in YAML."""
    config, data, output, resume = _parse(arguments)
    try:
        from motionrep.training import train
    except ModuleNotFoundError as error:
        raise ImportError(f'training needs {error.name}: pip install "motionrep[train]"') from error
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # each epoch's line is ours
    with redirect_stdout(sys.stderr):  # Lightning draws its progress bars on the standard output
        scores = train(config, [data], output, resume=resume)
    print(f"{output}: best epoch " + ", ".join(f"{name} {value:.4g}" for name, value in scores.items()))


def _parse(arguments: Sequence[str]) -> tuple[Any, Path, Path, bool]:
    """Settings, data folder, run folder, and whether to resume. Raises ValueError for what it cannot accept."""
    import jsonargparse

    from motionrep.configuration import FinetuneConfig  # brings roma, which takes as long as torch

    parser = jsonargparse.ArgumentParser(
        prog="motionrep finetune",
        description="Trains a head, and the encoder with it, on motion files. The settings, from --head on, may stand "
        "in a YAML file, on the command line, or both.",
        exit_on_error=False,
        print_config=None,
    )
    parser.add_argument("--config", action="config", help="YAML file of settings; options after it win over it.")
    parser.add_argument("--data", required=True, help="Folder with an index.csv, or of .bvh and .npz motion files.")
    parser.add_argument("--output", required=True, help="The run folder.")
    parser.add_argument("--resume", action="store_true", help="Goes on with the run in --output.")
    parser.add_class_arguments(FinetuneConfig, as_group=False)
    try:
        options = parser.parse_args(list(arguments)).as_dict()
    except jsonargparse.ArgumentError as error:
        raise ValueError(_setting_error(str(error), arguments)) from error
    del options["config"]
    data, output, resume = (options.pop(name) for name in ("data", "output", "resume"))
    return FinetuneConfig.from_dict(options), Path(data), Path(output), resume


def _setting_error(message: str, arguments: Sequence[str]) -> str:
    """jsonargparse's message in a sentence: the file, the setting, what it expects, what it got."""
    from motionrep.configuration import FinetuneConfig

    source = Parser(add_help=False, allow_abbrev=False)
    source.add_argument("--config", nargs="?")
    config = source.parse_known_args(arguments)[0].config
    types = {field.name: field.type for field in fields(FinetuneConfig)}
    if unknown := re.match(r"Option '(.+?)' is not accepted", message):
        near = difflib.get_close_matches(unknown[1], types, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(types)}"
        return f"{config}: unknown setting {unknown[1]!r}; {hint}"
    if unknown := re.match(r"unrecognized arguments: (--\S+)", message):
        near = difflib.get_close_matches(unknown[1], [f"--{name}" for name in types], 1)
        message += f"; did you mean {near[0]}?" if near else ""
    if wrong := re.match(r'Parser key "(\w+)".*(?:Got|Given) value: (.*)', message, re.DOTALL):
        kind: Any = types.get(wrong[1], str)
        expected = kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")
        return f"setting {wrong[1]!r}: expected {expected}, got {wrong[2]!r}"
    if message.startswith(("Problems parsing config", "Unexpected config")):
        return f"{config}: not a YAML file of settings such as 'epochs: 20'; {message}"
    return re.sub(r'Parser key "(\w+)":', r"--\1:", message) + "; see motionrep finetune --help"
