"""The options of `render`: what they may be, and how they are given."""

import subprocess
import sys
from typing import get_type_hints

import numpy as np
import pytest
import torch

from motionrep.layouts import H36M_17
from motionrep.rendering import RenderOptions, render, render_frames
from motionrep.rendering.options import OptionChanges
from motionrep.types import JointMotion


def _motion() -> JointMotion:
    position_m = torch.rand(2, 17, 3, generator=torch.Generator().manual_seed(0))
    return JointMotion(position_m, H36M_17, 25.0, "world")


def test_keyword_arguments_replace_single_options():
    options = RenderOptions(views=["side"], height_px=40, titles=False)
    same, other = (list(render_frames(_motion(), options=options, **more)) for more in ({}, {"height_px": 30}))
    alone = list(render_frames(_motion(), views=["side"], height_px=40, titles=False))
    assert all(np.array_equal(one, two) for one, two in zip(same, alone, strict=True))
    assert [picture.shape for picture in other] == [(30, 40, 3)] * 2
    assert options.height_px == 40


def test_every_option_is_a_keyword_that_type_checkers_know():
    assert get_type_hints(OptionChanges) == get_type_hints(RenderOptions)


@pytest.mark.parametrize(
    ("wrong", "nearest"), [("view", "views"), ("widht_px", "width_px"), ("keypoint", "keypoints"), ("colour", None)]
)
def test_a_misspelt_option_is_an_error_that_names_the_nearest(wrong, nearest, tmp_path):
    message = f"unknown option '{wrong}'" + (f"; did you mean '{nearest}'" if nearest else r" \(options: views, ")
    with pytest.raises(TypeError, match=message):
        render_frames(_motion(), **{wrong: 1})
    with pytest.raises(TypeError, match=message):
        render(_motion(), tmp_path / "clip.gif", **{wrong: 1})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"height_px": 0}, "height_px must be a whole number of at least 1, got 0"),
        ({"width_px": -5}, "width_px must be a whole number of at least 1, got -5"),
        ({"supersample": 0}, "supersample must be a whole number of at least 1"),
        ({"fps": 0}, "fps must be a positive number, got 0"),
        ({"fps": float("nan")}, "fps must be a positive number"),
        ({"speed": float("inf")}, "speed must be a positive number"),
        ({"error_scale_mm": -1.0}, "error_scale_mm must be a positive number"),
        ({"labels": [(1.0, 0.5, "walk")]}, "must end after it starts"),
        ({"backend": "opengl"}, "unknown back end 'opengl' .known: auto, raster"),
    ],
)
def test_options_are_checked_when_they_are_made(options, message):
    with pytest.raises(ValueError, match=message):
        RenderOptions(**options)


def test_values_of_another_kind_are_errors_that_name_the_remedy():
    """Without the execution of annotations, which would refuse them first in this process."""
    code = """
from motionrep.rendering import RenderOptions
for name, value in (
    ("views", ["font"]), ("views", "side"), ("names", "Ada"), ("arrange", "aside"), ("show", "skeletons"),
    ("background", "green"), ("height_px", 4.5), ("labels", [("a", "b", "c")]),
):
    try:
        RenderOptions(**{name: value})
    except ValueError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [line.split(" (known: ")[0] for line in done.stdout.splitlines()] == [
        "unknown view 'font'",
        "views must be a list, got the text 'side'; pass views=['side']",
        "names must be a list, got the text 'Ada'; pass names=['Ada']",
        "unknown arrange 'aside'",
        "unknown show 'skeletons'; did you mean 'skeleton'?",
        "unknown background 'green'",
        "height_px must be a whole number of at least 1, got 4.5",
        "labels[0] must be (start_s, end_s, text) or (start_s, end_s, text, score): ('a', 'b', 'c')",
    ]


def test_every_option_is_documented():
    """A field without a line in the docstring is an option that nobody finds."""
    documented = {line.strip().partition(":")[0] for line in (RenderOptions.__doc__ or "").splitlines()}
    assert set(RenderOptions.__dataclass_fields__) <= documented
