"""How an architecture stands in the checkpoints that its authors publish."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class PublishedFormat:
    """Names and shapes of the published weights of an architecture.

    Attributes:
        names: Pairs (regular expression of a name here, its replacement in files), applied one after the other.
        config: Reads from names and shapes what they tell of the configuration; KeyError if something is missing.
        pose_head: Builds the published pose head for a number of channels. In files its names begin with `head.`.
        first_layer: Name in files of the weights whose second axis is the input channels.
        mark: A name that only files of this architecture hold.
        untold: Options that published files have in common, but that other files of these names and shapes may not
            have, where the weights do not tell; each with what to give for it.
    """

    names: tuple[tuple[str, str], ...]
    config: Callable[[Mapping[str, Tensor]], Any]
    pose_head: Callable[[int], nn.Module]
    first_layer: str
    mark: str
    untold: Callable[[Mapping[str, Tensor]], Mapping[str, str]] = lambda _: {}

    def name_in_file(self, name: str) -> str:
        """What an entry of the encoder's state dict is called in files."""
        for pattern, replacement in self.names:
            name = re.sub(pattern, replacement, name)
        return name
