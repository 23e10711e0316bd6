"""Live use: what a stream gives is what the offline functions give for the same windows."""

import copy
import dataclasses

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_encoders import build

from motionrep.deployment.latency import embed_with_latency
from motionrep.deployment.stream import Stream
from motionrep.embedding.encoding import embed
from motionrep.encoders import ENCODERS, load_encoder
from motionrep.geometry.cameras import PinholeCamera
from motionrep.head_api.loading import head_class, load_head
from motionrep.layouts import COCO_17, H36M_17, HALPE_26
from motionrep.types import BodyMotion, JointMotion, Keypoints


def _clip(frames, fps=30.0, layout=COCO_17, seed=0):
    """Somebody who moves, is out of sight for two frames and whose joints are hidden now and then."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randn(frames, layout.joint_count, 2, generator=generator) * 5
    xy_px = 300 + 200 * torch.rand(layout.joint_count, 2, generator=generator) + steps.cumsum(0)
    confidence = torch.rand(frames, layout.joint_count, generator=generator) * 0.9 + 0.1
    confidence[torch.rand(confidence.shape, generator=generator) < 0.1] = 0
    confidence[4:6] = 0
    return Keypoints(xy_px, confidence, layout, fps, 1280, 720)


def _encoder(architecture="ktpformer", **changes):
    return build(architecture, **({"frames": 5, "channels": 16, "depth": 1, "heads": 2} | changes))


def _head(name, seed=0):
    torch.manual_seed(seed)
    head = head_class(name)(channels=16, **({"labels": ["walk", "jump"]} if name == "action" else {}))
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return head.eval()


def _stream(clip, encoder, head=None, **options):
    size_px = (clip.width_px, clip.height_px)
    return Stream(encoder, head, fps=clip.fps, size_px=size_px, layout=clip.layout, **options)


def _run(stream, clip):
    """All results, and how many of them came before the end."""
    results = [stream.push(xy, confidence) for xy, confidence in zip(clip.xy_px, clip.confidence, strict=True)]
    live = [result for result in results if result is not None]
    return live + stream.flush(), len(live)


def _values(results):
    return torch.cat([result.embedding.values for result in results])


@pytest.mark.parametrize("latency_frames", [0, 1, 3, 4])
@pytest.mark.parametrize("input_channels", [2, 3])
@pytest.mark.parametrize("architecture", sorted(ENCODERS))
def test_a_stream_gives_what_the_whole_clip_gives(architecture, input_channels, latency_frames):
    clip, encoder = _clip(12), _encoder(architecture, input_channels=input_channels)
    results, live = _run(_stream(clip, encoder, latency_frames=latency_frames), clip)
    offline = embed_with_latency(clip, encoder, latency_frames, batch_size=1)
    assert [result.frame for result in results] == list(range(12))
    assert live == 12 - latency_frames
    assert torch.equal(_values(results), offline.values)
    # MotionAGFormer takes the most similar frames: a last digit, which the size of a batch decides on some processors,
    # can put another one among them.
    tolerance = {"atol": 1e-2, "rtol": 0} if architecture == "motionagformer" else {}
    torch.testing.assert_close(embed_with_latency(clip, encoder, latency_frames).values, offline.values, **tolerance)


@pytest.mark.parametrize("normalisation", ["width", "crop"])
def test_every_frame_is_embedded_as_in_the_clip_that_is_its_window(normalisation):
    """Nothing outside a window can matter: not to normalisation, not to where unseen joints are put."""
    torch.manual_seed(0)
    clip = _clip(12)
    encoder = _encoder("dstformer", input_channels=2, normalisation=normalisation).eval()
    results, _ = _run(_stream(clip, encoder, latency_frames=1), clip)
    for frame, result in enumerate(results):
        end = min(frame + 1, 11)
        window = slice(max(0, end - 4), end + 1)
        part = dataclasses.replace(clip, xy_px=clip.xy_px[window], confidence=clip.confidence[window])
        expected = embed(part, encoder).values[frame - window.start]
        torch.testing.assert_close(result.embedding.values[0], expected, atol=1e-6, rtol=0)


@pytest.mark.slow
@given(
    frames=st.integers(1, 24),
    fps=st.sampled_from([5.0, 7.5, 15.0, 30.0, 45.0, 60.0]),
    latency=st.integers(0, 16),
    stride=st.integers(1, 5),
    fixed=st.booleans(),
    seed=st.integers(0, 3),
)
@settings(max_examples=25)
def test_any_rate_length_latency_and_stride(frames, fps, latency, stride, fixed, seed):
    clip = dataclasses.replace(_clip(max(frames, 6), fps, HALPE_26, seed))
    clip = dataclasses.replace(clip, xy_px=clip.xy_px[:frames], confidence=clip.confidence[:frames])
    encoder = _encoder("ktpformer" if fixed else "dstformer", fps=15.0)
    latency = min(latency, 4 * int(fps / 15)) if fps >= 15 else min(latency, int(4 * fps / 15))
    stream = _stream(clip, encoder, latency_frames=latency, stride=stride)
    results, live = _run(stream, clip)
    assert 0 <= latency - stream.latency_frames < max(fps / 15, 1)
    assert [result.frame for result in results] == list(range(0, frames, stride))
    assert live == len(range(0, max(0, frames - stream.latency_frames), stride))
    offline = embed_with_latency(clip, encoder, latency)
    torch.testing.assert_close(_values(results), offline.values[::stride], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("fps", "frames"), [(5.0, 2), (7.5, 3), (15.0, 5), (30.0, 10), (45.0, 15), (60.0, 20)])
def test_with_all_frames_to_come_in_the_window_it_is_embed(fps, frames):
    """A clip as long as the window, at the largest latency: windows and moving average are those of `embed`."""
    clip, encoder = _clip(frames, fps), _encoder(fps=15.0)
    values = embed_with_latency(clip, encoder, 4 * frames // 5 + frames // 10).values
    torch.testing.assert_close(values, embed(clip, encoder).values, atol=1e-5, rtol=0)


def test_what_comes_after_the_latency_cannot_matter():
    clip, encoder = _clip(30), _encoder(fps=15.0)
    later = dataclasses.replace(clip, xy_px=clip.xy_px.clone())
    later.xy_px[20:] += 100
    for latency in (0, 1, 3, 5):
        a, b = (embed_with_latency(one, encoder, latency).values for one in (clip, later))
        assert torch.equal(a[: 20 - latency], b[: 20 - latency])
        assert not torch.allclose(a[20 - latency], b[20 - latency])


@pytest.mark.parametrize(("name", "kind"), [("pose3d", JointMotion), ("mesh", BodyMotion)])
@pytest.mark.parametrize(("latency", "fps"), [(0, 30.0), (3, 30.0), (4, 15.0)])
def test_poses_are_those_of_the_head_on_the_whole_clip(name, kind, latency, fps):
    clip, encoder, head = _clip(16, fps), _encoder(fps=15.0), _head(name)
    results, _ = _run(_stream(clip, encoder, head, latency_frames=latency), clip)
    expected = head.predict(embed_with_latency(clip, encoder, latency))
    assert all(type(result.prediction) is kind and result.prediction.frame_count == 1 for result in results)
    assert {(result.prediction.fps, result.prediction.frame) for result in results} == {(fps, expected.frame)}
    field = "position_m" if name == "pose3d" else "local_rotmat"
    streamed = torch.cat([getattr(result.prediction, field) for result in results])
    # One window at a time rounds otherwise than all in one batch, and random heads give rotations near singularities.
    torch.testing.assert_close(streamed, getattr(expected, field), atol=5e-5, rtol=0)


def test_the_shape_of_a_body_is_the_mean_of_all_estimates_and_the_body_is_placed_with_it():
    clip, encoder, head = _clip(16), _encoder(), _head("mesh")
    results, _ = _run(_stream(clip, encoder, head), clip)
    estimates = []
    for frame, result in enumerate(results):
        window = slice(max(0, frame - 4), frame + 1)
        part = dataclasses.replace(clip, xy_px=clip.xy_px[window], confidence=clip.confidence[window])
        embedding = embed(part, encoder)
        estimates.append(head.predict(embedding).betas)
        mean = torch.stack(estimates).mean(0)
        expected = head.predict(embedding, betas=mean)
        torch.testing.assert_close(result.prediction.betas, mean, atol=1e-5, rtol=0)
        torch.testing.assert_close(result.prediction.translation_m[0], expected.translation_m[-1], atol=1e-3, rtol=1e-3)
    assert not torch.allclose(estimates[3], estimates[12], atol=1e-3)


def test_the_camera_reaches_the_head():
    clip, encoder, head = _clip(3), _encoder(), _head("mesh")
    camera = PinholeCamera.from_hfov(1280, 720, 90.0)
    result = _stream(clip, encoder, head, camera=camera).push(clip.xy_px[0])
    expected = head.predict(embed(result.embedding.keypoints, encoder), camera)
    torch.testing.assert_close(result.prediction.translation_m, expected.translation_m, atol=1e-3, rtol=1e-3)


def test_a_head_without_frames_says_what_it_says_of_the_window():
    clip, encoder, head = _clip(8), _encoder(), _head("action")
    results, _ = _run(_stream(clip, encoder, head, latency_frames=2), clip)
    part = dataclasses.replace(clip, xy_px=clip.xy_px[1:6], confidence=clip.confidence[1:6])
    expected = head.predict(embed(part, encoder))
    assert results[3].prediction.labels == expected.labels
    torch.testing.assert_close(results[3].prediction.logit, expected.logit, atol=1e-5, rtol=0)


def test_a_frame_with_nobody_keeps_its_place():
    clip, encoder, head = _clip(12), _encoder(), _head("mesh")
    confidence = clip.confidence.clone()
    confidence[3:9] = 0
    empty = dataclasses.replace(clip, confidence=confidence)
    stream, results = _stream(clip, encoder, head), []
    for frame in range(12):
        seen = bool(confidence[frame].any())
        results.append(stream.push(clip.xy_px[frame], confidence[frame]) if seen else stream.push(None))
    torch.testing.assert_close(_values(results), embed_with_latency(empty, encoder).values)
    assert [result.prediction is None for result in results] == [frame in (7, 8) for frame in range(12)]
    assert not results[5].embedding.keypoints.confidence.any()
    assert results[5].prediction.frame_count == 1


def test_flush_begins_anew():
    clip, encoder, head = _clip(9), _encoder(), _head("mesh")
    stream = _stream(clip, encoder, head, latency_frames=2)
    (first, _), (second, _) = _run(stream, clip), _run(stream, clip)
    assert torch.equal(_values(first), _values(second))
    assert torch.equal(first[-1].prediction.betas, second[-1].prediction.betas)
    assert [result.frame for result in second] == list(range(9))
    assert stream.flush() == []


def test_arrays_of_a_detector_are_read_and_confidence_may_be_left_out():
    clip, encoder = _clip(3), _encoder()
    for kind in (np.float32, np.float64):
        arrays, tensors = _stream(clip, encoder), _stream(clip, encoder)
        for xy in clip.xy_px:
            a, b = arrays.push(xy.numpy().astype(kind)), tensors.push(xy, torch.ones(17))
            assert torch.equal(a.embedding.values, b.embedding.values)


def test_a_refused_frame_is_not_counted():
    clip, encoder = _clip(3), _encoder()
    stream = _stream(clip, encoder)
    stream.push(clip.xy_px[0])
    for bad, message in ((torch.zeros(16, 2), "17"), (torch.full((17, 2), torch.nan), "NaN")):
        with pytest.raises(ValueError, match=message):
            stream.push(bad)
    with pytest.raises(ValueError, match="confidence"):
        stream.push(clip.xy_px[1], -torch.ones(17))
    assert stream.push(clip.xy_px[1]).frame == 1


def test_the_result_says_which_frame_it_is():
    clip = _clip(8, layout=H36M_17)
    results, _ = _run(_stream(clip, _encoder(fps=15.0), latency_frames=3), clip)
    keypoints = results[6].embedding.keypoints
    assert (keypoints.first_frame, keypoints.fps, keypoints.frame_count) == (6, 30.0, 1)
    assert torch.equal(keypoints.xy_px[0], clip.xy_px[6])
    for head in ("pose3d", "mesh"):
        results, _ = _run(_stream(clip, _encoder(fps=15.0), _head(head), latency_frames=3), clip)
        assert results[6].prediction.first_frame == 6


def test_options_out_of_range_are_refused():
    clip, encoder, head = _clip(3), _encoder(), _head("pose3d")
    for options in ({"latency_frames": 5}, {"latency_frames": -1}, {"stride": 0}, {"dtype": torch.float16}):
        with pytest.raises(ValueError, match=next(iter(options))):
            _stream(clip, encoder, **options)
    with pytest.raises(ValueError, match="coco_17"):
        Stream(encoder, fps=30, size_px=(640, 480), layout="coco")
    with pytest.raises(ValueError, match="fps"):
        Stream(encoder, fps=0, size_px=(640, 480), layout="coco_17")
    with pytest.raises(ValueError, match="batch_size"):
        embed_with_latency(clip, encoder, batch_size=0)
    with pytest.raises(ValueError, match="camera"):
        _stream(clip, encoder, _head("action"), camera=PinholeCamera.from_hfov(1280, 720))
    head.trained_on = "another"
    with pytest.raises(ValueError, match="another"):
        _stream(clip, encoder, head)


def test_names_are_not_taken_for_networks(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as users run it
    for call in (lambda clip: _stream(clip, "ktpformer-s"), lambda clip: embed_with_latency(clip, "ktpformer-s")):
        with pytest.raises(TypeError, match=r"an encoder, as load_encoder\(\.\.\.\) gives, got 'ktpformer-s'"):
            call(_clip(3))
    with pytest.raises(TypeError, match=r"a head, as load_head\(\.\.\.\) gives, got 'mesh-ktpformer-s'"):
        _stream(_clip(3), _encoder(), "mesh-ktpformer-s")


def test_bfloat16_is_close():
    clip, encoder = _clip(8), _encoder()
    exact, rough = (_values(_run(_stream(clip, encoder, dtype=d), clip)[0]) for d in (torch.float32, torch.bfloat16))
    assert rough.dtype == torch.float32
    assert 0 < (rough - exact).abs().mean() < 0.02 * exact.abs().mean()


@pytest.mark.slow
def test_the_shipped_heads_stream():
    clip, encoder = _clip(20), load_encoder("ktpformer-s")
    for name in ("pose3d-ktpformer-s", "mesh-ktpformer-s", "action-ktpformer-s"):
        results, live = _run(_stream(clip, encoder, load_head(name), latency_frames=3), clip)
        assert (live, len(results)) == (17, 20)
        offline = embed_with_latency(clip, encoder, 3).values
        torch.testing.assert_close(_values(results), offline, atol=1e-4, rtol=0)


def test_an_encoder_in_training_streams_as_in_evaluation_and_stays_in_training():
    clip, encoder = _clip(3), _encoder(drop_path=0.5).train()
    trained = _run(_stream(clip, encoder), clip)[0]
    assert encoder.training
    evaluated = _run(_stream(clip, encoder.eval()), clip)[0]
    for one, other in zip(trained, evaluated, strict=True):
        assert torch.equal(one.embedding.values, other.embedding.values)


def test_a_stream_keeps_its_weights_and_copies_what_is_pushed():
    """Encoders learn on or move to another device, and detectors fill the same array again, while a stream runs."""
    clip, encoder = _clip(8, layout=H36M_17), _encoder()
    expected, _ = _run(_stream(clip, copy.deepcopy(encoder)), clip)
    stream, buffer = _stream(clip, encoder), clip.xy_px[0].clone()
    for frame in range(clip.frame_count):
        buffer.copy_(clip.xy_px[frame])
        result = stream.push(buffer, clip.confidence[frame])
        assert torch.equal(result.embedding.values, expected[frame].embedding.values)
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter.add_(1)
    encoder.double()
    stream.push(buffer)


def test_3d_poses_stream_in_the_axes_of_a_camera_that_is_given():
    clip, encoder, head = _clip(6), _encoder(), _head("pose3d")
    results, _ = _run(_stream(clip, encoder, head, camera=PinholeCamera.from_hfov(1280, 720)), clip)
    assert {result.prediction.frame for result in results if result.prediction is not None} == {"camera"}
