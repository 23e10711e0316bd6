"""Draws the open body in some poses and shapes: python examples/draw_open_body.py OUTPUT.png"""

import sys

import roma
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import motionrep
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking
from motionrep.layouts import SMPL_24
from motionrep.rendering.backdrop import make_backdrop
from motionrep.rendering.scene import draw
from motionrep.rendering.surfaces import Surface

WIDTH_PX, HEIGHT_PX, PX_PER_M, EYE_M = 1440, 405, 166.0, 40.0
SKIN = torch.tensor([0.87, 0.80, 0.745])
Degrees = dict[str, tuple[int, int, int]]
# Degrees about x, y, z of the left joint and, mirrored, of the right one; "+" turns only the left one.
POSES: dict[str, Degrees] = {
    "rest": {},
    "arms overhead": {"collar": (0, 0, 20), "shoulder": (0, -15, 60)},
    "elbows, hip, knee at 90°": {
        "shoulder": (0, 0, -65), "elbow": (0, -90, 0), "+hip": (-90, 0, 0), "+knee": (90, 0, 0),
    },
    "sitting": {"hip": (-90, 0, 0), "knee": (90, 0, 0), "shoulder": (0, 0, -65), "elbow": (0, -60, 0)},
    "squat": {
        "pelvis": (20, 0, 0), "hip": (-125, 20, 0), "knee": (130, 0, 0), "ankle": (-25, 0, 0), "neck": (-15, 0, 0),
        "shoulder": (0, -80, 15),
    },
}  # fmt: skip
ARMS_DOWN: Degrees = {"shoulder": (0, 0, -62)}


def rotations(degrees: Degrees) -> Tensor:
    rotmat = torch.eye(3).repeat(24, 1, 1)
    for name, angles in degrees.items():
        joint = name.removeprefix("+")
        for side, mirror in (("left_", 1), ("right_", -1)) if joint not in SMPL_24.joints else (("", 1),):
            if side != "right_" or not name.startswith("+"):
                turn = torch.tensor([angles[0], mirror * angles[1], mirror * angles[2]]).deg2rad()
                rotmat[SMPL_24.index(side + joint)] = roma.rotvec_to_rotmat(turn)
    return rotmat


def row(bodies: list[tuple[str, Degrees, Tensor]]) -> Image.Image:
    """Labelled bodies side by side on one floor, slightly turned, from so far away that all look alike."""
    body = motionrep.load_body_model("open")
    turn = roma.rotvec_to_rotmat(torch.tensor([0.0, 30.0, 0.0]).deg2rad())
    spacing_px = WIDTH_PX / len(bodies)
    surfaces = []
    for index, (_, degrees, betas) in enumerate(bodies):
        vertex_m = body.vertices(rotations(degrees), betas, torch.zeros(3)) @ turn.T
        low_m, high_m = vertex_m.amin(0), vertex_m.amax(0)
        place_m = (spacing_px * (index + 0.5) - WIDTH_PX / 2) / PX_PER_M
        vertex_m = vertex_m + torch.stack([place_m - (low_m + high_m)[0] / 2, -low_m[1], -(low_m + high_m)[2] / 2])
        surfaces.append(Surface(vertex_m, body.faces, SKIN.expand_as(vertex_m)))

    view = camera_from_world_looking(torch.tensor([0.0, 6.0, EYE_M]), torch.tensor([0.0, 1.05, 0.0]))
    camera = PinholeCamera(PX_PER_M * EYE_M, (WIDTH_PX / 2, HEIGHT_PX / 2), WIDTH_PX, HEIGHT_PX, view)
    backdrop = make_backdrop(camera, torch.zeros(3))
    picture = Image.fromarray(draw(surfaces, backdrop).numpy())
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(16)
    for index, (label, _, _) in enumerate(bodies):
        pen.text((spacing_px * (index + 0.5), HEIGHT_PX - 14), label, "#333", font, anchor="mm")
    return picture


def main(output: str) -> None:
    shapes = [
        (f"beta {index} = {value:+d}" if value else "0", ARMS_DOWN, torch.eye(10)[index] * value)
        for index in range(4)
        for value in (-2, 0, 2)
    ]
    poses = [(name, degrees, torch.zeros(10)) for name, degrees in POSES.items()]
    picture = Image.new("RGB", (WIDTH_PX, 3 * HEIGHT_PX))
    for index, bodies in enumerate((poses, shapes[:6], shapes[6:])):
        picture.paste(row(bodies), (0, index * HEIGHT_PX))
    picture.save(output, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
