"""A GPU before one is seen: no tensor on the wrong device, and no more waiting than is said here."""

import dataclasses

import lightning
import pytest
import torch
from lightning.pytorch.accelerators import Accelerator
from lightning.pytorch.strategies import SingleDeviceStrategy
from pretend_gpu import DEVICE, Pretence, PretendTensor, on_device
from scenes import scene_named
from small_encoders import build
from training_config import CONFIG

from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.motion_folders import MotionClip
from motionrep.datasets.synthetic.clips import EveryWindow, RandomWindows, SynthesizedClips
from motionrep.deployment.stream import Stream
from motionrep.embedding import batching, embed
from motionrep.encoders import ENCODERS
from motionrep.fitting.keypoints import refine, reprojection_error_px
from motionrep.geometry.cameras import PinholeCamera, project
from motionrep.head_api.loading import head_class
from motionrep.layouts import H36M_17
from motionrep.pipeline.recovery import Recoverer
from motionrep.rendering.backdrop import make_backdrop
from motionrep.rendering.raster import rasterize
from motionrep.rendering.scene import draw
from motionrep.rendering.skeleton import stick_figure_vertices
from motionrep.rendering.soft import silhouette
from motionrep.training.module import TrainingModule
from motionrep.training.sample_loading import sample_loader
from motionrep.types import BodyMotion, Keypoints, MotionEmbedding

HEADS = {"mesh": {"hidden": 16}, "pose3d": {}, "action": {"labels": ["walk", "jump"]}}
CAMERA = PinholeCamera.from_hfov(64, 48)


def _head(name):
    return on_device(head_class(name)(channels=32, **HEADS[name])).eval()


def _clip(frames):
    generator = torch.Generator().manual_seed(0)
    xy_px = 20 + 20 * torch.rand(frames, 17, 2, generator=generator)
    return Keypoints(xy_px, torch.ones(frames, 17), H36M_17, 30.0, 64, 48)


def _embedding(frames):
    clip = _clip(frames)
    there = dataclasses.replace(clip, xy_px=on_device(clip.xy_px), confidence=on_device(clip.confidence))
    return MotionEmbedding(on_device(torch.rand(frames, 17, 32)), there, "ktpformer")


def _motion(frames):
    still, place_m = torch.eye(3).repeat(frames, 24, 1, 1), torch.tensor([0.0, 0, 4]).repeat(frames, 1)
    return BodyMotion(on_device(still), on_device(place_m), on_device(torch.zeros(10)), "open", 30.0, "camera")


def _recovered(frames):
    recoverer = Recoverer(
        on_device(build("ktpformer")),
        {"mesh": _head("mesh"), "action": _head("action")},
        CAMERA,
        flip=True,
        device=DEVICE,
    )
    return lambda: recoverer.of_embeddings(_clip(frames), [_embedding(frames)] * 2)


def _square():
    return on_device(torch.tensor([[[-1.0, -1, 4], [1, -1, 4], [1, 1, 4], [-1, 1, 4]]])), on_device(_FACES)


_FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])
# What is done with a clip of so many frames, and how often the CPU may wait for it, however long the clip is. Checks of
# values make it wait, and so does a result that goes to the CPU; no loop does.
TASKS = {
    "mesh": (lambda frames: lambda: _head("mesh").predict(_embedding(frames)), 20),
    "pose in the camera": (lambda frames: lambda: _head("pose3d").predict(_embedding(frames), "camera", CAMERA), 15),
    "action over time": (lambda frames: lambda: _head("action").predict_over_time(_embedding(frames)), 10),
    "all heads, flipped": (_recovered, 70),
    "refinement": (lambda frames: lambda: refine(_motion(frames), _clip(frames), CAMERA), 80),
    "distance from keypoints": (
        lambda frames: lambda: reprojection_error_px(_motion(frames), _clip(frames), CAMERA),
        60,
    ),
    "surface": (lambda frames: lambda: _motion(frames).mesh(), 50),
    "stick figure": (lambda frames: lambda: stick_figure_vertices(on_device(torch.rand(frames, 17, 3)), H36M_17), 2),
    "projection": (lambda frames: lambda: project(on_device(torch.rand(frames, 17, 3) + 1), CAMERA), 0),
    "rasteriser": (lambda frames: lambda: rasterize(*_square(), 64, 48, "show"), 3),
    "soft rasteriser": (lambda frames: lambda: silhouette(*_square(), CAMERA), 15),
}  # fmt: skip


