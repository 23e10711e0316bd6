from dataclasses import replace

import pytest
import torch
from torch import Tensor

from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking
from motionrep.rendering.backdrop import make_backdrop
from motionrep.rendering.scene import draw
from motionrep.rendering.surfaces import Surface, joined

BOX_FACES = torch.tensor([
    [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
    [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
])  # fmt: skip


def box(center_m: tuple[float, float, float], size_m: float, color: tuple[float, float, float]) -> Surface:
    sign = torch.tensor([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    vertex_m = sign * size_m + torch.tensor(center_m)
    return Surface(vertex_m, BOX_FACES, torch.tensor(color).expand_as(vertex_m))


def camera_in_front(width_px: int = 96, height_px: int = 72) -> PinholeCamera:
    pose = camera_from_world_looking(torch.tensor([0.3, 1.5, 4.0]), torch.tensor([0.0, 0.5, 0.0]))
    return replace(PinholeCamera.from_hfov(width_px, height_px, 40.0), camera_from_world=pose)


RED, BLUE = (0.9, 0.2, 0.2), (0.2, 0.2, 0.9)


def is_red(picture: Tensor) -> Tensor:
    return picture[..., 0].int() - picture[..., 2] > 40


def is_blue(picture: Tensor) -> Tensor:
    return picture[..., 2].int() - picture[..., 0] > 40


def test_surfaces_occlude_each_other_in_any_order():
    near, far = box((0.0, 0.5, 1.0), 0.4, RED), box((0.0, 0.5, -0.5), 1.0, BLUE)
    backdrop = make_backdrop(camera_in_front(), torch.zeros(3))
    picture = draw([near, far], backdrop)
    assert (picture.int() - draw([far, near], backdrop)).abs().max() <= 1
    assert bool(is_red(picture)[36, 48])
    assert is_blue(picture).sum() > 100


def test_boxes_that_cut_through_each_other_are_both_seen():
    backdrop = make_backdrop(camera_in_front(), None)
    picture = draw([box((-0.2, 0.5, 0.0), 0.8, RED), box((0.25, 0.5, 0.1), 0.8, BLUE)], backdrop)
    assert is_red(picture).sum() > 100
    assert is_blue(picture).sum() > 100


def test_nothing_to_draw_is_the_empty_scene():
    backdrop = make_backdrop(camera_in_front(), torch.zeros(3))
    assert backdrop.color is not None
    assert torch.equal(draw([], backdrop), (backdrop.color * 255 + 0.5).byte())


def test_joined_faces_still_belong_to_their_surface():
    red, blue = box((0, 0, 0), 1.0, RED), box((3, 0, 0), 1.0, BLUE)
    whole = joined([red, blue])
    assert torch.equal(whole.vertex_m[whole.faces[12:]], blue.vertex_m[blue.faces])
    assert bool((whole.color[whole.faces[:12]] == torch.tensor(RED)).all())


def test_transparent_pictures_laid_over_a_photograph_equal_drawing_in_front_of_it():
    camera = camera_in_front()
    photograph = torch.rand(72, 96, 3, generator=torch.Generator().manual_seed(0))
    surfaces = [box((0.0, 0.6, 0.0), 0.8, RED), box((0.9, 0.4, -0.3), 0.5, BLUE)]
    in_front = draw(surfaces, make_backdrop(camera, torch.zeros(3), behind=photograph))
    cut_out = draw(surfaces, make_backdrop(camera, torch.zeros(3), behind="transparent"))
    assert cut_out.shape == (72, 96, 4)
    opacity = cut_out[..., 3:] / 255
    laid_over = cut_out[..., :3] / 255 * opacity + photograph * (1 - opacity)
    assert (laid_over * 255 - in_front).abs().max() < 2.5


def test_the_shadow_of_a_transparent_picture_is_translucent_black_and_absent_without_a_floor():
    camera, high = camera_in_front(), [box((0.0, 1.0, 0.0), 0.5, RED)]
    shadow = draw(high, make_backdrop(camera, torch.zeros(3), behind="transparent"))
    soft = (shadow[..., 3] > 20) & (shadow[..., 3] < 120) & ~is_red(shadow)
    assert soft.sum() > 50
    assert int(shadow[soft][:, :3].max()) < 60  # the rim of the box has some red in it
    bare = draw(high, make_backdrop(camera, None, behind="transparent"))
    assert torch.equal(bare[..., 3] > 0, is_red(bare))
    assert int(bare[0, 0].max()) == 0


def test_every_surface_casts_a_shadow():
    camera = camera_in_front()
    empty = draw([], make_backdrop(camera, torch.zeros(3))).int()

    def shaded(*surfaces: Surface) -> Tensor:
        picture = draw(surfaces, make_backdrop(camera, torch.zeros(3)))
        return ((empty - picture).amin(-1) > 12) & ~is_red(picture) & ~is_blue(picture)

    left, right = box((-0.8, 1.2, 0.0), 0.4, RED), box((0.8, 1.2, 0.0), 0.4, BLUE)
    both = shaded(left, right)
    assert (shaded(left) | shaded(right)).sum() > 60
    assert (both ^ (shaded(left) | shaded(right))).sum() < 0.1 * both.sum()


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"\(48, 64, 3\).*\(72, 96, 3\)"):
        make_backdrop(camera_in_front(), None, behind=torch.zeros(48, 64, 3))
