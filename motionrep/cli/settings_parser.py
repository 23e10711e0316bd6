"""The parser of `finetune` and `pretrain`, whose settings can also stand in YAML files."""

import argparse
import re
from collections.abc import Sequence
from typing import Any

import jsonargparse

# What --help shows; the rest is for --help-all.
_COMMON = (
    "help", "config", "data", "output", "resume", "fast_dev_run", "head", "encoder", "new_encoder", "tune", "epochs",
    "clips_per_epoch", "batch_size", "precision", "seed",
)  # fmt: skip


class SettingsParser(jsonargparse.ArgumentParser):
    """Options have dashes where settings in YAML have underscores, as `--clips-per-epoch` for `clips_per_epoch`.

    `--help` shows the settings that most runs need, `--help-all` all of them.
    """

    def __init__(self, command: str, description: str, examples: str) -> None:
        super().__init__(
            prog=f"motionrep {command}", description=description, exit_on_error=False, allow_abbrev=False,
            print_config=None,
        )  # fmt: skip
        self._examples, self._all = examples, False

    def parse_args(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        """As the base class, of options with dashes or underscores."""
        given = list(args or ())
        self._all = "--help-all" in given
        given = ["--help" if argument == "--help-all" else _with_underscores(argument) for argument in given]
        return super().parse_args(given, *more, **options)

    def format_help(self) -> str:
        rare = [] if self._all else [action for action in self._actions if action.dest not in _COMMON]
        texts = [action.help for action in rare]
        for action in rare:
            action.help = argparse.SUPPRESS
        try:
            text = with_dashes(super().format_help())
        finally:
            for action, kept in zip(rare, texts, strict=True):
                action.help = kept
        more = "" if self._all else "\n--help-all shows all settings; docs/training.md explains them.\n"
        return f"{text}{more}\nexamples:\n{self._examples}\n"


def with_dashes(text: str) -> str:
    """A text in which options are written with dashes."""
    return re.sub(r"(?<![\w-])--[a-z][\w.]*", lambda option: option[0].replace("_", "-"), text)


def _with_underscores(argument: str) -> str:
    name, equals, value = argument.partition("=")
    if not name.startswith("--"):
        return argument
    return f"--{name[2:].replace('-', '_')}{equals}{value}"
