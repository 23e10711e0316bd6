"""What `render` puts together: several persons, comparisons, the source video, labels, sizes and times."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import roma
import torch
from paths import OPEN_BODY
from PIL import Image

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.geometry.cameras import PinholeCamera, project
from motionrep.layouts import H36M_17, HALPE_26, SMPL_24
from motionrep.rendering import render, render_frames, write_video
from motionrep.rendering.drawables import make_drawable
from motionrep.rendering.error_colors import error_color, point_error_mm
from motionrep.rendering.skeleton import person_color
from motionrep.types import BodyMotion, JointMotion, Keypoints

CPU = torch.device("cpu")
SMALL = {"height_px": 60, "supersample": 1, "titles": False}


def _standing(frames: int = 2, x_m: float = 0.0, fps: float = 25.0) -> BodyMotion:
    """A body that faces +z of the world, with its feet on the floor."""
    rotmat = torch.eye(3).repeat(frames, 24, 1, 1)
    place_m = torch.tensor([x_m, 1.15, 0.0]).repeat(frames, 1)
    return BodyMotion(rotmat, place_m, torch.zeros(10), "open", fps, "world")


def _filmed(frames: int, fps: float = 20.0) -> tuple[BodyMotion, Keypoints]:
    """A body that crosses the picture, in camera axes, and its keypoints as the 50 degree camera sees them."""
    motion = _standing(frames, fps=fps)
    rotmat = motion.local_rotmat.clone()
    rotmat[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    x_m = torch.linspace(-1, 1, frames) if frames > 1 else torch.zeros(1)
    place_m = torch.stack([x_m, torch.full((frames,), 0.1), torch.full((frames,), 4.5)], 1)
    motion = replace(motion, local_rotmat=rotmat, translation_m=place_m, frame="camera")
    point_m = load_body_model("open").points(HALPE_26, rotmat, motion.betas, place_m)
    xy_px = project(point_m, PinholeCamera.from_hfov(320, 240))
    return motion, Keypoints(xy_px, torch.ones(xy_px.shape[:2]), HALPE_26, fps, 320, 240)


def _spots(keypoints: Keypoints, path: Path, before: int = 0) -> Path:
    """A video with a green spot on the hip keypoint of each frame, after some black frames."""
    hip = HALPE_26.index("hip")

    def frames():
        for _ in range(before):
            yield np.zeros((240, 320, 3), np.uint8)
        for x, y in keypoints.xy_px[:, hip].round().long().tolist():
            picture = np.full((240, 320, 3), 40, np.uint8)
            picture[max(0, y - 8) : y + 8, max(0, x - 8) : x + 8] = (0, 255, 0)
            yield picture

    return write_video(frames(), path, keypoints.fps)


def _hue_is(picture: np.ndarray, color: tuple[float, float, float]) -> np.ndarray:
    """Pixels whose colour is a shade of the given one."""
    pixel = picture[..., :3] / 255.0
    bright = pixel.max(-1, keepdims=True).clip(0.05)
    wanted = np.array(color) / max(color)
    return np.abs(pixel / bright - wanted).max(-1) < 0.09


def test_persons_keep_their_colours_and_places():
    people = [_standing(x_m=-0.8), _standing(x_m=0.8)]
    for order, columns in ((people, (0, 1)), (people[::-1], (1, 0))):
        for picture in render_frames(order, views=["camera"], **SMALL):
            assert picture.shape == (60, 80, 3)
            middle = [np.argwhere(_hue_is(picture, person_color(i)))[:, 1].mean() for i in range(2)]
            assert middle[columns[0]] < 35
            assert middle[columns[1]] > 45


def test_apart_shows_each_alone_in_its_own_panel():
    picture = next(render_frames([_standing(), _standing()], arrange="apart", views=["side"], **SMALL))
    assert picture.shape == (60, 162, 3)
    blue, orange = (np.argwhere(_hue_is(picture, person_color(i)))[:, 1] for i in range(2))
    assert len(blue) > 100
    assert blue.max() < 80
    assert len(orange) > 100
    assert orange.min() >= 82


def test_errors_are_zero_where_nothing_differs_and_measured_about_the_pelvis():
    truth = _standing()
    rotmat = truth.local_rotmat.clone()
    rotmat[:, SMPL_24.index("left_elbow")] = roma.rotvec_to_rotmat(torch.tensor([0.0, 0.8, 0.0]))
    off = replace(truth, local_rotmat=rotmat, translation_m=truth.translation_m + torch.tensor([0.3, 0, 0]))
    body = load_body_model("open")
    drawable, reference = (make_drawable(motion, "surface", None, CPU) for motion in (off, truth))
    error_mm = point_error_mm(drawable, reference, [1])[0]
    assert torch.allclose(error_mm, 1000 * (body.mesh(off).vertex_m[1] - body.mesh(truth).vertex_m[1] -
                                            torch.tensor([0.3, 0, 0])).norm(dim=-1), atol=0.01)  # fmt: skip
    vertex_m = body.mesh(truth).vertex_m[1]
    assert float(error_mm[vertex_m[:, 0] > 0.6].max()) > 100
    assert float(error_mm[vertex_m[:, 0] < 0.2].max()) < 0.01

    picture = next(render_frames(off, compare_to=truth, views=["camera"], error_scale_mm=100, **SMALL))
    red, blue = _hue_is(picture, (0.70, 0.09, 0.17)), _hue_is(picture, (0.46, 0.60, 0.78))
    assert red.sum() > 3
    assert blue.sum() > 100
    assert np.argwhere(red)[:, 1].min() > np.argwhere(blue)[:, 1].mean()  # the left arm is on the viewer's right


def test_error_colours_run_from_blue_to_dark_red():
    color = error_color(torch.tensor([0.0, 25.0, 50.0, 100.0, 900.0]), 100.0)
    assert torch.allclose(color[3], color[4])
    assert torch.allclose(color[2], torch.tensor([0.97, 0.86, 0.42]))
    assert float(color[0, 2] - color[0, 0]) > 0.2
    assert float(color[3, 0] - color[3, 2]) > 0.4


def test_bodies_of_other_kinds_cannot_be_compared():
    body = _standing()
    joints = JointMotion(load_body_model("open").points(H36M_17, body.local_rotmat, body.betas, body.translation_m),
                         H36M_17, 25.0, "world")  # fmt: skip
    with pytest.raises(ValueError, match="same body model or joint layout"):
        render_frames(body, compare_to=joints)


def test_two_bodies_are_compared_by_their_joints(tmp_path, caplog):
    """They have other faces, so a vertex of one is none of the other. The same pose has no error, a bent arm has."""
    with np.load(OPEN_BODY, allow_pickle=False) as file:
        fields = dict(file)
    fields["f"] = fields["f"][::-1]
    np.savez(tmp_path / "smpl.npz", **fields)
    truth = replace(_standing(), body_model=str(tmp_path / "smpl.npz"))
    rotmat = truth.local_rotmat.clone()
    rotmat[:, SMPL_24.index("left_elbow")] = roma.rotvec_to_rotmat(torch.tensor([0.0, 0.8, 0.0]))
    options = {"compare_to": truth, "views": ["camera"], "error_scale_mm": 100, **SMALL}
    caplog.set_level("INFO", logger="motionrep")
    same, bent = (next(render_frames(motion, **options)) for motion in (_standing(), _standing_as(rotmat)))
    assert "of another body" in caplog.text
    dark_red = (0.70, 0.09, 0.17)
    assert _hue_is(same, dark_red)[: SMALL["height_px"]].sum() == 0
    assert _hue_is(bent, dark_red)[: SMALL["height_px"]].sum() > 3


def _standing_as(rotmat: torch.Tensor) -> BodyMotion:
    return replace(_standing(), local_rotmat=rotmat)


@pytest.mark.parametrize("first_frame", [0, 40])
def test_a_cut_motion_is_drawn_on_its_own_frames_of_the_keypoints(first_frame):
    motion, keypoints = _filmed(8)
    motion, keypoints = replace(motion, first_frame=first_frame), replace(keypoints, first_frame=first_frame)
    options = {"views": ["keypoints", "camera"], **SMALL}
    whole = list(render_frames(motion, keypoints=keypoints, **options))
    part = list(render_frames(motion.cut(3, 6), keypoints=keypoints, **options))
    assert len(part) == 3
    for cut, full in zip(part, whole[3:6], strict=True):
        assert np.array_equal(cut[: SMALL["height_px"], :80], full[: SMALL["height_px"], :80])  # the keypoints
    elsewhere = replace(motion.cut(3, 6), first_frame=first_frame + 7)
    with pytest.raises(ValueError, match=f"the keypoints' {first_frame} to {first_frame + 7} by its first_frame"):
        render_frames(elsewhere, keypoints=keypoints)


def test_a_body_can_be_a_skeleton():
    surface, skeleton = (next(render_frames(_standing(), show=show, views=["camera"], **SMALL))
                         for show in ("surface", "skeleton"))  # fmt: skip
    red = _hue_is(skeleton, (0.87, 0.36, 0.24))
    blue = _hue_is(skeleton, (0.13, 0.47, 0.75))
    assert red.sum() > 20
    assert blue.sum() > 20
    assert np.argwhere(red)[:, 1].mean() < np.argwhere(blue)[:, 1].mean()  # seen from the front, right is left
    assert not _hue_is(surface, (0.87, 0.36, 0.24)).any()
    with pytest.raises(ValueError, match="MeshMotion has no joints"):
        render_frames(load_body_model("open").mesh(_standing()), show="skeleton")


def test_the_overlay_lies_on_the_person_in_the_video(tmp_path):
    """The video has a spot on the hip: the video's panel shows it, the overlay hides it behind the body."""
    pytest.importorskip("av")
    motion, keypoints = _filmed(8)
    video = _spots(keypoints, tmp_path / "clip.mp4")
    size = {"height_px": 120, "titles": False}
    frames = list(render_frames(motion, keypoints=keypoints, video=video, views=["video", "overlay"], **size))
    assert len(frames) == 8
    for index, picture in enumerate(frames):
        plain, laid_over = picture[:, :160].astype(int), picture[:, 162:].astype(int)
        x, y = (keypoints.xy_px[index, HALPE_26.index("hip")] / 2).round().long().tolist()
        assert plain[y, x, 1] > 200, index
        assert plain[y, x, 0] < 60, index
        assert laid_over[y, x, 1] < 200, index
        assert laid_over[y, x, 2] > laid_over[y, x, 0], index  # the body is blue
        body = np.argwhere(_hue_is(picture[:, 162:], person_color(0)))[:, 1]
        assert abs(body.mean() - x) < 3


