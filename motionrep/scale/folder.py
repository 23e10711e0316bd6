"""The folder of a data set: its parts, what was wrong with inputs, and what is needed to go on after an interruption.

    part-00000.parquet                the rows, a part for some hundred inputs
    _errors/part-00000.parquet        `file` and `error` of the inputs of this part that could not be used
    _run/run.json                     what the data set was made with
    _run/inputs.parquet               every input and its part

A part is done when its file is there. Libraries that read a folder of Parquet files pass over names with `_`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from motionrep.files.listing import Input
from motionrep.files.parquet import pyarrow_and_parquet
from motionrep.files.remote import delete, file_system, is_remote, local_copy, names_in, written_to
from motionrep.files.versions import require_readable

FORMAT, NEWEST = "motionrep data set", 1
_RUN, _INPUTS = "_run/run.json", "_run/inputs.parquet"
_PART = re.compile(r"part-(\d+)\.parquet")
_PART_BYTES = 64 * 2**20
_ROWS_AT_A_TIME = 10_000
_ROW_GROUP_BYTES = 16 * 2**20


@dataclass(frozen=True)
class DataSetFolder:
    """A data set that is being made; `path` is a folder or a URL."""

    path: str

    def begin(self, inputs: Iterable[Input], settings: dict[str, Any], part_files: int) -> int:
        """Takes down what the data set is made with and its inputs, unless that was done before.

        Args:
            inputs: Are looked through the first time only.
            part_files: Most inputs of one part; parts of large inputs have fewer.

        Returns:
            The number of parts.

        Raises:
            ValueError: The folder holds a data set that was made with other settings, or other Parquet files.
        """
        content = json.loads(json.dumps(settings | {"part_files": part_files}))
        there = names_in(f"{self.path}/_run")
        if "run.json" in there:
            self._require_same(content)
        elif any(_PART.fullmatch(name) for name in names_in(self.path)):
            raise ValueError(f"{self.path}: holds Parquet files of something else; choose another --output")
        else:
            with written_to(f"{self.path}/{_RUN}") as beside:
                text = json.dumps({"format": f"{FORMAT} {NEWEST}"} | content, indent=2)
                beside.write_text(text + "\n", encoding="utf-8")
        if "inputs.parquet" not in there:
            self._write_inputs(inputs, part_files)
        return self._part_count()

    def inputs_of(self, part: int) -> list[str]:
        """The inputs of a part, in their order."""
        _, parquet = pyarrow_and_parquet()
        # Without a cache only the part's rows of a long list are read, also of one that lies elsewhere.
        fs, there = file_system(f"{self.path}/{_INPUTS}")
        with fs.open(there, "rb", **({"cache_type": "none"} if is_remote(self.path) else {})) as file:
            return parquet.read_table(file, filters=[("part", "==", part)])["file"].to_pylist()

    def done(self) -> set[int]:
        """The parts that are done."""
        return {int(match[1]) for match in map(_PART.fullmatch, names_in(self.path)) if match}

    def write_part(self, part: int, tables: Iterable[Any], schema: Any, errors: Sequence[tuple[str, str]]) -> None:
        """Writes a part as its rows come, and last of all gives it its name.

        Args:
            errors: File and sentence of the inputs that could not be used; filled while the tables come.
        """
        name = f"part-{part:05d}.parquet"

        def with_errors() -> Iterator[Any]:
            yield from tables
            self._write_errors(name, errors)

        write_table(f"{self.path}/{name}", with_errors(), schema)

    def _write_errors(self, name: str, errors: Sequence[tuple[str, str]]) -> None:
        pa, parquet = pyarrow_and_parquet()
        path = f"{self.path}/_errors/{name}"
        if not errors:
            delete(path)  # of a run that could not read what can be read now
            return
        files, sentences = zip(*errors, strict=True)
        with written_to(path) as beside:
            parquet.write_table(pa.table({"file": list(files), "error": list(sentences)}), beside)

    def error_count(self) -> int:
        """How many rows the tables of errors have."""
        _, parquet = pyarrow_and_parquet()
        count = 0
        for name in filter(_PART.fullmatch, names_in(f"{self.path}/_errors")):
            with local_copy(f"{self.path}/_errors/{name}") as copy:
                count += parquet.read_metadata(copy).num_rows
        return count

    def _require_same(self, settings: dict[str, Any]) -> None:
        with local_copy(f"{self.path}/{_RUN}") as copy:
            try:
                before = json.loads(copy.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"{self.path}/{_RUN}: damaged ({error}); choose another --output") from error
        require_readable(copy, before.pop("format", None), FORMAT, NEWEST)
        for name in dict.fromkeys((*before, *settings)):
            if before.get(name) != settings.get(name):
                raise ValueError(
                    f"{self.path}: was made with {name} {before.get(name)!r}, and now it is {settings.get(name)!r}; "
                    "go on with the same options, or choose another --output"
                )

    def _write_inputs(self, inputs: Iterable[Input], part_files: int) -> None:
        pa, parquet = pyarrow_and_parquet()
        schema = pa.schema([("file", pa.string()), ("part", pa.int64())])
        with written_to(f"{self.path}/{_INPUTS}") as beside, parquet.ParquetWriter(beside, schema) as writer:
            rows: list[tuple[str, int]] = []
            for row in _in_parts(inputs, part_files):
                rows.append(row)
                if len(rows) == _ROWS_AT_A_TIME:
                    writer.write_table(_input_table(rows, schema))
                    rows = []
            writer.write_table(_input_table(rows, schema))

    def _part_count(self) -> int:
        pa, parquet = pyarrow_and_parquet()
        with local_copy(f"{self.path}/{_INPUTS}") as copy:
            return 1 + (pa.compute.max(parquet.read_table(copy, columns=["part"])["part"]).as_py() or 0)


def write_table(path: str, tables: Iterable[Any], schema: Any) -> None:
    """Writes tables as one Parquet file while they come; it has its name when all have come."""
    pa, parquet = pyarrow_and_parquet()
    with written_to(path) as beside, parquet.ParquetWriter(beside, schema, compression="zstd") as writer:
        for group in _row_groups(tables):
            writer.write_table(pa.concat_tables(group))


def _in_parts(inputs: Iterable[Input], part_files: int) -> Iterator[tuple[str, int]]:
    """Each input with the number of its part."""
    part = files = total = 0
    for path, size in inputs:
        if files == part_files or (files and total + size > _PART_BYTES):
            part, files, total = part + 1, 0, 0
        files, total = files + 1, total + size
        yield path, part


def _input_table(rows: Sequence[tuple[str, int]], schema: Any) -> Any:
    pa, _ = pyarrow_and_parquet()
    return pa.table({"file": [path for path, _ in rows], "part": [part for _, part in rows]}, schema=schema)


def _row_groups(tables: Iterable[Any]) -> Iterator[list[Any]]:
    """Tables that together are as large as a row group should be."""
    group: list[Any] = []
    for table in tables:
        group.append(table)
        if sum(it.nbytes for it in group) >= _ROW_GROUP_BYTES:
            yield group
            group = []
    if group:
        yield group
