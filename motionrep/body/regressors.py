"""Reads regressors of Human3.6M's joints from the vertices of SMPL, which users have to obtain."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body.model import BodyModel
from motionrep.files.arrays import Arrays, open_npz, read_array, require_shape_within
from motionrep.files.contents import look
from motionrep.files.reading import reading
from motionrep.layouts import H36M_17

_ROW_SUM_WITHIN = 0.05
_LEGS = ("hip", "knee", "ankle")
_TRUNK = ("spine", "thorax", "nose", "head")
_ARMS = tuple(f"{side}_{joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist"))
_ORDERS = tuple(
    ("pelvis", *(f"{side}_{joint}" for side in sides for joint in _LEGS), *_TRUNK, *_ARMS)
    for sides in (("left", "right"), ("right", "left"))
)
_UPWARDS = ("left_ankle", "left_knee", "left_hip", "thorax", "head")


def load_h36m_regressor(path: Path | str, body: BodyModel) -> Float[Tensor, "17 vertices"]:
    """The matrix of a file such as `J_regressor_h36m.npy`: `matrix @ body.vertices(...)` are points in H36M_17 order.

    The file holds a dense array of shape (17, vertices), as .npy or as the only array of an .npz, or is SciPy's sparse
    .npz. Two orders of joints are in use; the side of the legs tells them apart. The file of HMR, SPIN and VIBE begins
    with the left leg (`H36M_TO_J17` in constants.py of github.com/nkolot/SPIN). `J_regressor_h36m_correct.npy` of
    Pose2Mesh and METRO begins with the right one (`H36M_J17_NAME` in constants.py of github.com/xuxy09/SMPLer).

    `body.points(H36M_17, ...)` needs no such file and skins only a few vertices. It places points by geometry, with the
    proportions of Human3.6M's skeleton; knees, ankles, elbows and wrists are SMPL's own joints there. Use the regressor
    for numbers that are to be compared with published ones of SMPL bodies.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Not such a matrix, or for another mesh; the message says what is wrong.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; J_regressor_h36m.npy comes with the data of SPIN")
    array = _read(path)
    vertices = body.template_vertex_m.shape[0]
    if array.shape != (H36M_17.joint_count, vertices):
        raise ValueError(
            f"{path}: expected a matrix of 17 x {vertices}, the vertices of body {body.name!r}, got "
            f"{' x '.join(map(str, array.shape))}; use the regressor with the body it was made for"
        )
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ValueError(f"{path}: holds NaN, infinite values or no numbers; get the file again")
    sums = array.sum(1)
    worst = int(np.abs(sums - 1).argmax())
    if abs(sums[worst] - 1) > _ROW_SUM_WITHIN:
        raise ValueError(
            f"{path}: row {worst} sums to {sums[worst]:.3g} instead of 1, so its point would not move with the body; "
            "is it a regressor of joints?"
        )
    matrix = torch.from_numpy(array).to(body.template_vertex_m)
    for order in _ORDERS:
        ours = matrix[[order.index(joint) for joint in H36M_17.joints]]
        if _plausible(ours @ body.template_vertex_m):
            return ours
    raise ValueError(
        f"{path}: its points are in neither of the known orders of Human3.6M's 17 joints; the legs or arms are on the "
        f"wrong side, or the head is not above the feet. Expected: {', '.join(_ORDERS[0])}"
    )


def _read(path: Path) -> np.ndarray:
    try:
        with reading(path):
            if look(path).container == "npy":
                return read_array(path, "")
            with open_npz(path) as arrays:
                if "format" in arrays:
                    return _dense(arrays)
                if len(arrays.names) != 1:
                    raise ValueError(f"expected one array, it holds {', '.join(arrays.names) or 'none'}")
                return arrays[arrays.names[0]]
    except ValueError as error:
        why = str(error).removeprefix(f"{path}: ")
        raise ValueError(f"{path}: not a matrix in .npy or .npz: {why}; save it as a dense float array") from error


def _dense(arrays: Arrays) -> np.ndarray:
    """The matrix that `scipy.sparse.save_npz` wrote. SciPy itself does not check where the numbers belong."""
    from scipy import sparse  # takes a quarter of the time of torch to import

    kind, shape = arrays["format"].item(), tuple(arrays["shape"].tolist())
    kind = kind.decode() if isinstance(kind, bytes) else kind
    require_shape_within(arrays.path, shape)
    if len(shape) != 2 or kind not in ("csr", "csc", "bsr", "coo"):
        raise ValueError(f"expected a sparse matrix in csr, csc, bsr or coo, got {kind!r} of shape {shape}")
    if kind == "coo":
        return sparse.coo_matrix((arrays["data"], (arrays["row"], arrays["col"])), shape).toarray()
    fields = (arrays["data"], arrays["indices"], arrays["indptr"])
    matrix = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix, "bsr": sparse.bsr_matrix}[kind](fields, shape)
    try:
        matrix.check_format(full_check=True)
    except ValueError as error:
        raise ValueError(f"its indices do not fit its shape {shape} ({error}); get the file again") from error
    return matrix.toarray()


def _plausible(rest_m: Float[Tensor, "17 3"]) -> bool:
    """Whether, in the T-pose, left joints have positive x, ankles are lowest and the head is highest."""
    sides = {"left": 1.0, "right": -1.0}
    beside = all(
        float(x) * sides[joint.partition("_")[0]] > 0
        for joint, x in zip(H36M_17.joints, rest_m[:, 0], strict=True)
        if joint.partition("_")[0] in sides
    )
    heights = [float(rest_m[H36M_17.index(joint), 1]) for joint in _UPWARDS]
    return beside and heights == sorted(heights)