def test_a_clip_starts_at_its_first_frame_in_the_file(tmp_path):
    pytest.importorskip("av")
    motion, keypoints = _filmed(6)
    video = _spots(keypoints, tmp_path / "clip.mp4", before=7)
    keypoints = replace(keypoints, first_frame=7)
    frames = list(render_frames(motion, keypoints=keypoints, video=video, views=["video"], **SMALL))
    for index, picture in enumerate(frames):
        x, y = (keypoints.xy_px[index, HALPE_26.index("hip")] / 4).round().long().tolist()
        assert picture[y, x, 1] > 180
    found = replace(motion, first_frame=7)
    alone = list(render_frames(found, video=video, views=["video"], **SMALL))
    assert all(np.array_equal(one, beside) for one, beside in zip(alone, frames, strict=True))
    with pytest.raises(ValueError, match="has 13 frames, the motion has frames 8 to 13"):
        render_frames(motion, keypoints=replace(keypoints, first_frame=8), video=video)


def test_the_motion_lasts_as_long_at_any_rate_and_speed():
    motion, keypoints = _filmed(10, fps=20.0)

    def hips(**options) -> list[float]:
        frames = render_frames(motion, keypoints=keypoints, views=["keypoints"], **options, **SMALL)
        return [float(np.argwhere(frame[..., 0] < 200)[:, 1].mean()) for frame in frames]

    own = hips()
    assert len(own) == 10
    assert hips(fps=40) == [x for x in own for _ in range(2)]
    assert hips(fps=10) == own[::2]
    assert hips(speed=0.5) == [x for x in own for _ in range(2)]
    assert hips(speed=2.0) == own[::2]


