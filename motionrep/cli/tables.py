"""Tables of scores on the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from motionrep.files.units import readable

_MOST_ROWS = 20


def print_protocol(result: Mapping[str, Any]) -> None:
    """Prints a result of `evaluate`: its metrics, those of each action, sequence, network or camera, and the protocol.

    Of more than 20 classes the five that are recognised least are printed.
    """
    for name, value in result["metrics"].items():
        number, unit = readable(name, value, result["units"].get(name, ""))
        print(f"{name:15s} {number:9.3f} {unit}".rstrip())
    for part in ("per_action", "per_sequence", "members"):
        if part in result:
            of_part: dict[str, dict[str, float]] = result[part]
            columns = list(next(iter(of_part.values())))
            print_table(["", *columns], [[name, *(of[c] for c in columns)] for name, of in of_part.items()])
    if "per_camera" in result:
        cameras: dict[str, dict[str, float]] = result["per_camera"]
        units = result["units"].items()
        rows = [[f"{name}, {unit}", *(scores.get(name) for scores in cameras.values())] for name, unit in units]
        print_table(["", *cameras], rows)
    if "per_class" in result:
        rows = sorted(result["per_class"].items(), key=lambda item: item[1])
        shown = rows if len(rows) <= _MOST_ROWS else rows[:5]
        print_table(["class" if shown is rows else "least recognised", "%"], [list(row) for row in shown])
    print("protocol: " + ", ".join(f"{key} {value}" for key, value in result["protocol"].items()))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str | float | None]]) -> None:
    """Prints rows under a header: text to the left, numbers with three decimals to the right, "-" for None."""
    cells = [[_cell(value) for value in row] for row in rows]
    width = [max(len(row[i]) for row in (header, *cells)) for i in range(len(header))]
    for row in (list(header), *cells):
        first, *others = (
            text.ljust(w) if not i else text.rjust(w) for i, (text, w) in enumerate(zip(row, width, strict=True))
        )
        print("  ".join((first, *others)).rstrip())


def _cell(value: str | float | None) -> str:
    return "-" if value is None else value if isinstance(value, str) else f"{value:.3f}"
