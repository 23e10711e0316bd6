"""Finds the 33 landmarks of the person in a region."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from motionrep.detection.blazepose.network import Network
from motionrep.detection.blazepose.regions import crops, region_of, to_picture
from motionrep.detection.blazepose.workers import Workers

LANDMARKS = 33
_SIZE = 256
_HEATMAP = 64
_WINDOW = 3  # cells to each side of a landmark that refine it
_SURE = 0.5
_TOGETHER = 16  # as many pictures as go through the network at once


@dataclass(frozen=True)
class Landmarks:
    """What was found in regions, on the CPU.

    Attributes:
        confidence: The network's visibility times its presence: the joint is in the picture, and nothing hides it.
        score: How sure the network is that a person is there at all, 0 to 1.
        region: The region that the landmarks imply.
    """

    xy_px: Float[Tensor, "regions 33 2"]
    confidence: Float[Tensor, "regions 33"]
    score: Float[Tensor, " regions"]
    region: Float[Tensor, "regions 4"]


class LandmarkFinder:
    def __init__(self, network: Network, workers: Workers) -> None:
        self.network, self.workers = network, workers

    def find(self, pictures: list[UInt8[Tensor, "height width 3"]], regions: list[Float[Tensor, "_ 4"]]) -> Landmarks:
        """Landmarks in regions of pictures, those of the first picture first.

        Args:
            regions: Of each picture; at least one in all.
        """
        places = [(picture, one) for picture, some in zip(pictures, regions, strict=True) for one in some]
        parts = self.workers.parts(self._run, places, _TOGETHER)
        place, logit, score = (torch.cat([part[i] for part in parts]) for i in range(3))
        region = torch.cat(regions)
        xy_px = to_picture(place, region)
        return Landmarks(
            xy_px[:, :LANDMARKS], logit[:, :LANDMARKS].sigmoid().prod(-1), score,
            region_of(xy_px[:, LANDMARKS], xy_px[:, LANDMARKS + 1]),
        )  # fmt: skip

    @torch.inference_mode()
    def _run(self, places: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
        """Places in the region from 0 to 1, logits of visibility and presence, and scores."""
        squares = torch.cat([crops(picture, region[None].to(picture.device), _SIZE) for picture, region in places])
        result = self.network(squares)
        values = result["landmarks"].reshape(len(squares), -1, 5)
        place = refined(values[..., :2] / _SIZE, result["heatmap_logit"].sigmoid())
        return place.cpu(), values[..., 3:].cpu(), result["score"][:, 0].cpu()


def refined(
    place: Float[Tensor, "regions points 2"], heatmap: Float[Tensor, "regions rows columns points"]
) -> Float[Tensor, "regions points 2"]:
    """Moves each point to the mean of the heatmap around it, where the heatmap is sure of it.

    Places go from 0 to 1. As in the source, a cell counts as the place of its corner, which is where the network's
    own places are too.
    """
    cells = torch.arange(_HEATMAP, device=place.device)
    cell = (place * _HEATMAP).trunc()
    inside = ((cell >= 0) & (cell < _HEATMAP)).all(-1)
    column, row = ((cells - cell[..., i : i + 1]).abs() <= _WINDOW for i in (0, 1))  # regions points cells
    near = (row[..., :, None] & column[..., None, :]) * heatmap.permute(0, 3, 1, 2)  # regions points rows columns
    total = near.sum((-2, -1))
    mean = torch.stack([(near.sum(-2) * cells).sum(-1), (near.sum(-1) * cells).sum(-1)], -1) / total[..., None]
    sure = inside & (near.amax((-2, -1)) >= _SURE)
    return torch.where(sure[..., None], mean / _HEATMAP, place)
