"""Reads files of text: tables, JSON, and JSON lines."""

import csv
import io
import json
from pathlib import Path
from typing import Any


def read_text(path: Path) -> str:
    """The text of a file, as UTF-8 or UTF-16 with a mark, else as Latin-1."""
    content = path.read_bytes()
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


def read_json(path: Path) -> Any:
    """What a JSON file holds; of JSON lines, or of a list of texts that are JSON themselves, the list of all.

    Raises:
        ValueError: It is not JSON.
    """
    content = path.read_bytes()
    try:
        value = _parsed(content, path)
    except ValueError:
        if (lines := _lines(content)) is None:
            raise
        return lines
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return [_parsed(item, path) for item in value]
    return [value] if path.suffix.lower() in (".jsonl", ".ndjson") and not isinstance(value, list) else value


def _lines(content: bytes) -> list[Any] | None:
    """The values of JSON lines, or None where a line is not JSON."""
    lines = [line for line in content.splitlines() if line.strip()]
    if len(lines) < 2:
        return None
    try:
        return [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        return None


def _parsed(content: bytes | str, path: Path) -> Any:
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}: not valid JSON, {error.msg} at line {error.lineno}, column {error.colno}; "
            "the file is empty, cut off or of another kind"
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: not valid JSON ({error}); the file is damaged or of another kind") from error
