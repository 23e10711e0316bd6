"""Looks into a file: its container by its first bytes, the names of its fields, and its JSON or pickle.

Nothing in a file is run. What was parsed to find out what a file is, is handed on to its reader.
"""

import io
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from motionrep.files.arrays import BROKEN_NPZ, ArrayHeader, member_bytes, npy_header, npz_headers, npz_names, npz_text
from motionrep.files.hdf5 import outline
from motionrep.files.pickles import MALFORMED, Inert, as_array, read_npy_object, read_outline, read_pickle, unpacked
from motionrep.files.reading import irregular, read_bytes, reading
from motionrep.files.texts import parsed_json, read_json, read_table, read_text

_HEAD_BYTES = 512
_TAIL_BYTES = 65536
# How files begin: place of the mark, mark, container.
_MARKS = (
    (0, b"PK\x03\x04", "zip"), (0, b"PK\x05\x06", "zip"), (0, b"\x93NUMPY", "npy"),
    (0, b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "torch"),  # before torch 1.6
    *((0, bytes([0x80, protocol]), "pickle") for protocol in (2, 3, 4, 5)),
    (0, b"PAR1", "parquet"), (0, b"glTF", "gltf"), (0, b"Kaydara FBX", "fbx"),
    (0, b"PXR-USDC", "usd"), (0, b"Vocaloid Motion Data", "vmd"), (0, b"BLENDER", "blend"),
    (0, b"\x89HDF\r\n\x1a\n", "hdf5"), (0, b"MATLAB 5.0", "matlab"), (0, b"MATLAB 7.3", "matlab"), (8, b"WEBP", "webp"),
    (4, b"ftyp", "mp4"), (0, b"\x1aE\xdf\xa3", "webm"), (8, b"AVI ", "avi"),
    (0, b"\x89PNG", "png"), (0, b"\xff\xd8\xff", "jpg"), (0, b"GIF8", "gif"),
)  # fmt: skip
_TEXT_MARKS = ((b"{", "json"), (b"[", "json"), (b"HIERARCHY", "bvh"), (b"PathFileType", "trc"), (b"; FBX", "fbx"),
               (b"#usda", "usd"), (b"%YAML 1.1\n%TAG !u! tag:unity3d.com", "unity"))  # fmt: skip
VIDEO_SUFFIXES = (
    ".mp4", ".mov", ".webm", ".mkv", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp",
    ".ogv",
)  # fmt: skip
# Where the first bytes say nothing, as in empty or broken files, the suffix does.
_SUFFIXES = {
    ".json": "json", ".npz": "npz", ".npy": "npy", ".pkl": "pickle", ".pickle": "pickle", ".bvh": "bvh", ".trc": "trc",
    ".csv": "csv", ".tsv": "csv", ".c3d": "c3d", ".gltf": "gltf", ".usdz": "usd",
    ".pt": "torch", ".pth": "torch", ".safetensors": "safetensors", ".parquet": "parquet",
    **dict.fromkeys(VIDEO_SUFFIXES, "video"), **dict.fromkeys((".bmp", ".tif", ".tiff"), "image"),
}  # fmt: skip
_NAMES_SHOWN = 6


