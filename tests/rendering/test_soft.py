from collections.abc import Callable

import pytest
import roma
import torch
from torch import Tensor

from motionrep.body import load_body_model
from motionrep.geometry.cameras import PinholeCamera
from motionrep.rendering.projection import screen_points
from motionrep.rendering.raster import rasterize
from motionrep.rendering.soft import silhouette, soft_picture

CAMERA = PinholeCamera.from_hfov(48, 40, 50.0)
BOX_FACES = torch.tensor([
    [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
    [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
])  # fmt: skip


def _box(place_m: tuple[float, float, float] = (0.05, -0.03, 2.5), turn: float = 0.6) -> Tensor:
    """Turned so that three sides are seen, in camera axes, float64."""
    sign = torch.tensor([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]).double()
    return sign @ roma.rotvec_to_rotmat(torch.tensor([turn, 0.7, 0.2]).double()).T + torch.tensor(place_m).double()


def _differences(function: Callable[[Tensor], Tensor], at: Tensor, step: float) -> Tensor:
    """Central differences of a number."""
    result = torch.zeros_like(at)
    for index in range(at.numel()):
        moved = torch.zeros_like(at).view(-1)
        moved[index] = step
        moved = moved.view_as(at)
        result.view(-1)[index] = (function(at + moved) - function(at - moved)) / (2 * step)
    return result


def _gradient(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    at = at.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(at), at)
    return gradient


def _pattern() -> Tensor:
    y, x = torch.meshgrid(torch.linspace(-1, 1, 40), torch.linspace(-1, 1, 48), indexing="ij")
    return ((2 * x).sin() + 0.5 * (3 * y).cos() + x * y).double()


def test_gradients_of_the_silhouette_equal_finite_differences():
    """Every pixel of the band, weighed by a smooth pattern; no pixel changes its nearest edge within the step."""

    def weighed(vertex_m: Tensor) -> Tensor:
        return (silhouette(vertex_m[None], BOX_FACES, CAMERA)[0] * _pattern()).sum()

    box = _box()
    gradient, expected = _gradient(weighed, box), _differences(weighed, box, 1e-7)
    assert expected.abs().max() > 5
    assert (gradient - expected).abs().max() < 1e-3 * expected.abs().max()


def test_gradients_of_depth_and_attributes_equal_finite_differences():
    """Well inside of faces, where the face at each pixel does not change."""
    attribute = torch.rand(1, 8, 2, generator=torch.Generator().manual_seed(1)).double()
    box = _box()
    seen = rasterize(screen_points(box[None], CAMERA), BOX_FACES, 48, 40)
    inner = seen.pixel[seen.barycentric.amin(1) > 0.02]
    assert len(inner) > 100

    def weighed(vertex_m: Tensor, carried: Tensor = attribute) -> Tensor:
        picture = soft_picture(vertex_m[None], BOX_FACES, carried, CAMERA)
        total = picture.depth_m + 2 * picture.attribute[..., 0] - 3 * picture.attribute[..., 1]
        return (total[0] * _pattern()).reshape(-1)[inner].sum()

    gradient, expected = _gradient(weighed, box), _differences(weighed, box, 1e-6)
    assert expected.abs().max() > 5
    assert (gradient - expected).abs().max() < 1e-5 * expected.abs().max()
    by_value = _gradient(lambda carried: weighed(box, carried), attribute)
    expected = _differences(lambda carried: weighed(box, carried), attribute, 1e-4)
    assert (by_value - expected).abs().max() < 1e-6 * expected.abs().max()


def test_hard_parts_of_a_soft_picture_are_the_rasterisers():
    box = _box().float()[None]
    picture = soft_picture(box, BOX_FACES, box, CAMERA)
    seen = rasterize(screen_points(box, CAMERA), BOX_FACES, 48, 40)
    assert torch.allclose(picture.depth_m.reshape(-1)[seen.pixel], seen.depth, atol=1e-4)
    assert torch.allclose(picture.attribute[..., 2], picture.depth_m, atol=1e-4)
    opaque = torch.zeros(48 * 40, dtype=torch.bool)
    opaque[seen.pixel] = True
    assert torch.equal(picture.opacity.reshape(-1) > 0.5, opaque)
    assert torch.equal(silhouette(box, BOX_FACES, CAMERA), picture.opacity)


def test_opacity_is_a_sigmoid_of_the_distance_to_the_outline():
    """A square that fills columns 12 to 36: distances to its left side are known."""
    z = 2.0
    x, y = ((torch.tensor([12.0, 36.0]) - 24) / CAMERA.focal_px * z, (torch.tensor([8.0, 32.0]) - 20) * z)
    y = y / CAMERA.focal_px
    square = torch.stack([torch.stack([x[i], y[j], torch.tensor(z)]) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))])
    faces = torch.tensor([[0, 2, 1], [0, 3, 2]])
    opacity = silhouette(square[None], faces, CAMERA, softness_px=0.8)[0, 20]
    column = torch.arange(7, 17) + 0.5
    expected = torch.sigmoid((column - 12) / 0.8)
    expected[(column - 12).abs() > 3.2] = (column[(column - 12).abs() > 3.2] > 12).float()
    assert torch.allclose(opacity[7:17], expected, atol=1e-4)


def test_a_batch_equals_one_by_one():
    boxes = torch.stack([_box(), _box((-0.2, 0.1, 2.0), 0.1), _box((0.0, 0.0, -3.0))]).float()
    together = silhouette(boxes, BOX_FACES, CAMERA)
    for box, opacity in zip(boxes, together, strict=True):
        assert torch.equal(silhouette(box[None], BOX_FACES, CAMERA)[0], opacity)
    assert not together[2].any()


def test_inner_contours_do_not_show_in_the_silhouette():
    """A small box in front of a large one: its outline lies inside and is opaque."""
    near = (_box() - _box().mean(0)) * 0.2 + torch.tensor([0.0, 0.0, 1.5]).double()
    vertex_m, faces = torch.cat([_box(), near]), torch.cat([BOX_FACES, BOX_FACES + 8])
    both, alone = silhouette(vertex_m[None], faces, CAMERA), silhouette(_box()[None], BOX_FACES, CAMERA)
    assert torch.allclose(both, alone, atol=1e-6)
    gradient = _gradient(lambda v: silhouette(v[None], faces, CAMERA).sum(), vertex_m)
    assert gradient[:8].abs().max() > 0
    assert gradient[8:].abs().max() == 0


def test_an_offset_body_finds_back_to_its_silhouette():
    body = load_body_model("open")
    rotmat = torch.eye(3).repeat(24, 1, 1)
    rotmat[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    vertex_m = body.vertices(rotmat, torch.zeros(10), torch.tensor([0.0, 0.2, 3.2]))
    camera, faces = PinholeCamera.from_hfov(64, 64, 40.0), body.faces.long()
    with torch.no_grad():
        target = silhouette(vertex_m[None], faces, camera)
    offset_m = torch.tensor([0.08, -0.05, 0.1], requires_grad=True)
    optimizer = torch.optim.Adam([offset_m], lr=0.012)
    for _ in range(30):
        optimizer.zero_grad()
        loss = (silhouette((vertex_m + offset_m)[None], faces, camera) - target).square().sum()
        loss.backward()
        optimizer.step()
    assert offset_m[:2].abs().max() < 0.01
    assert offset_m[2].abs() < 0.04


def test_a_softness_that_is_no_width_is_refused():
    with pytest.raises(ValueError, match="softness_px must be positive"):
        silhouette(_box()[None], BOX_FACES, CAMERA, softness_px=0.0)
