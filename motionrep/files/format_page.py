"""The tables of docs/formats.md, made from `files.kinds.KINDS`.

`python -m motionrep.files.format_page docs/formats.md` writes them anew.
"""

import re
import sys
from pathlib import Path

from motionrep.files.kinds import KINDS, Holds, Kind

_MARK = re.compile(r"(<!-- table of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(page: str) -> str:
    """The page with the table of each kind of content between its marks."""
    return _MARK.sub(lambda match: f"{match[1]}{_table(match[2])}{match[3]}", page)


def _table(holds: Holds | str) -> str:
    kinds = [kind for kind in KINDS if kind.holds == holds]
    lines = ["| format | files | written by | recognised by | to give |", "|---|---|---|---|---|"]
    return "\n".join(lines + [_line(kind) for kind in kinds]) + "\n"


def _line(kind: Kind) -> str:
    suffixes = ", ".join(kind.suffixes) or "folder"
    return f"| {kind.name} | {suffixes} | {kind.written_by} | {kind.known_by} | {_to_give(kind)} |"


def _to_give(kind: Kind) -> str:
    """The options of what a file does not tell."""
    size = ["`--size`" + (" unless the file tells it" if kind.tells_size else "")] if kind.needs_size else []
    return ", ".join([*size, *(["`--fps`"] if kind.takes_fps else [])]) or "nothing"


def _main(path: Path) -> None:
    path.write_text(with_tables(path.read_text()))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