@dataclass(frozen=True)
class Contents:
    """A file or folder, and what is in it as far as somebody asked.

    `container` is how the file is built: "json", "npz", "npy", "pickle" (also joblib's), "torch" (torch.save), "bvh",
    "safetensors", "parquet", "zip", "trc", "c3d", "mp4", "png", ..., "video" and "image" by the name alone, "text" or
    "binary" for others, and "folder".
    """

    path: Path
    container: str

    @property
    def value(self) -> Any:
        """What a JSON file, a pickle or a .npy of one Python object holds; of a folder its .json files by name, or
        its .txt files; the rows of a .csv; the text of any other text. Of an HDF5 file it is an outline.

        A JSON list of texts that are JSON themselves gives what these hold. Pickles have stand-ins for arrays, see
        `files.pickles.as_array`.

        Raises:
            ValueError: The file is broken, or a pickle that asks to import what no file of numbers needs.
        """
        if isinstance(self._outcome, ValueError):
            raise self._outcome
        return self._outcome

    @property
    def fault(self) -> ValueError | None:
        """What is wrong with a file that cannot be read."""
        return self._outcome if isinstance(self._outcome, ValueError) else None

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """Names of the arrays, keys of the dict, or names of the files in the folder; else nothing."""
        if self.container == "folder":
            return tuple(sorted(file.name for file in self.path.iterdir() if not file.name.startswith(".")))
        value = self._outlined
        if self.container == "csv":
            return tuple(value[0]) if value else ()
        return tuple(map(str, value)) if isinstance(value, dict) else ()

    @cached_property
    def item_fields(self) -> tuple[str, ...]:
        """Keys of the first dict in a list, or of the first dict among the values of a dict."""
        return tuple(map(str, self.item)) if isinstance(self.item, dict) else ()

    @cached_property
    def item(self) -> Any:
        """The first item of a list, or value of a dict, that is not empty; None where there is none."""
        value = self._outlined
        items = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
        return next((item for item in items if item), None)

    @cached_property
    def arrays(self) -> dict[str, ArrayHeader]:
        """Shapes and types of arrays by name: of an .npz, at the top of an HDF5 file, or of a .npy under ""."""
        if self.container == "hdf5":
            found = self._outlined or {}
            return {name: it for name, it in found.items() if isinstance(it, ArrayHeader)}
        try:
            if self.container == "npz":
                return npz_headers(self.path)
            return {"": npy_header(self.path)} if self.container == "npy" else {}
        except ValueError:
            return {}

    @cached_property
    def declared(self) -> str | None:
        """What the field `format` of an .npz says, such as "motionrep body motion 1"."""
        return npz_text(self.path, "format") if self.container == "npz" else None

    @property
    def description(self) -> str:
        """What was found, for messages: "an .npz file with the fields 'a', 'b'"."""
        called = _CALLED.get(
            self.container, f"a {self.path.suffix} file" if self.path.suffix else "a file of unknown kind"
        )
        if self.container == "npy" and (header := self.arrays.get("")) is not None:
            kind = header.dtype if header.dtype.kind != "O" else "Python objects, which are never unpickled"
            if not self.fields:
                return f"{called} with an array of shape {header.shape} of {kind}"
        if self.fields:
            shapes = {name: header.shape for name, header in self.arrays.items()} or _shapes(self._outlined)
            names = _listed(self.fields, shapes)
            called += f" with the {_PARTS.get(self.container, 'fields')} {names}"
        elif self.container in ("json", "pickle") and self.fault is None:
            called += f" with a {type(self.value).__name__}"
        return called + (
            f", whose items have the fields {_listed(self.item_fields, _shapes(self.item))}" if self.item_fields else ""
        )

    @cached_property
    def _outcome(self) -> Any:
        read = _READERS.get(self.container)
        try:
            with reading(self.path):
                return None if read is None else read(self.path)
        except ValueError as error:
            return error

    @cached_property
    def _outlined(self) -> Any:
        """The value, or, of a pickle that asks for more than `value` allows, as much as can be told without it."""
        if not isinstance(self._outcome, ValueError):
            return self._outcome
        if self.container == "pickle" and "asks to import" in str(self._outcome):
            try:
                return read_outline(io.BytesIO(unpacked(self.path)))
            except MALFORMED:
                pass
        return None


