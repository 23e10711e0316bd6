"""Encoders that can be made to read a higher frame rate."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from motionrep.encoders.base import Shareable


class Refinable(Shareable):
    """An encoder whose windows can be made finer."""

    fps: float | None

    @torch.no_grad()
    def with_frame_rate(self, fps: float) -> "Refinable":
        """An encoder for windows as long in seconds, of more frames each: where to go on training from.

        Every frame becomes several, which take over its place in the window and whose neighbours are all frames that
        its neighbours became. A clip that shows every frame that often is encoded as before.

        Raises:
            ValueError: No frame rate is declared, or `fps` is no whole multiple of it.
        """
        if self.fps is None or fps < self.fps or fps % self.fps:
            known = (
                "declares no frame rate; build it with fps="
                if self.fps is None
                else f"reads {self.fps:g} frames per second; fps must be a multiple of that, such as {2 * self.fps:g}"
            )
            raise ValueError(f"encoder {self.name} {known}, got {fps:g}")
        times = int(fps / self.fps)
        finer = type(self)(**(self.config | self._finer_config(times) | {"fps": fps}))
        finer.load_state_dict(self._finer_weights(times))
        finer.to(next(self.parameters()))
        finer.name = self.name
        recipe = f"made to read {fps:g} frames per second, after this: {self.provenance.recipe}"
        finer.provenance = replace(self.provenance, metrics=(), recipe=recipe)
        finer.train(self.training)
        return finer

    def _finer_config(self, times: int) -> dict[str, Any]:
        return {"frames": times * self.frames}

    def _finer_weights(self, times: int) -> dict[str, Tensor]:
        """Those of the encoder that reads `times` frames for each."""
        raise NotImplementedError