@pytest.mark.parametrize(("width_px", "height_px"), [(60, 100), (100, 60), (80, 80)])
def test_whoever_stands_is_whole_in_portrait_and_landscape(width_px, height_px):
    motion = authored_motion("jumping_jack", 0, 1.0, 10.0)
    for picture in render_frames(
        motion, views=["side"], width_px=width_px, height_px=height_px, supersample=1, titles=False, background="white"
    ):
        assert picture.shape == (height_px, width_px, 3)
        person = np.argwhere(picture.min(-1) < 250)
        assert person[:, 0].min() > 0
        assert person[:, 0].max() < height_px - 1
        assert person[:, 1].min() > 0
        assert person[:, 1].max() < width_px - 1
        assert np.ptp(person[:, 0]) > 0.4 * height_px


def test_transparent_frames_are_opaque_on_the_body_only(tmp_path):
    picture = next(render_frames(_standing(), background="transparent", views=["camera"], **SMALL))
    assert picture.shape == (60, 80, 4)
    body = picture[..., 3] == 255
    assert 100 < body.sum() < 1500
    assert (picture[:3, :, 3] == 0).all()
    with pytest.raises(ValueError, match=r"\.mp4 cannot be transparent"):
        render(_standing(), tmp_path / "clip.mp4", background="transparent")


