"""Settings and run of `motionrep pretrain` and `motionrep finetune`."""

import json
import logging
import re
import shlex
import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motionrep.cli.options import Parser
from motionrep.cli.tables import print_protocol
from motionrep.files.naming import did_you_mean

if TYPE_CHECKING:
    from motionrep.training.config import FinetuneConfig


_RUN = ("output", "strict", "resume", "devices", "nodes", "workers", "fast_dev_run")


def parse(
    command: str, description: str, arguments: Sequence[str], examples: str
) -> tuple["FinetuneConfig", dict[str, Any]]:
    """Reads the settings of a run and the arguments of `start`.

    Raises:
        ValueError: An argument or a setting that is not known, or a value that cannot be.
    """
    import jsonargparse

    from motionrep.cli.settings_parser import SettingsParser
    from motionrep.training.config import FinetuneConfig

    where = "Settings, from --head on, can stand in a YAML file, on the command line, or both."
    parser = SettingsParser(command, f"{description} {where}", examples)
    parser.add_argument("--config", action="config", help="YAML file of settings; options after it override it.")
    parser.add_argument(
        "--data",
        nargs="+",
        required=True,
        help="Folders with an index.csv, or of .bvh, .npz and other motion files; labelled data (docs/protocols.md).",
    )
    parser.add_argument("--output", required=True, help="The run folder.")
    parser.add_argument(
        "--keypoints",
        nargs="+",
        default=[],
        help="Folders of keypoints without poses (.npz, see motionrep convert), for a loss `reprojection`.",
    )
    parser.add_argument("--strict", action="store_true", help="Refuses folders with a motion file that cannot be read.")
    parser.add_argument("--resume", action="store_true", help="Goes on with the run in --output.")
    parser.add_argument("--devices", type=int, default=1, help="Processes here, each with a GPU if there are any.")
    parser.add_argument("--nodes", type=int, default=1, help="Machines; see docs/training.md.")
    parser.add_argument(
        "--workers", type=int,
        help="Processes that make each training process's samples (default: none, or all cores but one with a GPU).",
    )  # fmt: skip
    parser.add_argument(
        "--fast_dev_run", action="store_true", help="Tests the set-up: two steps and a validation; writes nothing."
    )
    parser.add_class_arguments(FinetuneConfig, as_group=False)
    for argument in arguments:  # jsonargparse would read numbers there as text, and keep only the last of several
        if nested := re.match(r"--((?:head.config|new.encoder|more.heads)\.[^.=]+)\.([^=]+)", argument):
            raise ValueError(f"{argument}: give all of {nested[1]} at once, as --{nested[1]} '{{{nested[2]}: ...}}'")
    _require_data(arguments)
    try:
        options = parser.parse_args(list(arguments)).as_dict()
    except jsonargparse.ArgumentError as error:
        raise ValueError(_setting_error(str(error), arguments, command)) from error
    del options["config"]
    given = {name: options.pop(name) for name in ("data", "keypoints")}  # in a file, one folder needs no list
    paths = {name: list(map(Path, [value] if isinstance(value, str) else value)) for name, value in given.items()}
    run = {name: options.pop(name) for name in _RUN}
    run["output"] = Path(run["output"])
    for name in ("devices", "nodes"):
        if run[name] < 1:
            raise ValueError(f"--{name} must be at least 1, got {run[name]}")
    if run["workers"] is not None and run["workers"] < 0:
        raise ValueError(f"--workers must be at least 0, got {run['workers']}")
    return FinetuneConfig.from_dict(options), paths | run


def _require_data(arguments: Sequence[str]) -> None:
    """Raises ValueError where settings name a class, which jsonargparse would import, or are above the limits."""
    from motionrep.files.settings import CODE_KEYS, read_settings

    for argument, after in zip(arguments, [*arguments[1:], ""], strict=True):
        if key := next((key for key in CODE_KEYS if re.search(rf"\b{key}\b", argument.replace("-", "_"))), None):
            raise ValueError(f"{argument}: settings are data and have no {key!r}; give plain values")
        name, equals, value = argument.partition("=")
        if name == "--config" and (file := Path(value if equals else after)).exists():
            read_settings(file)


