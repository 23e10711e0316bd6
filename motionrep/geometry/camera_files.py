"""Reads and writes cameras as JSON files."""

import math
from pathlib import Path
from typing import Any, get_args

import torch

from motionrep.checks.values import number
from motionrep.files.reading import irregular, reading
from motionrep.files.texts import read_json
from motionrep.files.writing import write_json
from motionrep.geometry.cameras import PinholeCamera, World

_FIELDS = ("width", "height", "fx", "fy", "cx", "cy", "hfov_deg", "camera_from_world", "world")
_SQUARE = 0.01


def read_camera(path: Path | str, width_px: int | None = None, height_px: int | None = None) -> PinholeCamera:
    """The camera of a JSON file, for pictures of the given size; left out, of the size that the file gives.

    The file holds an object with one of

    * `fx`: focal length in pixels,
    * `hfov_deg`: horizontal field of view in degrees,

    and optionally

    * `fy`: within 1 % of `fx`, since pixels are square here,
    * `cx`, `cy`: principal point in pixels from the top left corner; the middle of the picture if left out,
    * `width`, `height`: size of the pictures in pixels,
    * `camera_from_world`: a rigid 4 x 4 matrix, row by row. It acts on column vectors in metres and leads from a world
      whose y axis points up to the camera's axes (x right, y down, z forward). Of a camera that moves, a list of such
      matrices, one for each frame of the video;
    * `world`: what is known of that world (`PinholeCamera.world`). A camera that moves needs it.

    Lens distortion is not modelled: undistort the keypoints first.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is not such an object, is for pictures of another size, or gives no size though none was
            passed.
    """
    path = Path(path)
    if not path.is_file() and irregular(path) is None:
        raise FileNotFoundError(f"{path}: no such camera file")
    content = read_json(path)
    if not isinstance(content, dict):
        raise ValueError(f'{path}: expected an object such as {{"fx": 1500}}, got {type(content).__name__}')
    if unknown := [name for name in content if name not in _FIELDS]:
        raise ValueError(f"{path}: unknown field {unknown[0]!r}; known: {', '.join(_FIELDS)}")
    if width_px is None or height_px is None:
        if not {"width", "height"} <= content.keys():
            raise ValueError(f"{path}: give 'width' and 'height', the size of its pictures in pixels")
        width_px, height_px = (int(_number(path, content, name)) for name in ("width", "height"))
    for name, size_px in (("width", width_px), ("height", height_px)):
        if name in content and _number(path, content, name) != size_px:
            raise ValueError(
                f"{path}: field {name!r} is {content[name]}, the keypoints are of {width_px} x {height_px} px; scale "
                "the camera's numbers of pixels, or pass the size of the picture the keypoints were found in"
            )
    center_px = tuple(
        _number(path, content, name) if name in content else size_px / 2
        for name, size_px in (("cx", width_px), ("cy", height_px))
    )
    focal_px = _focal_px(path, content, width_px)
    pose, world = torch.eye(4), content.get("world", "floor")
    if "camera_from_world" in content:
        pose = _rigid(path, content["camera_from_world"])
    if ("world" not in content and pose.dim() > 2) or world not in get_args(World):
        raise ValueError(
            f"{path}: field 'world': expected 'floor' (y is up and 0 on the floor), 'upright' (y is up) or 'any' "
            f"(unknown axes, origin and scale), got {content.get('world', 'nothing')!r}; a camera that moves needs it"
        )
    with reading(path):
        return PinholeCamera(focal_px, (center_px[0], center_px[1]), width_px, height_px, pose, world)


def write_camera(camera: PinholeCamera, path: Path | str) -> None:
    """Writes a camera so that `read_camera` reads it.

    Raises:
        OSError: The file cannot be written.
    """
    content = {
        "width": camera.width_px,
        "height": camera.height_px,
        "fx": camera.focal_px,
        "cx": camera.center_px[0],
        "cy": camera.center_px[1],
        "camera_from_world": camera.camera_from_world.tolist(),
    }
    if camera.moves or camera.world != "floor":
        content["world"] = camera.world
    write_json(content, Path(path), indent=None if camera.moves else 2)


def _focal_px(path: Path, content: dict[str, Any], width_px: int) -> float:
    if ("fx" in content) == ("hfov_deg" in content):
        has = "both" if "fx" in content else "neither"
        raise ValueError(f"{path}: expected either field 'fx' (pixels) or 'hfov_deg' (degrees), got {has}")
    if "hfov_deg" in content:
        if "fy" in content:
            raise ValueError(f"{path}: field 'fy' goes with 'fx', not with 'hfov_deg'")
        hfov_deg = _number(path, content, "hfov_deg")
        if not 0 < hfov_deg < 180:
            raise ValueError(f"{path}: field 'hfov_deg' must lie between 0 and 180 degrees, got {hfov_deg:g}")
        return width_px / 2 / math.tan(math.radians(hfov_deg) / 2)
    fx_px = _number(path, content, "fx")
    fy_px = _number(path, content, "fy") if "fy" in content else fx_px
    if not (fx_px > 0 and abs(fy_px - fx_px) <= _SQUARE * fx_px):
        raise ValueError(
            f"{path}: fields 'fx' and 'fy' must be positive and within 1 % of each other (square pixels), got "
            f"{fx_px:g} and {fy_px:g}; stretch the pictures to square pixels first"
        )
    return fx_px


def _number(path: Path, content: dict[str, Any], name: str) -> float:
    value = content[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(number(value)):
        raise ValueError(f"{path}: field {name!r} must be a number, got {value!r}")
    return float(value)


def _rigid(path: Path, rows: Any) -> torch.Tensor:
    hint = (
        "expected 4 rows of 4 numbers, a rotation and a translation in metres over 0, 0, 0, 1, or a list of such "
        "matrices, one for each frame"
    )
    try:
        matrix = torch.tensor(rows, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(f"{path}: field 'camera_from_world': {hint}, got {str(rows)[:80]}") from error
    if matrix.dim() not in (2, 3) or matrix.shape[-2:] != (4, 4) or not bool(torch.isfinite(matrix).all()):
        raise ValueError(f"{path}: field 'camera_from_world': {hint}, got shape {tuple(matrix.shape)} or NaN")
    rotation = matrix[..., :3, :3]
    stretch = (rotation @ rotation.mT - torch.eye(3)).abs().amax((-2, -1))
    wrong = (stretch > 1e-3) | (torch.linalg.det(rotation) < 0)
    wrong = wrong | (matrix[..., 3, :] != torch.tensor([0.0, 0.0, 0.0, 1.0])).any(-1)
    if bool(wrong.any()):
        where = f" in frame {int(wrong.nonzero()[0, 0])}" if matrix.dim() == 3 else ""
        raise ValueError(
            f"{path}: field 'camera_from_world': {hint}, got a matrix{where} that stretches, mirrors or projects"
        )
    return matrix
