import pytest

from motionrep.files.units import scores_line, worded


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [
        ("mpjpe", 41.987, "mm", "42.0 mm"),
        ("mpjpe", 41.987, "", "42.0 mm"),
        ("pose3d_pve", 53.94, "", "53.9 mm"),
        ("accel_error", 3.4547, "", "3.45 m/s^2"),
        ("accel_error", 3454.7, "mm/s^2", "3.45 m/s^2"),
        ("accel_error_per_frame2", 3.838, "mm/frame^2", "3.84 mm/frame^2"),
        ("mpjve", 2.345, "mm/frame", "2.35 mm/frame"),
        ("macro_accuracy", 0.894, "", "89.4 %"),
        ("action_top1", 0.5, "", "50.0 %"),
        ("top1", 89.4, "%", "89.4 %"),
        ("loss", 0.12345, "", "0.1235"),
    ],
)
def test_every_number_has_the_unit_that_people_read(name, value, unit, expected):
    """An acceleration error was in mm/s^2 in one command and in m/s^2 in another."""
    assert worded(name, value, unit) == expected


def test_scores_in_one_line():
    scores = {"loss": 0.5, "accel_error": 5.0, "action_macro_accuracy": 1.0}
    assert scores_line(scores) == "loss 0.5, accel_error 5.00 m/s^2, action_macro_accuracy 100.0 %"