def test_a_turntable_shows_the_back_half_way():
    motion = _standing(4, fps=4 / 6)  # one round
    frames = list(render_frames(motion, views=["turntable"], show="skeleton", **SMALL))
    left, right = (0.13, 0.47, 0.75), (0.87, 0.36, 0.24)
    apart = [np.diff([np.argwhere(_hue_is(frames[i], side))[:, 1].mean() for side in (right, left)]) for i in (0, 2)]
    assert apart[0] > 10
    assert apart[1] < -10


def test_labels_come_and_go_with_their_scores():
    motion = _standing(4, fps=1.0)
    labels = [(0.0, 2.0, "walk", 0.9), (2.0, 4.0, "wave", 0.3), (0.0, 4.0, "sit")]
    frames = list(render_frames(motion, views=["camera"], labels=labels, width_px=200, **SMALL))
    bars = [[(_hue_is(frame[60:104, 50:160], person_color(i))).sum() for i in (0, 1)] for frame in frames]
    assert [walk > 0 for walk, _ in bars] == [True, True, False, False]
    assert [wave > 0 for _, wave in bars] == [False, False, True, True]
    assert 2 < bars[0][0] / bars[2][1] < 4.5
    heads = [int(np.argwhere((frame[108:112] < 90).all(-1).all(0)).mean()) for frame in frames]
    assert np.all(np.diff(heads) > 20)  # the line of time moves on


