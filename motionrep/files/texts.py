"""Reads files of text: tables, JSON, and JSON lines."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from motionrep.files.limits import limit, require_within
from motionrep.files.reading import read_bytes

_BLOCK_BYTES = 2**20
_DEEPER = np.zeros(256, np.int8)
_DEEPER[list(b"[{")], _DEEPER[list(b"]}")] = 1, -1


def read_text(path: Path) -> str:
    """The text of a file, as UTF-8 or UTF-16 with a mark, else as Latin-1.

    Raises:
        ValueError: It is a pipe or a device, or above the limit.
    """
    content = read_bytes(path)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def read_table(path: Path) -> list[list[str]]:
    """The rows of a table with commas, semicolons or tabs between its cells; empty rows are left out."""
    text = read_text(path).replace("\0", "")
    first = text.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise ValueError(f"{path}: not a readable table ({error})") from error
    return [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]


def read_index(path: Path) -> tuple[tuple[str, ...], list[dict[Any, Any]]]:
    """The columns of a .csv table, by the names in its first line, and its rows by column.

    Rows are as `csv.DictReader` has them. Cells that a row lacks are None; those that are too many lie under None.

    Raises:
        ValueError: It is not UTF-8, no table, a pipe or a device, or above the limits.
    """
    content = read_bytes(path)
    lines = content.count(b"\n") + content.count(b"\r") + 1
    require_within(path, "numbers", lines * (content.partition(b"\n")[0].count(b",") + 1))
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        return tuple(reader.fieldnames or ()), list(reader)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 ({error}); save it as UTF-8") from error
    except csv.Error as error:
        raise ValueError(f"{path}: not a readable table ({error}); save it as .csv again") from error


def read_json(path: Path) -> Any:
    """What a JSON file holds; of JSON lines, or of a list of texts that are JSON themselves, the list of all.

    Raises:
        ValueError: It is not JSON, or above the limits.
    """
    content = read_bytes(path)
    _require_json_within(path, content)
    try:
        value = _parsed(content, path)
    except ValueError:
        if (lines := _lines(content)) is None:
            raise
        return lines
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return [parsed_json(item, str(path)) for item in value]
    return [value] if path.suffix.lower() in (".jsonl", ".ndjson") and not isinstance(value, list) else value


def parsed_json(text: str, where: str) -> Any:
    """The value of a JSON text that is in a file. Raises ValueError as `read_json`."""
    _require_json_within(where, text.encode())
    return _parsed(text, where)


def _require_json_within(where: Path | str, content: bytes) -> None:
    """Checks the limits on what JSON may hold before anything is made of it."""
    require_within(where, "numbers", content.count(b",") + 1)
    if longest := re.search(rb"\d{%d}\d*" % (limit("digits") + 1), content):
        require_within(where, "digits", len(longest[0]))
    depth = 0
    for start in range(0, len(content), _BLOCK_BYTES):
        steps = _DEEPER[np.frombuffer(content, np.uint8, min(_BLOCK_BYTES, len(content) - start), start)]
        depths = depth + steps.cumsum(dtype=np.int64)
        if (deepest := int(depths.max())) > limit("levels of nesting"):
            # brackets in texts may have been counted, so only what is far too deep is refused here
            require_within(where, "levels of nesting", deepest if _is_nested(content) else 0)
            return
        depth = int(depths[-1])


def _is_nested(content: bytes) -> bool:
    """Whether JSON is nested above the limit, without the brackets in its texts."""
    bare, depth = re.sub(rb'"(?:[^"\\]|\\.)*"?', b"", content), 0
    for bracket in re.finditer(rb"[\[\]{}]", bare):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > limit("levels of nesting"):
            return True
    return False


def _lines(content: bytes) -> list[Any] | None:
    """The values of JSON lines, or None where a line is not JSON."""
    lines = [line for line in content.splitlines() if line.strip()]
    if len(lines) < 2:
        return None
    try:
        return [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        return None


def _parsed(content: bytes | str, path: Path | str) -> Any:
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}: not valid JSON, {error.msg} at line {error.lineno}, column {error.colno}; "
            "the file is empty, cut off or of another kind"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not valid JSON ({error}); the file is damaged or of another kind") from error
