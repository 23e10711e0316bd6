"""The rasteriser of PyTorch3D in the place of ours."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motionrep.rendering.raster import NEAR_M, Fragments


def pytorch3d_fragments(
    screen: Float[Tensor, "batch vertices 3"], faces: Int[Tensor, "faces 3"], width_px: int, height_px: int
) -> Fragments:
    """As `raster.rasterize` with hidden back faces.

    PyTorch3D's normalised axes point left and up, and run from -1 to 1 along the shorter side of the image. Its pixel
    centres lie where ours do. Corners behind the camera keep their depth, which it needs to clip faces.
    """
    from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes  # pyright: ignore[reportMissingImports]
    from pytorch3d.structures import Meshes  # pyright: ignore[reportMissingImports]

    half = min(width_px, height_px) / 2
    depth = torch.where(screen[..., 2:].abs() < 1e-6, 1e-6, screen[..., 2:])
    xy = (screen.new_tensor([width_px / 2, height_px / 2]) - screen[..., :2] / depth) / half
    batch = screen.shape[0]
    meshes = Meshes(torch.cat([xy, depth], -1), faces.long().expand(batch, -1, -1))
    face, depth, barycentric, _ = rasterize_meshes(
        meshes,
        (height_px, width_px),
        faces_per_pixel=1,
        perspective_correct=True,
        cull_backfaces=True,
        z_clip_value=NEAR_M,
    )
    pixel = (face.reshape(-1) >= 0).nonzero()[:, 0]
    image = pixel // (width_px * height_px)
    # Its faces count through the whole batch.
    return Fragments(
        pixel,
        image,
        face.reshape(-1)[pixel] - image * len(faces),
        barycentric.reshape(-1, 3)[pixel],
        depth.reshape(-1)[pixel],
    )
