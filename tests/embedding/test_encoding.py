"""Embedding clips: windows, unseen joints, mirror images, precision."""

import dataclasses

import jaxtyping
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from motionrep.embedding.encoding import embed
from motionrep.embedding.frame_rates import upsampled
from motionrep.embedding.inputs import encoder_input, mirrored, normalise
from motionrep.encoders import DSTformer, Encoder, KTPFormer
from motionrep.layouts import COCO_17, H36M_17
from motionrep.types import Keypoints


def _clip(frames, layout=H36M_17, seed=0):
    generator = torch.Generator().manual_seed(seed)
    xy_px = torch.rand(frames, layout.joint_count, 2, generator=generator) * 400
    return Keypoints(xy_px, torch.ones(frames, layout.joint_count), layout, 30.0, 640, 480)


def _standing(frames):
    clip = _clip(1)
    return dataclasses.replace(
        clip, xy_px=clip.xy_px.expand(frames, -1, -1), confidence=clip.confidence.expand(frames, -1)
    )


def _encoder(input_channels=2, frames=9, seed=0):
    torch.manual_seed(seed)
    return KTPFormer(frames=frames, channels=16, depth=1, heads=2, input_channels=input_channels).eval()


class _Echo(Encoder):
    """Puts out what it reads, so that whatever embedding does to frames can be seen. It is not registered."""

    def forward(self, keypoints):
        return keypoints


def _echo(fps=None):
    return _Echo(frames=9, channels=2, input_channels=2, fps=fps)


@given(frames=st.integers(1, 60), overlap=st.floats(0, 0.9), batch_size=st.integers(1, 5))
@settings(max_examples=40)
def test_every_frame_comes_back_once_and_in_place(frames, overlap, batch_size):
    clip = _clip(frames)
    values = embed(clip, _echo(), overlap=overlap, batch_size=batch_size).values
    torch.testing.assert_close(values, normalise(clip.xy_px, 640, 480), atol=1e-5, rtol=0)


@given(frames=st.integers(1, 60), overlap=st.floats(0, 0.9))
@settings(max_examples=20)
def test_constant_representations_stay_constant(frames, overlap):
    values = embed(_standing(frames), _echo(), overlap=overlap).values
    torch.testing.assert_close(values, values[:1].expand_as(values), atol=1e-6, rtol=0)


@pytest.mark.parametrize("frames", [1, 2, 8])
def test_a_short_clip_repeats_its_last_frame(frames):
    clip, encoder = _clip(frames), _encoder()
    index = torch.arange(9).clamp(max=frames - 1)
    longer = dataclasses.replace(clip, xy_px=clip.xy_px[index], confidence=clip.confidence[index])
    torch.testing.assert_close(embed(clip, encoder).values, embed(longer, encoder).values[:frames], atol=1e-6, rtol=0)


def test_a_clip_as_long_as_the_window_is_one_plain_forward():
    clip, encoder = _clip(9), _encoder()
    with torch.no_grad():
        expected = encoder(encoder_input(clip, encoder)[None])[0]
    torch.testing.assert_close(embed(clip, encoder).values, expected, atol=1e-6, rtol=0)


