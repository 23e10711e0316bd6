"""A head that predicts how high the hands are above the pelvis, in metres."""

import torch
from torch import nn

from motionrep.head_api.contract import representation_of, require_same_encoder
from motionrep.layouts import H36M_17

WRISTS = [H36M_17.index("left_wrist"), H36M_17.index("right_wrist")]


class HandHeightHead(nn.Module):
    """Output `height_m` (batch frames 2): left and right wrist, upwards in the picture."""

    trained_on = None

    def __init__(self, channels, hidden=64):
        super().__init__()
        self.config = {"channels": channels, "hidden": hidden}  # what rebuilds the head
        self.height = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, 1)
        )

    def forward(self, representation, valid):  # batch frames joints channels, batch frames
        return {"height_m": self.height(representation[:, :, WRISTS])[..., 0]}

    def loss(self, output, batch):  # named terms; motionrep/datasets/synthetic/clips.py lists what a batch has
        error_m = (output["height_m"] + batch["position_m"][:, :, WRISTS, 1]).abs()  # y points down
        return {"height": error_m[batch["valid"]].mean()}

    @torch.no_grad()
    def predict(self, embedding):  # of one clip: frames x 2
        require_same_encoder(self, embedding)
        return self(*representation_of(embedding))["height_m"][0]
