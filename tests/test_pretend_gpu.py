"""A GPU before one is seen: no tensor on the wrong device, and no more waiting than is said here."""


import pytest
import torch
from pretend_gpu import DEVICE, Pretence, PretendTensor, on_device
from small_encoders import build

from motionrep.embedding import batching
from motionrep.encoders import ENCODERS
from motionrep.head_api.loading import head_class
from motionrep.layouts import H36M_17

HEADS = {"mesh": {"hidden": 16}, "pose3d": {}, "action": {"labels": ["walk", "jump"]}}


def test_the_pretence_notes_mixing_and_waiting():
    there, here = on_device(torch.ones(3)), torch.ones(3)
    with Pretence() as gpu:
        assert (there + there).device == DEVICE
        assert isinstance(there + 1, PretendTensor)
        assert not gpu.mixed
        assert not gpu.waits
        there + here
        assert sum(gpu.mixed.values()) == 1
        assert float(there.sum()) == 3
        there[there > 0]
        there.cpu()
    assert [reason.partition(" at ")[0] for reason in gpu.waits] == ["a number", "a mask", "a copy"]


@pytest.mark.parametrize("architecture", sorted(ENCODERS))
def test_an_encoder_never_waits(architecture):
    encoder = on_device(build(architecture))
    keypoints = on_device(torch.rand(2, 9, H36M_17.joint_count, 3))
    with Pretence() as gpu, torch.no_grad():
        values = encoder(keypoints)
    assert isinstance(values, PretendTensor)
    assert not gpu.mixed
    assert not gpu.waits


@pytest.mark.parametrize("name", sorted(HEADS))
def test_a_training_step_of_a_head_never_waits(name):
    encoder, head = on_device(build("ktpformer")), on_device(head_class(name)(channels=32, **HEADS[name]))
    with Pretence() as gpu:
        keypoints, valid = (on_device(it) for it in (torch.rand(2, 9, 17, 3), torch.ones(2, 9, dtype=torch.bool)))
        output = head(encoder(keypoints), valid)
        sum(value.square().mean() for value in output.values()).backward()
    assert all(isinstance(value, PretendTensor) for value in output.values())
    assert not gpu.mixed
    assert not gpu.waits


def test_encoding_copies_each_batch_once():
    """Two windows fill a batch; what comes out stays on the device."""
    encoder = on_device(build("ktpformer"))
    clips = [batching.ClipInput(i, torch.rand(1, 9, 17, 3), 30.0) for i in range(4)]
    with Pretence() as gpu:
        found = list(batching.encode_clips(clips, encoder, batch_size=2, device=DEVICE))
    assert all(isinstance(stretch.values, PretendTensor) for stretch in found)
    assert not gpu.mixed
    assert sum(gpu.waits.values()) <= 2 + 4  # two batches, and the weights of four clips