def start(command: str, config: "FinetuneConfig", run: dict[str, Any], arguments: Sequence[str]) -> None:
    """Trains, and prints the best epoch's scores and a command that measures what was trained.

    Args:
        command: "finetune" or "pretrain".
        run: The other arguments of `training.run.train`, and `fast_dev_run` for `try_out` instead.
        arguments: Those of the command.

    Raises:
        KeyboardInterrupt: Ctrl-C, with what tells how to go on.
    """
    try:
        from motionrep.files.units import scores_line
        from motionrep.training.interruption import interruptible
        from motionrep.training.run import train, try_out
        from motionrep.training.run_lock import is_first_process
    except ModuleNotFoundError as error:
        raise ImportError(f'training needs {error.name}: pip install "motionrep[train]"') from error
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)  # epochs are logged by motionrep
    warnings.filterwarnings("ignore", module=r"lightning\.")  # hints for developers of trainers
    if not is_first_process():  # the first one says what all know
        logging.getLogger("motionrep").setLevel(logging.ERROR)
    fast, output = run.pop("fast_dev_run"), run["output"]
    with interruptible(lambda: _interrupted(command, arguments, None if fast else output)), redirect_stdout(sys.stderr):
        scores = try_out(config, run["data"], run["keypoints"]) if fast else train(config, **run)
    if not is_first_process():
        return
    print(f"{'the run works; after two steps' if fast else f'{output}: best epoch'} {scores_line(scores)}")
    if not fast:
        tables = sorted(output.glob("protocol_*.json"))
        for table in tables:
            print_protocol(json.loads(table.read_text(encoding="utf-8")))
        protocol = ["--protocol", tables[0].stem.removeprefix("protocol_")] if tables else []
        if tables or run["data"][0].is_dir():  # a labelled file without a protocol has nothing that evaluates it
            again = ["motionrep", "evaluate", *protocol, "--run", str(output), "--data", str(run["data"][0])]
            print("next: " + shlex.join(again))


def _interrupted(command: str, arguments: Sequence[str], output: Path | None) -> str:
    """What is said after Ctrl-C: how far the run was, and the command that goes on."""
    if output is None or not (output / "config.yaml").is_file():
        return "interrupted before the training began; nothing was written"
    begun = (output / "checkpoints" / "last.ckpt").is_file()
    kept = "everything up to the last whole epoch is kept" if begun else "no epoch was finished yet"
    given = [argument for argument in arguments if argument != "--resume"]
    return f"interrupted; {kept}. Go on with: {shlex.join(['motionrep', command, *given, '--resume'])}"


def _setting_error(message: str, arguments: Sequence[str], command: str) -> str:
    """Rewords jsonargparse's message: the file, the setting, what it expects, what it got."""
    from motionrep.cli.settings_parser import with_dashes
    from motionrep.datasets.synthetic.augmentation import Augmentation
    from motionrep.training.config import FinetuneConfig

    source = Parser(add_help=False)
    source.add_argument("--config", nargs="?")
    config = source.parse_known_args(arguments)[0].config
    types = {field.name: field.type for field in fields(FinetuneConfig)}
    types |= {f"variety.{field.name}": field.type for field in fields(Augmentation)}
    if unknown := re.match(r"Option '(.+?)' is not accepted", message):
        hint = did_you_mean(unknown[1], types) or f"; known: {', '.join(types)}"
        return f"{config}: unknown setting {unknown[1]!r}{hint}"
    if unknown := re.match(r"unrecognized arguments: (--\S+)", message):
        message = with_dashes(message + did_you_mean(unknown[1], [f"--{name}" for name in types]))
    if wrong := re.match(r'Parser key "([\w.]+)".*(?:Got|Given) value: (.*)', message, re.DOTALL):
        kind: Any = types.get(wrong[1], str)
        expected = kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")
        return f"setting {wrong[1]!r}: expected {expected}, got {wrong[2]!r}"
    if message.startswith(("Problems parsing config", "Unexpected config")):
        return f"{config}: not a YAML file of settings such as 'epochs: 20'; {message}"
    return with_dashes(re.sub(r'Parser key "(\w+)":', r"--\1:", message)) + f"; see motionrep {command} --help"