def test_wrong_labels_are_refused():
    for wrong, message in (
        ((1.0, 1.0, "a"), "end after it starts"), ((0.0, 1.0), "must be"), ((0.0, 1.0, "a", 1.5), "between 0 and 1"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            render_frames(_standing(), labels=[wrong])


def test_what_does_not_belong_together_is_refused(tmp_path):
    motion = _standing(3)
    camera_motion, keypoints = _filmed(3, fps=25.0)
    for call, message in (
        ({"motion": []}, "no motion to draw"),
        (
            {"motion": motion, "compare_to": _standing(4)},
            "the motion to compare with has 4 frames at 25 fps, .* drawn has 3 at 25",
        ),
        ({"motion": [motion, _standing(3, fps=30.0)]}, "3 frames at 30 fps"),
        ({"motion": [camera_motion, camera_motion.cut(0, 2)], "keypoints": keypoints}, "motions of 3, 2 frames"),
        ({"motion": [motion, camera_motion]}, "in frame 'camera', the .* 'world'"),
        ({"motion": motion, "compare_to": _standing(2)}, "the motion to compare with has 2 frames"),
        ({"motion": motion, "names": ["a", "b"]}, "2 entries for 1 motion"),
        ({"motion": motion, "views": ["overlay"]}, "pass video="),
        ({"motion": motion, "views": ["keypoints"]}, "pass keypoints="),
        ({"motion": motion, "speed": 0.0}, "speed must be a positive number"),
        ({"motion": motion, "error_scale_mm": 10.0}, "compare_to"),
    ):
        with pytest.raises(ValueError, match=message):
            render_frames(**call)
    with pytest.raises(ValueError, match="audio=True needs video="):
        render(motion, tmp_path / "clip.webm", audio=True)
    pytest.importorskip("av")
    video = write_video((np.zeros((240, 240, 3), np.uint8) for _ in range(3)), tmp_path / "square.mp4", 25)
    with pytest.raises(ValueError, match="240 x 240 px, the keypoints 320 x 240"):
        render_frames(camera_motion, keypoints=keypoints, video=video)
    with pytest.raises(ValueError, match="has no sound; leave audio out"):
        render(camera_motion, tmp_path / "clip.mp4", video=video, audio=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["square.mp4"]


def test_a_warning_tells_of_motions_that_begin_at_other_frames(caplog):
    motion, _ = _filmed(3)
    later = replace(motion, first_frame=30)
    next(render_frames([later, later], views=["camera"], **SMALL))
    assert "begin at frames" not in caplog.text
    next(render_frames([motion, later], views=["camera"], **SMALL))
    assert "motions begin at frames 0, 30 of their videos and are drawn from then on" in caplog.text


def test_everybody_is_drawn_only_while_there(caplog):
    """Two people of one video, whose times overlap; their keypoints too."""
    motion, keypoints = _filmed(6)
    begins = [4, 7]  # of 6 and of 2 frames
    motions = [motion, motion.cut(0, 2)]
    second = replace(keypoints, xy_px=keypoints.xy_px[:2], confidence=keypoints.confidence[:2])
    clips = [replace(clip, first_frame=begin) for clip, begin in zip([keypoints, second], begins, strict=True)]
    frames = list(render_frames(motions, keypoints=clips, views=["keypoints", "camera"], **SMALL))
    assert len(frames) == 6
    assert "begin at frames" not in caplog.text
    for index, frame in enumerate(frames):
        there = [True, 3 <= index < 5]
        for panel in np.split(frame[: SMALL["height_px"]], 2, 1):
            assert [bool(_hue_is(panel, person_color(i)).sum() > 3) for i in (0, 1)] == there, index


def test_a_folder_of_transparent_pictures_and_a_webm_are_written(tmp_path):
    pytest.importorskip("av")
    options = {"background": "transparent", "views": ["camera"], **SMALL}
    path = render(_standing(), tmp_path / "clip", **options)
    with Image.open(path / "000001.png") as image:
        assert image.mode == "RGBA"
    assert render(_standing(), tmp_path / "clip.webm", **options).stat().st_size > 500


def test_joints_without_a_place_stand_on_the_floor_in_every_frame():
    """In frame "root" the pelvis stays where it is: whoever squats, or here shrinks, would hang in the air."""
    motion, _ = _filmed(2)
    position_m = load_body_model("open").points(H36M_17, motion.local_rotmat, motion.betas, motion.translation_m)
    position_m = (position_m - position_m[:, :1]) * torch.tensor([1.0, 0.6])[:, None, None]
    joints = JointMotion(position_m, H36M_17, 25.0, "root")
    pictures = list(render_frames(joints, views=["camera"], background="white", **SMALL))
    blue = [np.argwhere(_hue_is(picture, (0.13, 0.47, 0.75)))[:, 0] for picture in pictures]
    assert np.ptp(blue[1]) < 0.75 * np.ptp(blue[0])
    assert abs(int(blue[0].max()) - int(blue[1].max())) <= 1


def test_the_legend_of_one_body_has_the_bodys_colour():
    """It had the first person's blue, beside a body the colour of skin."""
    picture = next(render_frames(_standing(), views=["camera"], names=["Ada"], **SMALL))
    below = picture[60:]
    assert not _hue_is(below, person_color(0)).any()
    assert _hue_is(below, (0.87, 0.80, 0.745)).any()


def test_keypoints_are_of_one_clip_or_of_every_person():
    motion, clip = _filmed(3)
    with pytest.raises(ValueError, match=r"2 clips of keypoints for 3 motion\(s\)"):
        render_frames([motion] * 3, keypoints=[clip, clip])
