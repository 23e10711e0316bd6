"""The back end "pytorch3d": the rasteriser of PyTorch3D in place of ours. Its users build PyTorch3D themselves."""

from functools import partial
from importlib.util import find_spec

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motionrep.rendering.backends.probe import tried_once
from motionrep.rendering.backends.raster_layer import raster_layer
from motionrep.rendering.projection import NEAR_M
from motionrep.rendering.raster import Fragments
from motionrep.rendering.surfaces import Layer


def open_pytorch3d(device: torch.device) -> tuple[str, Layer]:
    """The version of PyTorch3D, and the layer.

    Raises:
        ImportError: PyTorch3D is not installed.
        RuntimeError: It does not work on the device.
    """
    if find_spec("pytorch3d") is None:
        raise ImportError(
            "the back end 'pytorch3d' needs PyTorch3D, which has no package for current versions of Python; build it "
            "as https://github.com/facebookresearch/pytorch3d/blob/main/INSTALL.md says, or use 'raster'"
        )
    return tried_once("pytorch3d", device.type), partial(raster_layer, rasterize=pytorch3d_fragments)


def pytorch3d_fragments(
    screen: Float[Tensor, "batch vertices 3"], faces: Int[Tensor, "faces 3"], width_px: int, height_px: int
) -> Fragments:
    """As `raster.rasterize`, with hidden back faces.

    The normalised axes of PyTorch3D point left and up, and run from -1 to 1 along the shorter side of the image. Its
    pixel centres lie where ours do. Corners behind the camera keep their depth, because it clips faces by it.
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
    # PyTorch3D counts faces through the whole batch.
    return Fragments(
        pixel,
        image,
        face.reshape(-1)[pixel] - image * len(faces),
        barycentric.reshape(-1, 3)[pixel],
        depth.reshape(-1)[pixel],
    )
