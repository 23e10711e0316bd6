"""The command line, thin over the library: `motionrep COMMAND --help` explains each command."""

import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version
from types import ModuleType

from motionrep.cli.commands import (
    adapt,
    convert,
    demo,
    detect,
    doctor,
    embed,
    evaluate,
    export,
    finetune,
    fit,
    plot,
    predict,
    pretrain,
    render,
    report,
    score,
    view,
)
from motionrep.cli.commands import list as list_
from motionrep.cli.options import Parser, resolved
from motionrep.files.stopping import Stopped, stoppable

COMMANDS: dict[str, ModuleType] = {
    "demo": demo, "detect": detect, "embed": embed, "predict": predict, "render": render, "view": view,
    "report": report, "convert": convert, "fit": fit, "export": export, "pretrain": pretrain, "finetune": finetune,
    "adapt": adapt,
    "evaluate": evaluate, "score": score, "plot": plot, "list": list_, "doctor": doctor,
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0, 2 after one line about what is wrong with the input, 130 after Ctrl-C, 143 after SIGTERM.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    with_traceback = "--traceback" in arguments
    arguments = [argument for argument in arguments if argument != "--traceback"]
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("motionrep").setLevel(logging.INFO)
    try:
        with stoppable():
            return _run(arguments)
    except (KeyboardInterrupt, Stopped, Exception) as error:
        stop = _stop_behind(error)
        if with_traceback or not (stop or isinstance(error, ValueError | OSError | ImportError)):
            raise
        if stop is None:
            return _ended(" ".join(str(error).split()), 2)
        return _ended(str(stop) or "interrupted", 128 + stop.number if isinstance(stop, Stopped) else 130)


def _stop_behind(error: BaseException | None) -> KeyboardInterrupt | Stopped | None:
    """The Ctrl-C or SIGTERM that an error comes from: a library that is interrupted may say that it is broken."""
    while not (error is None or isinstance(error, KeyboardInterrupt | Stopped)):
        error = error.__cause__ or error.__context__
    return error


def _ended(why: str, status: int) -> int:
    """Says why a command ended, where its bar was."""
    if (progress := sys.modules.get("motionrep.files.progress")) is not None:
        progress.close_bars()
    print(f"motionrep: {why}", file=sys.stderr)
    return status


def _run(arguments: list[str]) -> int:
    if arguments[:1] in (["pretrain"], ["finetune"]):  # have a parser of their own
        COMMANDS[arguments[0]].run(arguments[1:])
        return 0
    parser, commands = _parser()
    namespace, unknown = parser.parse_known_args([_with_dashes(argument) for argument in arguments])
    options = vars(namespace)
    command = options.pop("command")
    if unknown:
        commands.get(command, parser).refuse_unknown(unknown[0])
    if command is None:
        parser.print_help()
        return 0
    return COMMANDS[command].run(**resolved(options)) or 0


def _with_dashes(argument: str) -> str:
    """An option that was given with underscores, as it is called."""
    name, equals, value = argument.partition("=")
    return f"{name.replace('_', '-')}{equals}{value}" if name.startswith("--") else argument


def _parser() -> tuple[Parser, dict[str, Parser]]:
    """The parser, and that of each command; pretrain and finetune are only listed."""
    parser = Parser(
        prog="motionrep",
        description="Videos or 2D human keypoints in; embeddings, 3D poses, body meshes, actions and videos out.",
        epilog=f"{_EXAMPLES}\nmotionrep COMMAND --help explains a command. --traceback shows where an error came from.",
    )
    parser.add_argument("--version", action="version", version=f"motionrep {version('motionrep')}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, command in COMMANDS.items():
        text, examples = command.run.__doc__ or "", getattr(command, "EXAMPLES", "")
        epilog = f"examples:\n{examples}" if examples else None
        command.add_options(subparsers.add_parser(name, help=text, description=text, epilog=epilog))
    return parser, subparsers.choices


_EXAMPLES = """examples:
  motionrep demo
  motionrep predict dance.mp4 --render --report
  motionrep view dance.mp4 walk.bvh
"""