def look(path: Path | str) -> Contents:
    """What is at a path. Reads no more than the first bytes until more is asked for.

    Raises:
        FileNotFoundError: There is nothing.
        ValueError: It is a pipe or a device, which never end.
        OSError: It cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        return Contents(path, "folder")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    if (kind := irregular(path)) is not None:
        raise ValueError(f"{path}: is {kind}, not a file; write its content to a file and give that")
    return Contents(path, _container(path))


def _container(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    by_suffix = _SUFFIXES.get(path.suffix.lower())
    for place, mark, container in _MARKS:
        if head[place:].startswith(mark):
            return _kind_of_zip(path, by_suffix) if container == "zip" else container
    if len(head) > 8 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] <= path.stat().st_size - 8:
        return "safetensors"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for mark, container in _TEXT_MARKS:
        if text.startswith(mark):
            return "gltf" if container == "json" and by_suffix == "gltf" else container
    return by_suffix or ("binary" if b"\0" in head else "text")


def _kind_of_zip(path: Path, by_suffix: str | None) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except BROKEN_NPZ:
        return by_suffix or "zip"
    if any(name.count("/") == 1 and name.endswith("/data.pkl") for name in names):
        return "torch"
    return "npz" if any(name.endswith(".npy") for name in names) else by_suffix or "zip"


def _folder(path: Path) -> dict[str, Any]:
    for pattern, read in (("*.json", read_json), ("*.txt", read_text)):
        if files := sorted(file for file in path.glob(pattern) if file.is_file() and not file.name.startswith(".")):
            return {file.name: read(file) for file in files}
    return {}


def _npz(path: Path) -> dict[str, None]:
    return dict.fromkeys(npz_names(path))


def _pickle(path: Path) -> Any:
    return read_pickle(path, "file of numbers")


def _npy(path: Path) -> Any:
    """The object of a .npy that holds one, such as a dict; None for arrays."""
    header = npy_header(path)
    return read_npy_object(path, "file of numbers") if header.dtype.kind == "O" and not header.shape else None


def _torch(path: Path) -> Any:
    """Names of the entries and what plain containers hold; stand-ins for tensors."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
                return read_outline(io.BytesIO(member_bytes(archive, name, path)))
        file = io.BytesIO(read_bytes(path))
        for _ in range(3):  # magic number, version, system
            read_outline(file)
        return read_outline(file)
    except (StopIteration, *MALFORMED, *BROKEN_NPZ) as error:
        raise ValueError(f"{path}: not a whole file of torch.save ({type(error).__name__}: {error})") from error


def _safetensors(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        try:
            length = struct.unpack("<Q", file.read(8))[0]
            head = parsed_json(file.read(min(length, path.stat().st_size)).decode(), str(path))
        except (struct.error, ValueError) as error:
            raise ValueError(f"{path}: not a whole .safetensors file ({error})") from error
    return head if isinstance(head, dict) else {}


def _parquet(path: Path) -> dict[str, None]:
    """Whether a table has the column `embedding`; the names of columns stand near the end of the file."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
        return {"embedding": None} if b"embedding" in file.read() else {}


def _listed(names: tuple[str, ...], shapes: dict[str, tuple[int, ...]]) -> str:
    more = f", and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return (
        ", ".join(f"{name!r} {shapes[name]}" if name in shapes else repr(name) for name in names[:_NAMES_SHOWN]) + more
    )


def _shapes(value: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays of a pickled dict by name."""
    shapes = {}
    for name, item in value.items() if isinstance(value, dict) else ():
        if isinstance(item, Inert):
            with suppress(*MALFORMED):
                shapes[str(name)] = as_array(item).shape
    return shapes


_READERS: dict[str, Callable[[Path], Any]] = {
    "folder": _folder, "json": read_json, "csv": read_table, "text": read_text, "npz": _npz, "npy": _npy,
    "pickle": _pickle, "torch": _torch, "safetensors": _safetensors, "hdf5": outline,
    "parquet": _parquet,
}  # fmt: skip
_PARTS = {"folder": "files", "csv": "columns"}
_CALLED = {
    "folder": "a folder", "json": "a JSON file", "npz": "an .npz file", "npy": "a .npy file", "pickle": "a pickle",
    "torch": "a file of torch.save", "zip": "a zip archive", "bvh": "a .bvh file",
    "trc": "a .trc file", "fbx": "an FBX file", "gltf": "a glTF file (.glb, .gltf, .vrm, .vrma)", "usd": "a USD file",
    "vmd": "a motion of MikuMikuDance (.vmd)", "unity": "a file of Unity (.anim)", "blend": "a Blender file",
    "hdf5": "an HDF5 file", "matlab": "a MATLAB file", "c3d": "a .c3d file",
}  # fmt: skip
