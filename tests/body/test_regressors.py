"""Joint regressors from files."""

import numpy as np
import pytest
import scipy.sparse
import torch

from motionrep.body import load_body_model
from motionrep.body.regressors import load_h36m_regressor
from motionrep.layouts import H36M_17

SPIN = (
    "pelvis", "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle", "spine", "thorax",
    "nose", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


@pytest.fixture(scope="module")
def h36m(body) -> np.ndarray:
    """A regressor in the order of H36M_17: the nearest vertices of each point, equally."""
    rest_m = body.template_vertex_m
    point_m = body.points(H36M_17, torch.eye(3).expand(24, 3, 3), torch.zeros(10), torch.zeros(3))
    nearest = torch.cdist(point_m, rest_m).argsort(1)[:, :40]
    return torch.zeros(17, len(rest_m)).scatter(1, nearest, 1 / 40).numpy()


def saved(path, array):
    if path.suffix == ".npy":
        np.save(path, array)
    elif "sparse" in path.name:
        scipy.sparse.save_npz(path, scipy.sparse.csr_matrix(array))
    else:
        np.savez(path, regressor=array)
    return path


@pytest.mark.parametrize("name", ["J_regressor_h36m.npy", "dense.npz", "sparse.npz"])
def test_both_orders_in_use_become_h36m_17(tmp_path, body, h36m, name):
    expected = torch.from_numpy(h36m)
    assert torch.equal(load_h36m_regressor(saved(tmp_path / name, h36m), body), expected)
    as_spin = h36m[[H36M_17.index(joint) for joint in SPIN]].astype(np.float64)
    assert torch.equal(load_h36m_regressor(saved(tmp_path / name, as_spin), body), expected)


def test_a_regressor_goes_with_any_batch_and_has_gradients(tmp_path, body, h36m):
    matrix = load_h36m_regressor(saved(tmp_path / "r.npy", h36m), body)
    rotmat = torch.eye(3).repeat(2, 3, 24, 1, 1).requires_grad_()
    point_m = matrix @ body.vertices(rotmat, torch.zeros(10), torch.ones(3))
    assert point_m.shape == (2, 3, 17, 3)
    point_m.sum().backward()
    assert rotmat.grad is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r[:, :6890], "expected a matrix of 17 x 6999, the vertices of body 'open', got 17 x 6890"),
        (lambda r: r[:16], "got 16 x 6999"),
        (lambda r: r * np.float32(0.5), "row 0 sums to 0.5 instead of 1"),
        (lambda r: np.where(r > 0, np.nan, r), "holds NaN"),
        (lambda r: r[::-1], "in neither of the known orders"),
        (lambda r: np.array({"a": r}), "not a matrix in .npy or .npz"),
    ],
)
def test_what_is_no_such_regressor_is_refused(tmp_path, body, h36m, change, message):
    np.save(tmp_path / "r.npy", change(h36m))
    with pytest.raises(ValueError, match=rf"r\.npy: .*{message}"):
        load_h36m_regressor(tmp_path / "r.npy", body)


def test_missing_and_broken_files(tmp_path, body):
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_h36m_regressor(tmp_path / "none.npy", body)
    (tmp_path / "r.npz").write_bytes(b"PK broken")
    with pytest.raises(ValueError, match=r"r\.npz: not a matrix"):
        load_h36m_regressor(tmp_path / "r.npz", body)
    np.savez(tmp_path / "r.npz", a=np.zeros(1), b=np.zeros(1))
    with pytest.raises(ValueError, match=r"r\.npz: .*expected one array, it holds a, b"):
        load_h36m_regressor(tmp_path / "r.npz", body)


@pytest.mark.parametrize("kind", ["csr", "csc", "bsr", "coo"])
def test_a_sparse_matrix_that_points_outside_of_itself_is_refused(tmp_path, body, kind):
    """SciPy wrote to memory of others before it was found out."""
    path, shape = tmp_path / "r.npz", (17, len(body.template_vertex_m))
    far, data = np.array([0, 10**6], np.int32), np.ones((2, 1, 1)) if kind == "bsr" else np.ones(2)
    starts = np.array([0, *[2] * (shape[1] if kind == "csc" else shape[0])], np.int32)
    places = {"row": 0 * far, "col": far} if kind == "coo" else {"indices": far, "indptr": starts}
    np.savez(path, format=np.array(kind.encode()), shape=np.array(shape), data=data, **places)
    with pytest.raises(ValueError, match=r"r\.npz: "):
        load_h36m_regressor(path, body)
