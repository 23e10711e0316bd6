"""Carries motions over to a body of the same mesh, such as from SMPL's female to its neutral body, by the surface."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body.finding import BodyFiles, find_body_files
from motionrep.body.model import BodyModel
from motionrep.body.registry import BODIES
from motionrep.types import BodyMotion

GENDERS = ("neutral", "male", "female")
_FAMILIES = {"smpl": ("smplh", "smpl"), "smplx": ("smplx",)}
_RIDGE = 1e-9  # m^2 per vertex: keeps betas that move nothing at 0
_COMPARED_FRAMES = 16


def gender_of_body(name: str) -> str | None:
    """The gender in the name of one of SMPL's bodies, or of its file; None where it says none."""
    words = name.lower().replace("\\", "/").rpartition("/")[2].replace(".", "_").replace("-", "_").split("_")
    letters = {"m": "male", "f": "female"}
    said = [word for word in (letters.get(word, word) for word in words) if word in GENDERS]
    return said[0] if said else None


def body_of_gender(generation: str, gender: str) -> str | None:
    """The name of a body of SMPL's of that gender whose file the user has; None if there is none."""
    wanted: dict[str, BodyFiles] = {}
    for family in _FAMILIES[generation]:
        files = BODIES[f"{family}-{gender}"].files
        assert files is not None
        wanted[f"{family}-{gender}"] = files
    return next(iter(find_body_files(wanted)), None)


def on_same_surface(motion: BodyMotion, source: BodyModel, body: BodyModel) -> tuple[BodyMotion, float]:
    """The motion on a body of the same mesh, and the mean distance of the two surfaces in mm.

    The betas are those whose rest surface is nearest to the person's. Rotations stay. The pelvis goes to where the
    surfaces lie on each other at rest.

    Raises:
        ValueError: The meshes differ.
    """
    if source.template_vertex_m.shape != body.template_vertex_m.shape:
        raise ValueError(f"bodies {source.name!r} and {body.name!r} have different meshes")
    with torch.no_grad():
        betas, moved_m = _nearest_shape(source.rest_vertices(motion.betas), body)
        pelvis_m, new_pelvis_m = source.rest_joints(motion.betas)[0], body.rest_joints(betas)[0]
        arm_m = new_pelvis_m + moved_m - pelvis_m
        place_m = motion.translation_m + pelvis_m + motion.local_rotmat[:, 0] @ arm_m
        count = motion.local_rotmat.shape[1]
        rotmat = motion.local_rotmat if count == body.joint_count else motion.local_rotmat[:, :24]
        fits = motion.expression is not None and motion.expression.shape[1] == body.expression_count
        moved = replace(
            motion, local_rotmat=rotmat, translation_m=place_m - new_pelvis_m, betas=betas, body_model=body.name,
            expression=motion.expression if fits else None,
        )  # fmt: skip
        step = max(1, motion.frame_count // _COMPARED_FRAMES)
        error_m = [
            (source.mesh(motion.cut(i, i + 1)).vertex_m - body.mesh(moved.cut(i, i + 1)).vertex_m).norm(dim=-1).mean()
            for i in range(0, motion.frame_count, step)
        ]
    return moved, 1000 * float(torch.stack(error_m).mean())


def _nearest_shape(
    vertex_m: Float[Tensor, "vertices 3"], body: BodyModel
) -> tuple[Float[Tensor, " betas"], Float[Tensor, "3"]]:
    """Betas and the shift with which the body's rest surface is nearest, by least squares over its vertices."""
    directions_m = body.shape_directions_m.permute(2, 0, 1).double()
    wanted_m = (vertex_m - body.template_vertex_m).double()
    centred = (directions_m - directions_m.mean(1, keepdim=True)).flatten(1)
    normal = centred @ centred.T + _RIDGE * len(vertex_m) * torch.eye(body.beta_count).to(centred)
    betas = torch.linalg.solve(normal, centred @ (wanted_m - wanted_m.mean(0)).flatten())
    shift_m = (wanted_m - torch.einsum("b,bvx->vx", betas, directions_m)).mean(0)
    return betas.to(vertex_m), shift_m.to(vertex_m)