def test_batch_size_does_not_matter():
    clip, encoder = _clip(50), _encoder()
    torch.testing.assert_close(
        embed(clip, encoder, batch_size=1).values, embed(clip, encoder, batch_size=16).values, atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("input_channels", [2, 3])
def test_coordinates_of_unseen_joints_do_not_matter(input_channels):
    clip, encoder = _clip(20), _encoder(input_channels)
    with torch.no_grad():
        encoder.get_parameter("joint_prior.gconv.W").normal_()
    confidence = clip.confidence.clone()
    confidence[3:6, 2] = confidence[:4, 5] = confidence[15:, 6] = confidence[:, 9] = 0
    noisy = clip.xy_px.where(confidence[..., None] > 0, 1e4)
    a, b = (
        embed(dataclasses.replace(clip, xy_px=xy, confidence=confidence), encoder).values for xy in (clip.xy_px, noisy)
    )
    assert torch.equal(a, b)


def test_unseen_joints_move_on_a_line_between_seen_frames():
    clip = _clip(5)
    xy_px = clip.xy_px.clone()
    xy_px[:, 0, 0] = torch.tensor([0.0, 0.0, 500.0, 500.0, 320.0])
    confidence = torch.ones(5, 17)
    confidence[:, 1] = 0
    confidence[[0, 2, 3], 0] = 0
    xy = encoder_input(dataclasses.replace(clip, xy_px=xy_px, confidence=confidence), _encoder())
    torch.testing.assert_close(xy[:, 0, 0], torch.tensor([-1.0, -1.0, -2 / 3, -1 / 3, 0.0]))
    assert not xy[:, 1].any()


def test_confidence_is_the_third_column_and_at_most_one():
    clip = _clip(4)
    confidence = clip.confidence * 3
    confidence[:, 4] = 0.25
    confidence[1, 2] = 0
    read = encoder_input(dataclasses.replace(clip, confidence=confidence), _encoder(3))
    assert torch.equal(read[..., 2], confidence.clamp(max=1))
    assert not read[1, 2].any()


def test_normalised_coordinates_are_in_half_widths_from_the_middle():
    corners = torch.tensor([[0.0, 0.0], [640.0, 480.0], [320.0, 240.0]])
    expected = torch.tensor([[-1.0, -0.75], [1.0, 0.75], [0.0, 0.0]])
    torch.testing.assert_close(normalise(corners, 640, 480), expected)
    batch = normalise(corners.expand(2, 5, 3, 2), torch.tensor([[640.0], [1280.0]]), torch.tensor([[480], [480]]))
    torch.testing.assert_close(batch[0, 4], expected)
    torch.testing.assert_close(batch[1, 0, 1], torch.tensor([0.0, 0.375]))


def test_flip_averaging_makes_a_clip_and_its_mirror_image_alike():
    clip, encoder = _clip(20, COCO_17), _encoder()
    there = embed(clip, encoder, flip=True).values
    back = embed(mirrored(clip), encoder, flip=True).values
    torch.testing.assert_close(there, back[:, list(H36M_17.flip_indices)], atol=1e-5, rtol=0)


def test_mirroring_twice_is_the_clip():
    clip = _clip(5, COCO_17)
    torch.testing.assert_close(mirrored(mirrored(clip)).xy_px, clip.xy_px, atol=1e-4, rtol=0)
    other = encoder_input(mirrored(clip), _encoder())
    expected = encoder_input(clip, _encoder())[:, list(H36M_17.flip_indices)] * torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(other, expected, atol=1e-5, rtol=0)


def test_bfloat16_is_close_and_comes_back_in_float32():
    clip, encoder = _clip(20), _encoder()
    exact, rough = embed(clip, encoder).values, embed(clip, encoder, dtype=torch.bfloat16).values
    assert rough.dtype == torch.float32
    assert (rough - exact).abs().mean() < 0.02 * exact.abs().mean()


def test_a_fast_clip_is_read_at_the_encoders_frame_rate():
    """At twice the encoder's rate even and odd frames are separate clips, joined by a moving average."""
    encoder = _encoder()
    clip = dataclasses.replace(_clip(18), fps=60.0)
    own, encoder.fps = embed(clip, encoder).values, 30.0
    halves = [
        dataclasses.replace(clip, xy_px=clip.xy_px[i::2], confidence=clip.confidence[i::2], fps=30.0) for i in (0, 1)
    ]
    even, odd = (embed(half, encoder).values for half in halves)
    values = embed(clip, encoder).values
    torch.testing.assert_close(values[4], odd[1] / 4 + even[2] / 2 + odd[2] / 4, atol=1e-5, rtol=0)
    assert not torch.allclose(values, own, atol=1e-3)


def test_the_encoders_mode_and_the_clip_are_left_alone():
    clip, encoder = _clip(20, COCO_17), _encoder().train()
    before = clip.xy_px.clone()
    embedding = embed(clip, encoder)
    assert encoder.training
    assert torch.equal(clip.xy_px, before)
    assert embedding.keypoints.layout == H36M_17
    assert embedding.encoder == "ktpformer"
    assert not embedding.values.requires_grad


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"dtype": torch.float16}, {"overlap": 1.0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        embed(_clip(3), _encoder(), **options)


@pytest.mark.parametrize("frames", [1, 5, 9, 20])
def test_an_encoder_without_a_fixed_window_reads_short_clips_as_they_are(frames):
    torch.manual_seed(0)
    clip, encoder = _clip(frames), _dstformer().eval()
    values = embed(clip, encoder).values
    assert values.shape == (frames, 17, 16)
    if frames <= 9:
        with torch.no_grad():
            expected = encoder(encoder_input(clip, encoder)[None])[0]
        torch.testing.assert_close(values, expected, atol=1e-6, rtol=0)


def _dstformer(**options):
    return DSTformer(frames=9, channels=16, inner_channels=16, depth=1, heads=2, **options)


def _cropping(ratio=1.0, input_channels=3):
    return _dstformer(input_channels=input_channels, normalisation="crop", crop_ratio=ratio).eval()


def test_a_crop_holds_all_seen_joints_of_the_whole_clip():
    """One box for all frames: a person who walks through the image stays seen walking."""
    clip = _clip(20)
    confidence = clip.confidence.clone()
    confidence[4, :] = confidence[:, 3] = 0
    seen = confidence > 0
    xy_px = clip.xy_px.where(seen[..., None], -5000.0) + torch.linspace(0, 900, 20)[:, None, None] * seen[..., None]
    read = encoder_input(dataclasses.replace(clip, xy_px=xy_px, confidence=confidence), _cropping())
    low, high = xy_px[seen].amin(0), xy_px[seen].amax(0)
    expected = (xy_px - (low + high) / 2) / ((high - low).max() / 2)
    torch.testing.assert_close(read[seen][:, :2], expected[seen], atol=1e-5, rtol=0)
    assert read[seen][:, :2].amax() == pytest.approx(1)
    assert read[seen][:, :2].amin() == pytest.approx(-1)
    assert not read[~seen].any()


def test_a_crop_does_not_depend_on_where_and_how_large_the_person_is():
    clip, encoder = _clip(20), _cropping()
    other = dataclasses.replace(clip, xy_px=clip.xy_px * 3 + 200, width_px=4000, height_px=3000)
    torch.testing.assert_close(encoder_input(other, encoder), encoder_input(clip, encoder), atol=1e-5, rtol=0)
    wide = encoder_input(clip, _cropping(2.0))
    torch.testing.assert_close(wide[..., :2] * 2, encoder_input(clip, encoder)[..., :2], atol=1e-5, rtol=0)


@pytest.mark.parametrize("input_channels", [2, 3])
@pytest.mark.parametrize(("seen", "in_one_place"), [(0, False), (3, False), (17, True)])
def test_a_crop_of_too_little_is_zeros(input_channels, seen, in_one_place):
    clip = _clip(1)
    confidence = (torch.arange(17)[None] < seen).float()
    xy_px = torch.full_like(clip.xy_px, 7.0) if in_one_place else clip.xy_px
    clip = dataclasses.replace(clip, xy_px=xy_px, confidence=confidence)
    assert not encoder_input(clip, _cropping(input_channels=input_channels)).any()


def test_unknown_normalisations_are_refused():
    encoder = _encoder()
    encoder.normalisation = "box"
    with pytest.raises(ValueError, match="'box'"):
        embed(_clip(3), encoder)


@pytest.mark.parametrize(
    ("fps", "told"),
    [
        (3.0, "of every 5 frames it reads of this clip of 3, 4 are interpolated"),
        (5.0, ""),
        (7.5, ""),
        (10.0, "this clip of 10 as if it had 7.5, so motion looks 0.75 times as fast"),
        (20.0, "this clip of 20 as if it had 15, so motion looks 0.75 times as fast"),
        (23.976, ""),
        (24.0, ""),
        (25.0, ""),
        (30.0, ""),
        (59.94, ""),
        (240.0, ""),
    ],
)
def test_motion_that_looks_too_fast_or_too_slow_is_told(fps, told, caplog):
    embed(dataclasses.replace(_clip(12), fps=fps), _echo(fps=15.0))
    assert told in caplog.text
    assert bool(caplog.records) == bool(told)


def test_slow_clips_are_upsampled_to_the_frame_rate_of_the_encoder():
    """What was seen at 10 frames per second is read like the same at 30, with straight ways in between."""
    encoder, clip = _encoder(), _clip(31)
    encoder.fps = 30.0
    frame = torch.arange(31) / 3
    before, share = frame.floor().long(), (frame % 1)[:, None, None]
    after = (before + 1).clamp(max=10)
    straight = dataclasses.replace(clip, xy_px=torch.lerp(clip.xy_px[before], clip.xy_px[after], share))
    slow = dataclasses.replace(clip, xy_px=clip.xy_px[:11], confidence=clip.confidence[:11], fps=10.0)
    straight = dataclasses.replace(straight, confidence=torch.ones(31, 17))
    slow = dataclasses.replace(slow, confidence=torch.ones(11, 17))
    expected = embed(straight, encoder).values[::3]
    torch.testing.assert_close(embed(slow, encoder).values, expected, atol=1e-5, rtol=0)


def test_a_joint_that_is_missing_in_a_slow_clip_is_missing_on_both_sides_of_the_frame():
    seen = torch.ones(4, 17, 3)
    seen[2, 5] = 0
    filled = upsampled(seen, 2)
    assert filled.shape == (7, 17, 3)
    assert (filled[:, 5, 2] > 0).tolist() == [True, True, True, False, False, False, True]
    assert filled[:, 4].eq(1).all()
    assert not filled[3:6, 5].any()


def test_a_list_or_a_name_is_not_taken_for_a_clip_or_an_encoder(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as users run it
    with pytest.raises(TypeError, match=r"the Keypoints of one person, as load_keypoints\(\.\.\.\)\[0\] .*, got list"):
        embed([_clip(3)], _echo())  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"expected an encoder, as load_encoder\(\.\.\.\) gives, got 'echo'"):
        embed(_clip(3), "echo")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"expected an encoder, got Linear, which is no motionrep\.encoders\.Encoder"):
        embed(_clip(3), nn.Linear(2, 2))  # pyright: ignore[reportArgumentType]


def test_an_encoder_that_was_compiled_is_taken_as_it_was(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as users run it
    clip, encoder = _clip(12), _encoder()
    embedding = embed(clip, torch.compile(encoder))
    assert torch.equal(embedding.values, embed(clip, encoder).values)
    assert embedding.encoder == "ktpformer"
