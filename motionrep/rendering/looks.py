"""What the options of rendering can be; without torch, so that the command line knows it at once."""

from typing import Literal

View = Literal["video", "keypoints", "overlay", "camera", "side", "turntable"]
Arrange = Literal["together", "apart"]
Show = Literal["surface", "skeleton"]
Background = Literal["studio", "white", "transparent"]
