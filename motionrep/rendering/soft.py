"""Differentiable pictures: silhouettes, depth and attributes of the vertices.

`raster.rasterize` finds the face at each pixel, without gradient. Inside the outline, the weights of the face's corners
are computed again from the vertices, so depth and attributes have exact gradients. The outline itself is soft: near
it, opacity is a function of the distance to the nearest edge of the silhouette, which moves with the vertices. This is
the idea of Liu et al., Soft Rasterizer, ICCV 2019, reduced to the nearest edge.

Limits:
    A vertex gets a gradient of the silhouette only from pixels within four `softness_px` of an outline it is on. A
    body that starts farther off needs keypoints, or small pictures first.
    Inner contours (an arm before the chest) are no part of the silhouette.
    Occlusion is constant: no gradient says that a surface is about to appear from behind another.
    Faces that touch the near plane have no edges. Meshes should be closed.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motionrep.geometry.cameras import PinholeCamera
from motionrep.rendering.projection import NEAR_M, screen_points
from motionrep.rendering.raster import rasterize

_BAND = 4.0  # in softness_px; at its border opacity is 0.02 or 0.98
_PAIRS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class SoftPicture:
    """What one camera sees of each mesh of a batch. Where nothing is seen, `depth_m` and `attribute` are 0.

    `opacity` is 0.5 on the outline, rises to 1 inside and falls to 0 outside. The others end sharply at the outline.
    """

    opacity: Float[Tensor, "batch height width"]
    depth_m: Float[Tensor, "batch height width"]
    attribute: Float[Tensor, "batch height width channels"]


def silhouette(
    vertex_camera_m: Float[Tensor, "batch vertices 3"],
    faces: Int[Tensor, "faces 3"],
    camera: PinholeCamera,
    softness_px: float = 1.0,
) -> Float[Tensor, "batch height width"]:
    """Opacity of each pixel, `sigmoid(distance / softness_px)` of the signed distance to the outline, inside positive.

    It is differentiable in the vertices, in float32 and float64. Beyond 4 `softness_px` it is 0 or 1, without gradient.

    Args:
        vertex_camera_m: In camera axes (x right, y down, z forward); `camera.camera_from_world` is not used.

    Raises:
        ValueError: A softness that is not positive.
    """
    if not softness_px > 0:
        raise ValueError(f"softness_px must be positive, got {softness_px}; 1 is a soft edge, more reaches farther")
    screen = screen_points(vertex_camera_m, camera)
    with torch.no_grad():
        seen = rasterize(screen, faces, camera.width_px, camera.height_px, back_faces="show")
        inside = screen.new_zeros(len(screen) * camera.height_px * camera.width_px, dtype=torch.bool)
        inside[seen.pixel] = True
    return _opacity(screen, faces, inside.reshape(len(screen), camera.height_px, camera.width_px), softness_px)


def soft_picture(
    vertex_camera_m: Float[Tensor, "batch vertices 3"],
    faces: Int[Tensor, "faces 3"],
    attribute: Float[Tensor, "batch vertices channels"],
    camera: PinholeCamera,
    softness_px: float = 1.0,
) -> SoftPicture:
    """Silhouette, depth and interpolated attributes of the vertices (colours, normals, places on the body).

    All are differentiable in the vertices and the attributes. Back faces are seen as well. The other arguments and
    errors are those of `silhouette`.
    """
    screen = screen_points(vertex_camera_m, camera)
    batch, height, width = len(screen), camera.height_px, camera.width_px
    with torch.no_grad():
        seen = rasterize(screen, faces, width, height, back_faces="show")
    corner = screen[seen.image[:, None], faces[seen.face].long()]  # fragments corners 3
    row, column = (seen.pixel // width % height).to(screen), (seen.pixel % width).to(screen)
    center = torch.stack([column + 0.5, row + 0.5, torch.ones_like(row)], -1)
    first, second, third = corner.unbind(1)
    # A pixel's ray is the sum of the corners, weighted by the volumes it spans with two of them each.
    weight = torch.stack([(torch.linalg.cross(a, b) * center).sum(-1) for a, b in
                          ((second, third), (third, first), (first, second))], -1)  # fmt: skip
    weight = weight / weight.sum(-1, keepdim=True)
    carried = attribute[seen.image[:, None], faces[seen.face].long()]
    value = torch.cat([corner[..., 2:], carried], -1)
    value = (weight[..., None] * value).sum(1)
    picture = screen.new_zeros(batch * height * width, value.shape[1]).index_copy(0, seen.pixel, value)
    picture = picture.reshape(batch, height, width, -1)
    with torch.no_grad():
        inside = picture.new_zeros(batch * height * width, dtype=torch.bool)
        inside[seen.pixel] = True
    opacity = _opacity(screen, faces, inside.reshape(batch, height, width), softness_px)
    return SoftPicture(opacity, picture[..., 0], picture[..., 1:])


def _opacity(screen: Tensor, faces: Tensor, inside: Tensor, softness_px: float) -> Tensor:
    """1 inside and 0 outside; in a band along the outline it depends on the distance to the nearest edge."""
    opacity = inside.to(screen)
    rows, ends = _outline_edges(screen.detach(), faces)
    for image in range(len(screen)):
        band = _near_outline(inside[image], _BAND * softness_px)
        pair = ends[rows == image]
        if len(band) == 0 or len(pair) == 0:
            continue
        xy = screen[image, :, :2] / screen[image, :, 2:].clamp(min=NEAR_M)
        center = band.flip(1).to(xy) + 0.5
        with torch.no_grad():
            nearest = _nearest_edge(center, xy[pair[:, 0]], xy[pair[:, 1]], inside[image])
        start, end = xy[pair[nearest, 0]], xy[pair[nearest, 1]]
        distance = _distance(center, start, end)
        row, column = band.unbind(1)
        sign = torch.where(inside[image, row, column], 1.0, -1.0).to(distance)
        soft = torch.sigmoid(sign * distance / softness_px)
        soft = torch.where(distance <= _BAND * softness_px, soft, opacity[image, row, column])
        index = (torch.full_like(row, image), row, column)
        opacity = opacity.index_put(index, soft)
    return opacity


def _outline_edges(screen: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Edges between a face seen from outside and one that is not, or with one face only: their images and ends."""
    faces = faces.long()
    corner = screen[:, faces]  # batch faces corners 3
    volume = (corner[:, :, 0] * torch.linalg.cross(corner[:, :, 1], corner[:, :, 2])).sum(-1)
    in_front = corner[..., 2].amin(-1) > NEAR_M
    side = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    low, high = side.amin(1), side.amax(1)
    number, of_side = torch.unique(low * screen.shape[1] + high, return_inverse=True)  # faster than of pairs
    edge = torch.stack([number // screen.shape[1], number % screen.shape[1]], -1)
    count = torch.zeros(len(edge), dtype=torch.long, device=faces.device)
    count.index_add_(0, of_side, torch.ones_like(of_side))
    facing = (volume < 0).long().repeat(1, 3)
    total = torch.zeros(len(screen), len(edge), dtype=torch.long, device=faces.device).index_add_(1, of_side, facing)
    hidden = torch.zeros_like(total).index_add_(1, of_side, (~in_front).long().repeat(1, 3))
    image, index = (((total > 0) & (total < count) | (count == 1)) & (hidden == 0)).nonzero(as_tuple=True)
    return image, edge[index]


def _near_outline(inside: Tensor, reach_px: float) -> Tensor:
    """Pixels (row, column) within a square of the outline of a mask (height, width)."""
    size = 2 * int(reach_px + 1) + 1
    mask = inside[None, None].float()
    grown, shrunk = (torch.nn.functional.max_pool2d(m, size, 1, size // 2) for m in (mask, 1 - mask))
    return ((grown > 0) & (shrunk > 0))[0, 0].nonzero()


def _nearest_edge(center: Tensor, start: Tensor, end: Tensor, inside: Tensor) -> Tensor:
    """Index of the nearest edge for each point, among those with the outside of the mask on one side."""
    middle, along = (start + end) / 2, end - start
    across = torch.stack([-along[:, 1], along[:, 0]], -1)
    across = 0.75 * across / across.norm(dim=-1, keepdim=True).clamp(min=1e-9)
    on_both = _sample(inside, middle + across) & _sample(inside, middle - across)
    nearest = []
    for part in center.split(max(1, _PAIRS_AT_ONCE // len(start))):
        distance = _distance(part[:, None], start, end)
        nearest.append(distance.masked_fill(on_both, float("inf")).argmin(1))
    return torch.cat(nearest)


def _sample(mask: Tensor, xy_px: Tensor) -> Tensor:
    """Whether the pixel that holds a point belongs to the mask. Points outside the picture count as at its border."""
    column = xy_px[:, 0].floor().long().clamp(0, mask.shape[1] - 1)
    return mask[xy_px[:, 1].floor().long().clamp(0, mask.shape[0] - 1), column]


def _distance(point: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Distance of points to segments, in pixels."""
    along = end - start
    share = ((point - start) * along).sum(-1) / (along * along).sum(-1).clamp(min=1e-12)
    offset = point - start - share.clamp(0, 1)[..., None] * along
    return (offset * offset).sum(-1).clamp(min=1e-16).sqrt()
