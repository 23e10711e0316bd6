"""Configurations of training: those of the repository are accepted, those that make no sense are not."""

import dataclasses

import pytest
import torch
import yaml
from paths import ROOT
from training_config import CONFIG

from motionrep.encoders import ENCODERS
from motionrep.head_api.loading import head_class
from motionrep.training.config import FinetuneConfig


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": "ktpformer-s"}, "give either 'encoder'"),
        ({"new_encoder": None}, "give either 'encoder'"),
        ({"tune": "frozen"}, "frozen needs a trained encoder"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"clips_per_epoch": 0}, "clips_per_epoch must be at least 1"),
        ({"validation_views": 0}, "validation_views must be at least 1"),
        ({"window": 0}, "window must be at least 1"),
        ({"batch_size": 9}, "clips_per_epoch 8 is less than batch_size 9"),
        ({"fps": 0.0}, "fps must be positive"),
        ({"head_lr": -1.0}, "head_lr must be a number that is not negative"),
        ({"encoder_lr": float("nan")}, "encoder_lr must be a number"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **changes)


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_of_the_repository_is_accepted(path):
    config = FinetuneConfig.from_dict(yaml.safe_load(path.read_text(encoding="utf-8")))
    if config.new_encoder is not None:
        options = {name: value for name, value in config.new_encoder.items() if name != "architecture"}
        with torch.device("meta"):
            encoder = ENCODERS[config.new_encoder["architecture"]](**options)
        labels = {} if config.classes == "none" else {"labels": ["walk", "jump"]}
        head_class(config.head)(channels=encoder.channels, **config.head_config, **labels)
