"""Reads users' own labelled clips: a CSV file that lists keypoint files with their classes."""

from functools import partial
from pathlib import Path

from motionrep.datasets.benchmarks.labelled import LabelledClip, ListedClip
from motionrep.files.texts import read_index
from motionrep.keypoints.loading import load_keypoints
from motionrep.types import Keypoints

_NEEDED = ("clip", "label")
_OPTIONAL = ("name", "split", "subject", "layout", "fps", "width", "height", "person")


def load_clip_index(path: Path | str, split: str | None = None) -> list[LabelledClip]:
    """The clips that a CSV file lists, one in each row, in its order.

    Columns, by their names in the first row:

    * `clip`: a keypoint file that `load_keypoints` reads, absolute or relative to the CSV file.
    * `label`: the class.
    * `name` (the clip's path when left out), `split` (any word, such as train and val), `subject`.
    * `layout`, `fps`, `width` and `height` (of the picture, in pixels): where the keypoint file lacks them.
    * `person`: which person of the file, from 0. Left out, all of them: the one seen in most frames first.

    Only `clip` and `label` are needed. An empty cell is like a column that is left out.

    Args:
        split: Only the clips of this split.

    Raises:
        FileNotFoundError: The index or a keypoint file is missing.
        ValueError: A column is missing or unknown, or something in a row or its file is wrong; names the row.
    """
    return [clip.read() for clip in list_clip_index(path, split)]


def list_clip_index(path: Path | str, split: str | None = None) -> list[ListedClip]:
    """The clips of `load_clip_index`, whose files are read when they are needed; arguments and errors are the same."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such index of clips")
    columns, found = read_index(path)
    if lacking := [column for column in _NEEDED if column not in columns]:
        raise ValueError(f"{path}: lacks the column(s) {', '.join(lacking)}; it has {', '.join(columns) or 'none'}")
    if unknown := [column for column in columns if column not in (*_NEEDED, *_OPTIONAL)]:
        known = ", ".join((*_NEEDED, *_OPTIONAL))
        raise ValueError(f"{path}: unknown column(s) {', '.join(map(str, unknown))} (known: {known})")
    rows = list(enumerate(found, 2))
    chosen = [(number, row) for number, row in rows if split in (None, (row.get("split") or "").strip())]
    if not chosen:
        splits = ", ".join(sorted({row.get("split") or "" for _, row in rows} - {""})) or "none"
        raise ValueError(f"{path}: no clip{'' if split is None else f' of split {split!r} (splits: {splits})'}")
    return [_listed(path, number, row) for number, row in chosen]


def _listed(path: Path, number: int, row: dict[str, str | None]) -> ListedClip:
    where = f"{path}, row {number}"
    cells = {column: (row.get(column) or "").strip() for column in (*_NEEDED, *_OPTIONAL)}
    if None in row or not cells["clip"] or not cells["label"]:
        raise ValueError(f"{where}: needs a clip and a label, and no more cells than there are columns")
    if bool(cells["width"]) != bool(cells["height"]):
        raise ValueError(f"{where}: width and height belong together; one of them is empty")
    name, read = cells["name"] or cells["clip"], partial(_clip, path, where, cells)
    return ListedClip(name, read, action=cells["label"], subject=cells["subject"], split=cells["split"])


def _clip(path: Path, where: str, cells: dict[str, str]) -> LabelledClip:
    fps, width, height, person = (_number(where, cells, column) for column in ("fps", "width", "height", "person"))
    size_px = None if width is None or height is None else (int(width), int(height))
    try:
        persons = load_keypoints(path.parent / cells["clip"], cells["layout"] or None, fps, size_px)
        keypoints, others = _chosen(persons, None if person is None else int(person))
        name = cells["name"] or cells["clip"]
        return LabelledClip(
            name, keypoints, action=cells["label"], subject=cells["subject"], split=cells["split"], others=others
        )
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{where}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _chosen(persons: list[Keypoints], person: int | None) -> tuple[Keypoints, tuple[Keypoints, ...]]:
    if person is None:
        first, *others = sorted(persons, key=lambda p: -int((p.confidence > 0).any(1).sum()))
        return first, tuple(others)
    if person >= len(persons):
        raise ValueError(f"holds {len(persons)} person(s), so person must be 0 to {len(persons) - 1}, got {person}")
    return persons[person], ()


def _number(where: str, cells: dict[str, str], column: str) -> float | None:
    text = cells[column]
    if not text:
        return None
    whole = column != "fps"
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    smallest = 0 if column == "person" else 1e-9
    if not smallest <= value < float("inf") or (whole and value != int(value)):
        raise ValueError(f"{where}: {column} should be a {'whole ' if whole else ''}number, got {text!r}")
    return value
