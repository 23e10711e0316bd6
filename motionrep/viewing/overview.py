"""The camera in front that sees a whole row of motions, in a window of any shape."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from motionrep.viewing.arrangement import PlacedMotion

FIELD_OF_VIEW_RAD = 0.7  # from the top of the window to its bottom
_MARGIN = 1.15
_RISE = 0.12  # the camera's height above the middle, per metre of distance

Place = tuple[float, float, float]

# Runs before the page's program, which takes the camera from its address if that says one.
_SCRIPT = """<script>
{{
  const distance = {front:.4f} + Math.max({tall:.4f}, {wide:.4f} * innerHeight / innerWidth);
  const place = [{x:.4f}, {y:.4f} + {rise} * distance, distance].join();
  const get = URLSearchParams.prototype.get;
  URLSearchParams.prototype.get = function (name) {{
    return get.call(this, name) ?? (name === "initialCameraPosition" ? place : null);
  }};
}}
</script>"""


@dataclass(frozen=True)
class Overview:
    """Where the camera stands for a window of a shape.

    Attributes:
        middle_m: Middle of the row; y is half its height.
        front_m: How far the row reaches to the front.
        tall_m: Distance from the front at which the row's height fills a window.
        wide_m: Distance from the front at which its width fills a window as wide as high.
    """

    middle_m: Place
    front_m: float
    tall_m: float
    wide_m: float

    def camera(self, aspect: float, free: float = 1.0) -> tuple[Place, Place]:
        """Position and target.

        Args:
            aspect: Width of the window over its height.
            free: Share of the window, from the top, that nothing covers; the row is in the middle of that part.
        """
        distance_m = self.front_m + max(self.tall_m / free, self.wide_m / aspect)
        x, y, z = self.middle_m
        lower_m = (1 - free) * math.tan(FIELD_OF_VIEW_RAD / 2) * distance_m
        return (x, y + _RISE * distance_m, distance_m), (x, y - lower_m, z)

    def script(self) -> str:
        """HTML for the head of a saved page: puts the camera where `camera` does for the window the page opens in."""
        x, y, _ = self.middle_m
        return _SCRIPT.format(front=self.front_m, tall=self.tall_m, wide=self.wide_m, x=x, y=y, rise=_RISE)


def overview(placed: Sequence[PlacedMotion]) -> Overview:
    """The camera in front that sees the whole row."""
    panels = [one.panel for one in placed if one.panel is not None]
    left = min([*(float(one.low_m[0]) for one in placed), *(float(panel.origin_m[0]) for panel in panels)])
    right = max([
        *(float(one.high_m[0]) for one in placed), *(float(panel.origin_m[0]) + panel.size_m[0] for panel in panels)
    ])  # fmt: skip
    top = max([*(float(one.high_m[1]) for one in placed), *(float(panel.origin_m[1]) for panel in panels)])
    front = max(float(one.high_m[2]) for one in placed)
    per_m = _MARGIN / 2 / math.tan(FIELD_OF_VIEW_RAD / 2)
    return Overview(((left + right) / 2, top / 2, 0.0), front, per_m * top, per_m * (right - left))
