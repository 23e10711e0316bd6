"""RTMPose, RTMW and RTMO through the library rtmlib, which runs their ONNX files."""

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionrep.detection.frame_by_frame import FrameByFrame, People, Picture, layout_of, require_library
from motionrep.files.naming import did_you_mean

# rtmlib's solutions by our names, and the size of what they download
_SOLUTIONS = {
    "feet": ("BodyWithFeet", {}, "157 MB"),
    "body": ("Body", {}, "155 MB"),
    "wholebody": ("Wholebody", {}, "330 MB"),
    "rtmo": ("Body", {"pose": "rtmo"}, "89 MB"),
}
_DEFAULT = "feet"


class RTMPose(FrameByFrame):
    """Finds people with YOLOX and their joints with RTMPose, or both at once with RTMO, in each picture by itself.

    Args:
        model: "feet" (26 joints, the default), "body" (17), "wholebody" (133) or "rtmo" (17), which rtmlib downloads;
            or the .onnx file of RTMO, or those of RTMPose and of YOLOX with a comma in between.

    Raises:
        ImportError: The library is not installed, or OpenCV cannot be imported.
        FileNotFoundError: No such file.
        ValueError: Another name, weights that cannot be downloaded, or an .onnx file of another kind.
    """

    name = "rtmpose"

    def __init__(self, model: str = "", device: str | torch.device = "cpu") -> None:
        require_library("rtmpose", "rtmlib", "the weights of RTMPose and YOLOX (157 MB), both Apache-2.0")
        options = {"backend": "onnxruntime", "device": str(device)}
        with redirect_stdout(io.StringIO()):  # rtmlib prints which files it loads
            if model.endswith(".onnx"):
                self.pose, self.people = _from_files(model.split(","), options)
            else:
                self.pose, self.people = _solution(model or _DEFAULT, options)
        self.layout = layout_of(_joints(self.pose), model or f"detector rtmpose:{_DEFAULT}")

    def look(self, picture: Picture) -> People:
        blue_first = np.ascontiguousarray(picture[..., ::-1])
        if self.people is None:
            xy, score = self.pose(blue_first)
        else:
            boxes = self.people(blue_first)
            if not len(boxes):  # rtmlib would take the whole picture for a person
                return np.zeros((0, self.layout.joint_count, 3))
            xy, score = self.pose(blue_first, bboxes=boxes)
        xyc = np.concatenate([xy, np.asarray(score)[..., None].clip(0, 1)], -1)
        return xyc.reshape(-1, self.layout.joint_count, 3).astype(np.float64)


def rtmpose(device: str | torch.device = "cpu", model: str = "") -> RTMPose:
    """The entry point `rtmpose`."""
    return RTMPose(model, device)


def _rtmlib() -> Any:
    try:
        import rtmlib
    except ImportError as error:
        raise ImportError(
            f"detector rtmpose: OpenCV cannot be imported ({error}); on a machine without a screen: pip uninstall "
            "opencv-python opencv-contrib-python, then pip install opencv-python-headless"
        ) from error
    return rtmlib


def _solution(name: str, options: dict[str, Any]) -> tuple[Any, Any]:
    """The networks of one of rtmlib's solutions: for joints, and for people if there is one."""
    if name not in _SOLUTIONS:
        raise ValueError(
            f"detector rtmpose:{name}: unknown model{did_you_mean(name, _SOLUTIONS)} (known: {', '.join(_SOLUTIONS)}, "
            "or .onnx files: POSE.onnx,PEOPLE.onnx)"
        )
    kind, arguments, size = _SOLUTIONS[name]
    rtmlib = _rtmlib()
    try:
        solution = getattr(rtmlib, kind)(mode="balanced", **arguments, **options)
    except OSError as error:
        raise ValueError(
            f"detector rtmpose: its weights ({size}) could not be downloaded ({error}); without a connection "
            "download and unpack rtmlib's .zip files elsewhere and pass --detector rtmpose:POSE.onnx,PEOPLE.onnx"
        ) from error
    return solution.pose_model, getattr(solution, "det_model", None)


def _from_files(files: list[str], options: dict[str, Any]) -> tuple[Any, Any]:
    """Networks of .onnx files, whose shapes say what they are."""
    for file in files:
        if not Path(file).is_file():
            raise FileNotFoundError(f"{file}: no such file")
    rtmlib = _rtmlib()
    pose = rtmlib.RTMPose(files[0], **options)
    shapes = _output_shapes(pose)
    one_stage = len(shapes) == 2 and len(shapes[1]) == 4
    if len(shapes) != 2 or len(shapes[0]) != 3 or len(files) != (1 if one_stage else 2):
        raise ValueError(
            f"{','.join(files)}: not what rtmpose reads; give the .onnx file of RTMO, or those of RTMPose and YOLOX "
            "with a comma in between"
        )
    if one_stage:
        return rtmlib.RTMO(files[0], _input_size(pose), **options), None
    people = rtmlib.YOLOX(files[1], **options)
    pose.model_input_size, people.model_input_size = _input_size(pose)[::-1], _input_size(people)
    return pose, people


def _input_size(network: Any) -> tuple[int, int]:
    """Height and width of the pictures that a network takes."""
    height, width = network.session.get_inputs()[0].shape[2:]
    return height, width


def _output_shapes(network: Any) -> list[list[Any]]:
    return [output.shape for output in network.session.get_outputs()]


def _joints(network: Any) -> int:
    """Of RTMPose's answer (people, joints, places) or RTMO's (pictures, people, joints, 3)."""
    shapes = _output_shapes(network)
    return shapes[1][2] if len(shapes[1]) == 4 else shapes[0][1]
