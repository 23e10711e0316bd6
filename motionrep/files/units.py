"""The units of scores, and scores as people read them."""

from collections.abc import Mapping

# Accuracies without a unit are shares from 0 to 1.
UNITS = {"mpjpe": "mm", "pa_mpjpe": "mm", "pve": "mm", "accel_error": "m/s^2", "up_error": "deg"}
_SHARES = ("top1", "top5", "macro_accuracy", "contact_precision", "contact_recall")


def readable(name: str, value: float, unit: str = "") -> tuple[float, str]:
    """A score in the unit that people read: accelerations in m/s^2, accuracies in %.

    Args:
        name: Of the metric, which may have the name of a head before it.
        unit: Unit of the value; "" takes the metric's usual one, if it has one.
    """
    unit = unit or next((UNITS[metric] for metric in UNITS if _is(name, metric)), "")
    if unit == "mm/s^2":  # results of motionrep 0.1.0
        return value / 1000, "m/s^2"
    if not unit and any(_is(name, metric) for metric in _SHARES):
        return 100 * value, "%"
    return value, unit


def worded(name: str, value: float, unit: str = "") -> str:
    """The same in words, rounded, as in "42.0 mm"."""
    value, unit = readable(name, value, unit)
    digits = f"{value:.4g}" if not unit else f"{value:.1f}" if unit in ("mm", "%", "deg") else f"{value:.2f}"
    return f"{digits} {unit}".rstrip()


def scores_line(scores: Mapping[str, float]) -> str:
    """Scores with the library's own units, in one line."""
    return ", ".join(f"{name} {worded(name, value)}" for name, value in scores.items())


def today(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores that motionrep 0.1.0 kept, which had accelerations in mm/s^2, in today's units."""
    return {name: value / 1000 if _is(name, "accel_error") else value for name, value in scores.items()}


def _is(name: str, metric: str) -> bool:
    """Whether this is the metric, or that of a head that comes before it as in "pose3d_mpjpe"."""
    return name == metric or name.endswith(f"_{metric}")
