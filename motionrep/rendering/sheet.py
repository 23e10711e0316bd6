"""A row of pictures with titles, and what stands below it: whose colour is whose, the scale of errors, labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from motionrep.rendering.drawables import Color
from motionrep.rendering.error_colors import error_color
from motionrep.rendering.labels import Label, draw_labels, strip_height_px

_TITLE_PX, _GAP_PX = 24, 2
_INK = (90, 95, 105)
_SCALE_PX = (160, 10)
_BIG_PX = 600  # pictures higher than this have larger letters

Strip = tuple[int, Callable[[Image.Image, float], None]]


@dataclass(frozen=True)
class Sheet:
    """How panels of one size are put together.

    `strips` stand below the titles: the height of each, and what draws it at a time in seconds.
    """

    panel_px: tuple[int, int]
    titles: bool
    strips: Sequence[Strip]
    transparent: bool

    def row(self, panels: Sequence[tuple[str, np.ndarray]]) -> UInt8[np.ndarray, "height width channels"]:
        """Panels side by side, each with its title below, and room for the strips."""
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
        """The row with its strips as they are at a time."""
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
    """Size of letters and lines for panels of a height; 1 is 13 pixels high letters."""
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
    """The labels that hold at a time, and a line of time; see `labels.draw_labels`."""

    def fill(image: Image.Image, time_s: float) -> None:
        draw_labels(image, labels, time_s, end_s, unit)

    return strip_height_px(labels, unit), fill