@pytest.mark.parametrize(
    "task", [pytest.param(task, marks=[pytest.mark.slow] if task == "refinement" else []) for task in TASKS]
)
def test_nothing_is_on_the_wrong_device_and_no_loop_waits(task):
    """Refinement mixed devices once, and waited 1,052 times for 20 frames."""
    waits = []
    for frames in (12, 20):
        with Pretence() as gpu:
            TASKS[task][0](frames)()
        assert not gpu.mixed
        waits.append(gpu.waits)
    assert sum(waits[0].values()) <= TASKS[task][1], waits[0]
    assert sum(waits[1].values()) <= sum(waits[0].values()) + 2, waits[1] - waits[0]


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


def test_embedding_waits_once_for_each_batch_and_for_what_it_gives():
    encoder = on_device(build("ktpformer"))
    with Pretence() as gpu:
        embedding = embed(_clip(45), encoder, batch_size=4, device=DEVICE)
    assert not isinstance(embedding.values, PretendTensor)
    assert not gpu.mixed
    assert sum(gpu.waits.values()) <= 1 + 2 * 3  # the weights, and each of three batches there and back


@pytest.mark.parametrize("scene", ["bodies", "near", "boxes"])
def test_a_picture_of_a_scene_is_drawn_on_the_device(scene):
    """Its windows of the image are numbers that the CPU waits for; its size and its bodies change nothing."""
    surfaces, behind = scene_named(scene)
    there = [dataclasses.replace(it, **{name: on_device(value) for name, value in vars(it).items()}) for it in surfaces]
    floor_m = torch.zeros(3)
    with Pretence() as gpu:
        backdrop = make_backdrop(behind.camera, floor_m, DEVICE, "transparent" if behind.color is None else "studio")
        first = dict(gpu.waits)
        picture = draw(there, backdrop)
    assert isinstance(picture, PretendTensor)
    assert not gpu.mixed
    assert sum(first.values()) <= 15, first
    assert sum(gpu.waits.values()) - sum(first.values()) <= 40, gpu.waits


def test_a_stream_waits_as_often_for_every_frame():
    """There and back for its window, whatever came before."""
    stream = Stream(on_device(build("ktpformer")), fps=30, size_px=(64, 48), layout=H36M_17, device=DEVICE)
    clip, waits = _clip(30), []
    for xy_px in clip.xy_px:
        with Pretence() as gpu:
            assert stream.push(xy_px) is not None
        assert not gpu.mixed
        waits.append(sum(gpu.waits.values()))
    assert max(waits) <= 2, gpu.waits


class _PretendAccelerator(Accelerator):
    """What Lightning asks of the device that it trains on."""

    setup_device = teardown = lambda self, *_: None
    get_device_stats = lambda self, device: {}  # noqa: E731
    parse_devices = staticmethod(lambda devices: devices)
    get_parallel_devices = staticmethod(lambda devices: [DEVICE])
    auto_device_count = staticmethod(lambda: 1)
    is_available = staticmethod(lambda: True)
    name = staticmethod(lambda: "pretend")


def _trained(steps, optimizer):
    """The device after a training of so many steps and its validation, by Lightning as `training.run` does it."""
    motion = authored_motion("walk", seconds=1.5)
    usable = torch.ones(motion.frame_count, dtype=torch.bool)
    clips = [MotionClip("walk", motion, usable, "walk", "train", True, "")]
    train_set, val_set = (
        SynthesizedClips(clips, 9, 9, windows=windows, labels=("walk",))
        for windows in (RandomWindows(4 * steps), EveryWindow())
    )
    heads = {"mesh": {"hidden": 16}, "pose3d": {}, "action": {"labels": ["walk"]}}
    config = dataclasses.replace(CONFIG, optimizer=optimizer, head="mesh", classes="core")
    module = TrainingModule(
        on_device(build("ktpformer")),
        {name: on_device(head_class(name)(channels=32, **options)) for name, options in heads.items()},
        config, 30.0, steps,
    )  # fmt: skip
    strategy = SingleDeviceStrategy(DEVICE, _PretendAccelerator())
    trainer = lightning.Trainer(
        strategy=strategy, max_epochs=1, num_sanity_val_steps=0, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    keys = [(0, index) for index in range(4 * steps)]
    with Pretence() as gpu:
        trainer.fit(module, sample_loader(train_set, 4, keys, 0), sample_loader(val_set, 4, keys[: len(val_set)], 0))
    assert trainer.global_step == steps * len(config_optimizers(module))
    return gpu


def config_optimizers(module):
    found = module.optimizers()
    return found if isinstance(found, list) else [found]


# A step copies the eleven tensors of its batch, which does not wait where their memory is pinned.
COPIES_OF_A_BATCH = 11


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_training_step_waits_for_its_batch_alone(optimizer):
    few, many = (_trained(steps, optimizer) for steps in (2, 4))
    assert not many.mixed
    of_a_step = (sum(many.waits.values()) - sum(few.waits.values())) / 2
    assert of_a_step <= COPIES_OF_A_BATCH, many.waits - few.waits
