"""Actions over time: labels with scores, drawn as a strip below the pictures."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from motionrep.rendering.skeleton import person_color

_ROW_PX, _LINE_PX = 22, 10
_ROWS = 3
_TEXT, _FAINT = (60, 65, 75), (222, 225, 230)


class Label(NamedTuple):
    """A text that holds from `start_s` to `end_s`, seconds of the motion. `score` lies between 0 and 1, or is None."""

    start_s: float
    end_s: float
    text: str
    score: float | None = None


def checked_labels(labels: Iterable[tuple]) -> list[Label]:
    """Labels from tuples (start_s, end_s, text) or (start_s, end_s, text, score).

    Raises:
        ValueError: A tuple of another kind, an end that is not after the start, or a score outside 0 to 1.
    """
    checked = []
    for index, given in enumerate(labels):
        numbers = [*given[:2], *given[3:]]
        if not (
            3 <= len(given) <= 4 and isinstance(given[2], str) and all(isinstance(n, int | float) for n in numbers)
        ):
            raise ValueError(
                f"labels[{index}] must be (start_s, end_s, text) or (start_s, end_s, text, score): {given}"
            )
        start_s, end_s, text = given[:3]
        label = Label(start_s, end_s, " ".join(text.split()), given[3] if len(given) == 4 else None)
        if not (math.isfinite(label.start_s) and math.isfinite(label.end_s) and label.start_s < label.end_s):
            raise ValueError(f"labels[{index}] {label.text!r} must end after it starts, got {start_s} to {end_s} s")
        if label.score is not None and not 0 <= label.score <= 1:
            raise ValueError(f"labels[{index}] {label.text!r} has score {label.score}; scores are between 0 and 1")
        checked.append(label)
    return checked


def strip_height_px(labels: Sequence[Label], unit: float) -> int:
    """Height of `draw_labels`: a row for each label that holds at the same time, at most three, and the time line."""
    starts = [sum(other.start_s <= label.start_s < other.end_s for other in labels) for label in labels]
    return round((min(max(starts), _ROWS) * _ROW_PX + _LINE_PX) * unit)


def draw_labels(image: Image.Image, labels: Sequence[Label], time_s: float, end_s: float, unit: float) -> None:
    """Fills a strip with the labels that hold now, the highest score first, and a time line of all labels.

    Args:
        time_s: Now, in seconds since the motion began; the motion ends at `end_s`.
        unit: Size of text and bars; 1 means letters 13 pixels high.
    """
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(13 * unit)
    texts = list(dict.fromkeys(label.text for label in labels))
    color = {text: tuple(round(255 * part) for part in person_color(i)) for i, text in enumerate(texts)}
    margin = round(8 * unit)
    name_px = max(pen.textlength(text, font=font) for text in texts) + margin
    bar_left, bar_right = margin + name_px, image.width - margin - 40 * unit
    now = [label for label in labels if label.start_s <= time_s < label.end_s]
    now.sort(key=lambda label: -(label.score or 0))
    for row, label in enumerate(now[:_ROWS]):
        middle = (row + 0.5) * _ROW_PX * unit
        pen.text((margin, middle), label.text, fill=_TEXT, font=font, anchor="lm")
        if label.score is not None and bar_right > bar_left:
            box = (bar_left, middle - 5 * unit, bar_right, middle + 5 * unit)
            pen.rectangle(box, fill=_FAINT)
            filled = bar_left + (bar_right - bar_left) * label.score
            pen.rectangle((bar_left, box[1], filled, box[3]), fill=color[label.text])
            right = image.width - margin
            pen.text((right, middle), f"{label.score:.0%}", fill=_TEXT, font=font, anchor="rm")
    left, span = margin, image.width - 2 * margin
    top, bottom = image.height - 8 * unit, image.height - 4 * unit
    pen.rectangle((left, top, left + span, bottom), fill=_FAINT)
    for label in sorted(labels, key=lambda label: label.score or 0):
        ends = (left + span * min(max(at / end_s, 0), 1) for at in (label.start_s, label.end_s))
        start, end = ends
        pen.rectangle((start, top, end, bottom), fill=color[label.text])
    here = left + span * min(time_s / end_s, 1)
    pen.rectangle((here - unit, top - 3 * unit, here + unit, bottom + 3 * unit), fill=_TEXT)
