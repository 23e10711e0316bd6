"""Draws three people as one camera finds them, without and with a floor: python examples/draw_floor.py OUTPUT.png"""

import sys
from dataclasses import replace
from itertools import islice

import torch
from PIL import Image, ImageDraw, ImageFont

import motionrep
from motionrep.datasets.authored.motions import authored_motion
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking, project, to_camera
from motionrep.layouts import H36M_17
from motionrep.types import BodyMotion

WIDTH_PX, HEIGHT_PX, NOISE_PX, FRAME = 1280, 720, 2.0, 8
PART_PX = 360, 170, 1080, 420
PEOPLE = {"walk": (-0.9, 0.0), "wave": (0.9, -1.5), "squat": (0.2, -3.5)}  # where they stand, x and z in metres


def scene() -> tuple[PinholeCamera, list[BodyMotion]]:
    eye_m, target_m = torch.tensor([0.0, 2.6, 5.5]), torch.tensor([0.0, 0.8, -1.5])
    still = PinholeCamera.from_hfov(WIDTH_PX, HEIGHT_PX)
    people = [
        replace(motion, translation_m=motion.translation_m + torch.tensor([x, 0.0, z]))
        for (x, z), motion in ((place, authored_motion(name, seconds=1.5)) for name, place in PEOPLE.items())
    ]
    return replace(still, camera_from_world=camera_from_world_looking(eye_m, target_m)), people


def seen(motion: BodyMotion, camera: PinholeCamera, number: int) -> motionrep.Keypoints:
    """What a detector might find of somebody."""
    xy_px = project(to_camera(motion.joints("h36m_17").position_m, camera), camera)
    xy_px = xy_px + NOISE_PX * torch.randn(xy_px.shape, generator=torch.Generator().manual_seed(number))
    size_px = camera.width_px, camera.height_px
    return motionrep.Keypoints(xy_px, torch.ones(xy_px.shape[:2]), H36M_17, motion.fps, *size_px, str(number))


def picture(motions: list[BodyMotion]) -> Image.Image:
    """From the side, in one frame of the clip."""
    frames = motionrep.render_frames(motions, views=["side"], width_px=1440, height_px=528)
    return Image.fromarray(next(islice(frames, FRAME, None))).crop(PART_PX)


def main() -> None:
    camera, truth = scene()
    clips = [seen(motion, camera, number) for number, motion in enumerate(truth)]
    mesh = "mesh-ktpformer-s"
    rows = {
        "true": truth,
        f"{mesh} alone: in the camera's axes, what is up and where the floor is, is guessed": [
            one.placed for one in motionrep.recover(clips, [mesh], refine=True)
        ],
        f"{mesh} and ground-ktpformer-s: on one floor": [
            one.placed for one in motionrep.recover(clips, [mesh, "ground-ktpformer-s"], refine=True)
        ],
    }
    drawn = {label: picture(motions) for label, motions in rows.items()}
    width, height = next(iter(drawn.values())).size
    sheet = Image.new("RGB", (width, len(drawn) * (height + 30)), "white")
    for row, (label, image) in enumerate(drawn.items()):
        sheet.paste(image, (0, row * (height + 30)))
        where = (10, row * (height + 30) + height + 6)
        ImageDraw.Draw(sheet).text(where, label, (36, 41, 47), ImageFont.load_default(16))
    sheet.save(sys.argv[1], optimize=True)


if __name__ == "__main__":
    main()
