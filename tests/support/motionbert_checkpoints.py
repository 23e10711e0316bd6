"""Fine-tuned models of MotionBERT in files as its scripts save them, and clips for them."""

import torch

from motionrep.encoders import DSTformer
from motionrep.layouts import H36M_17
from motionrep.types import Keypoints

CHANNELS, FRAMES = 16, 9


def checkpoint(path, head):
    """`model` of a DataParallel model with `backbone` and `head`, next to the state of the training."""
    torch.manual_seed(1)
    backbone = DSTformer(frames=FRAMES, channels=CHANNELS, inner_channels=32, depth=1)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    names = {f"module.backbone.{DSTformer.published.name_in_file(n)}": t for n, t in backbone.state_dict().items()}
    names |= {f"module.backbone.head.{n}": t for n, t in torch.nn.Linear(CHANNELS, 3).state_dict().items()}
    names |= {f"module.head.{n}": t for n, t in head.state_dict().items()}
    torch.save({"epoch": 1, "lr": 0.1, "model": names}, path)
    return path


def clip(seed=0, frames=FRAMES):
    xy_px = 200 + 400 * torch.rand(frames, 17, 2, generator=torch.Generator().manual_seed(seed))
    return Keypoints(xy_px, torch.ones(frames, 17), H36M_17, 30.0, 1000, 1000)
