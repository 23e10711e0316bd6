"""The size of the picture: of the file or the user, in the right order, in pixels."""

import numpy as np
import pytest
from keypoint_files import SIZE, alphapose, assert_frame, coco, flat, load, moved, openpose_people, person, written


def annotated(tmp_path, sizes):
    images = [{"id": i, "file_name": f"{i}.png", "width": w, "height": h} for i, (w, h) in enumerate(sizes)]
    annotations = [{"id": i, "image_id": i, "keypoints": flat(person(17))} for i in range(len(sizes))]
    return written(tmp_path, {"images": images, "annotations": annotations, "videos": [{"id": 1, "fps": 50}]})


def drawn(tmp_path):
    """As ControlNet's tools write frames: `encode_poses_as_dict` in comfyui_controlnet_aux' dwpose/__init__.py."""
    frame = {"people": openpose_people(person(18))["people"], "canvas_height": 480, "canvas_width": 640}
    return written(tmp_path, [frame, frame])


@pytest.mark.parametrize("write", [lambda folder: annotated(folder, [SIZE] * 3), drawn])
def test_the_files_size_is_taken_and_compared_with_the_users(tmp_path, caplog, write):
    (clip,) = load(write(tmp_path), size_px=None)
    assert (clip.width_px, clip.height_px) == SIZE
    assert "says (640, 480)" not in caplog.text
    (clip,) = load(write(tmp_path), size_px=(1280, 960))
    assert (clip.width_px, clip.height_px) == (1280, 960)
    assert "says (640, 480), but (1280, 960) was given and is used" in caplog.text


def test_the_files_rate_is_taken_and_compared_with_the_users(tmp_path, caplog):
    path = annotated(tmp_path, [SIZE] * 3)
    assert load(path, fps=None)[0].fps == 50
    assert "frame rate" not in caplog.text
    assert load(path, fps=25.0)[0].fps == 25
    assert "says 50.0, but 25.0 was given and is used" in caplog.text


def test_pictures_of_several_sizes_are_no_video(tmp_path):
    path = annotated(tmp_path, [SIZE, (480, 640)])
    with pytest.raises(
        ValueError, match=r"several sizes, 480 x 640 and 640 x 480 px, so they are not the frames of one"
    ):
        load(path, size_px=None)
    assert load(path)[0].width_px == 640


def test_fractions_of_the_picture_become_pixels(tmp_path, caplog):
    fractions = person(17) / [*SIZE, 1]
    (clip,) = load(written(tmp_path, [coco(t, fractions) for t in range(2)]), layout="coco_17")
    assert_frame(clip, 1, person(17))
    assert "fractions of the picture's width and height; they are taken times 640 x 480 px" in caplog.text


def portrait(tmp_path, lowest_px):
    """A person of 1000 px in a picture of 720 x 1280; a foot may lie below it."""
    y = np.linspace(150, 1150, 17)
    y[16] = lowest_px
    xyc = np.column_stack([np.linspace(300, 420, 17), y, np.full(17, 0.9)])
    return written(tmp_path, [alphapose(f"{t}.jpg", moved(xyc, t), 1) for t in range(4)])


@pytest.mark.parametrize("lowest_px", [1200, 1400])
def test_swapped_sides_are_told_of_portrait_clips(tmp_path, lowest_px):
    """A foot below the picture once kept the hint away, and the result moved by 79 mm without a word."""
    path = portrait(tmp_path, lowest_px)
    with pytest.raises(
        ValueError, match=r"of 1280 x 720 px.*; 720 x 1280 would hold them: were height and width swapped"
    ):
        load(path, size_px=(1280, 720), layout="coco_17")
    (clip,) = load(path, size_px=(720, 1280), layout="coco_17")
    assert (clip.width_px, clip.height_px) == (720, 1280)
