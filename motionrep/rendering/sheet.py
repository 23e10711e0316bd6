"""Pictures side by side with titles, and the strips below them: a legend, the scale of errors, labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from motionrep.rendering.error_colors import error_color
from motionrep.rendering.labels import Label, draw_labels, strip_height_px
from motionrep.rendering.skeleton import Color

_TITLE_PX, _GAP_PX = 24, 2
_INK = (90, 95, 105)
_SCALE_PX = (160, 10)
_BIG_PX = 600  # higher pictures have larger letters

Strip = tuple[int, Callable[[Image.Image, float], None]]


@dataclass(frozen=True)
class Sheet:
    """How panels of one size are put together.

    `strips` stand below the titles. Each is a height in pixels, and a function that draws it at a time in seconds.
    """

    panel_px: tuple[int, int]
    titles: bool
    strips: Sequence[Strip]
    transparent: bool

    def row(self, panels: Sequence[tuple[str, np.ndarray]]) -> UInt8[np.ndarray, "height width channels"]:
        """Panels, given as title and picture, side by side with their titles below, and empty room for the strips."""
        width, height = self.panel_px
        below_px = self._title_px + sum(strip_px for strip_px, _ in self.strips)
        size = ((width + _GAP_PX) * len(panels) - _GAP_PX, height + below_px)
        image = Image.new("RGBA", size) if self.transparent else Image.new("RGB", size, (255, 255, 255))
        pen, font = ImageDraw.Draw(image), ImageFont.load_default(13 * letter_unit(height))
        for index, (title, picture) in enumerate(panels):
            left = index * (width + _GAP_PX)
            image.paste(Image.fromarray(picture), (left, 0))
            if self.titles:
                pen.text((left + width / 2, height + self._title_px / 2), title, fill=_INK, font=font, anchor="mm")
        return np.array(image)

    def with_strips(
        self, row: UInt8[np.ndarray, "height width channels"], time_s: float
    ) -> UInt8[np.ndarray, "height width channels"]:
        """The row with its strips as they are at a time in seconds."""
        if not self.strips:
            return row
        row, top = row.copy(), self.panel_px[1] + self._title_px
        for strip_px, fill in self.strips:
            strip = Image.fromarray(np.ascontiguousarray(row[top : top + strip_px]))
            fill(strip, time_s)
            row[top : top + strip_px] = np.asarray(strip)
            top += strip_px
        return row

    @property
    def _title_px(self) -> int:
        return round(_TITLE_PX * letter_unit(self.panel_px[1])) if self.titles else 0


def letter_unit(height_px: int) -> float:
    """Size of letters and lines for panels of a height; 1 means letters 13 pixels high."""
    return max(1.0, height_px / _BIG_PX)


def legend(names: Sequence[str], colors: Sequence[Color], unit: float) -> Strip:
    """Names beside their colours, in one line."""

    def fill(image: Image.Image, time_s: float) -> None:
        pen, font = ImageDraw.Draw(image), ImageFont.load_default(13 * unit)
        widths = [pen.textlength(name, font=font) + 34 * unit for name in names]
        left, middle = (image.width - sum(widths)) / 2, image.height / 2
        for name, color, width in zip(names, colors, widths, strict=True):
            box = (left, middle - 5 * unit, left + 12 * unit, middle + 5 * unit)
            pen.rectangle(box, fill=tuple(round(255 * part) for part in color))
            pen.text((left + 18 * unit, middle), name, fill=_INK, font=font, anchor="lm")
            left += width

    return round(_TITLE_PX * unit), fill


def error_scale(top_mm: float, unit: float) -> Strip:
    """The colour bar of the errors, from 0 to `top_mm`."""
    width, height = (round(part * unit) for part in _SCALE_PX)
    ramp = error_color(torch.linspace(0, top_mm, width), top_mm)
    bar = Image.fromarray((ramp * 255).round().byte().expand(height, width, 3).numpy())

    def fill(image: Image.Image, time_s: float) -> None:
        pen, font = ImageDraw.Draw(image), ImageFont.load_default(13 * unit)
        left, middle = (image.width - width) // 2, image.height // 2
        image.paste(bar, (left, middle - height // 2))
        pen.text((left - 6 * unit, middle), "error 0", fill=_INK, font=font, anchor="rm")
        pen.text((left + width + 6 * unit, middle), f"{top_mm:g} mm", fill=_INK, font=font, anchor="lm")

    return round(_TITLE_PX * unit), fill


def label_strip(labels: Sequence[Label], end_s: float, unit: float) -> Strip:
    """The labels that hold at a time, and a time line (`labels.draw_labels`)."""

    def fill(image: Image.Image, time_s: float) -> None:
        draw_labels(image, labels, time_s, end_s, unit)

    return strip_height_px(labels, unit), fill
