"""Windows of different clips share batches; what comes out is what each clip alone gives."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motionrep.embedding.batching import ClipInput, encode_clips
from motionrep.embedding.encoding import embed
from motionrep.embedding.inputs import encoder_input, mirrored
from motionrep.encoders import DSTformer, Encoder, KTPFormer
from motionrep.layouts import H36M_17
from motionrep.types import Keypoints


def _clip(frames, seed=0, fps=30.0):
    generator = torch.Generator().manual_seed(seed)
    xy_px = torch.rand(frames, 17, 2, generator=generator) * 400
    return Keypoints(xy_px, torch.ones(frames, 17), H36M_17, fps, 640, 480)


def _ktpformer(**options):
    torch.manual_seed(0)
    return KTPFormer(frames=9, channels=16, depth=1, heads=2, input_channels=2, **options).eval()


def _dstformer():
    torch.manual_seed(0)
    return DSTformer(frames=9, channels=16, inner_channels=16, depth=1, heads=2).eval()


class _Counting(Encoder):
    """Puts out what it reads and remembers how large its batches were. It is not registered."""

    def __init__(self, **options):
        super().__init__(**options)
        self.sizes = []

    def __deepcopy__(self, memo):
        return self

    def forward(self, keypoints):
        self.sizes.append(len(keypoints))
        return keypoints


def _together(clips, encoder, **options):
    """The representation of each clip, in one piece."""
    inputs = (ClipInput(i, encoder_input(clip, encoder)[None], clip.fps) for i, clip in enumerate(clips))
    pieces = {}
    order = []
    for key, values in encode_clips(inputs, encoder, **options):
        pieces.setdefault(key, []).append(values[0])
        order.append(key)
    assert order == sorted(order)
    return [torch.cat(pieces[i]) for i in range(len(clips))]


@pytest.mark.parametrize("encoder", [_ktpformer(), _ktpformer(fps=30.0), _dstformer()])
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    rates=st.lists(st.sampled_from([10.0, 30.0, 60.0, 90.0]), min_size=6, max_size=6),
    batch_size=st.integers(1, 7),
    overlap=st.sampled_from([0.0, 0.25, 0.5, 0.8]),
)
@settings(max_examples=25)
def test_clips_that_share_batches_are_encoded_as_each_alone(encoder, lengths, rates, batch_size, overlap):
    clips = [_clip(frames, i, fps) for i, (frames, fps) in enumerate(zip(lengths, rates, strict=False))]
    found = _together(clips, encoder, batch_size=batch_size, overlap=overlap)
    for clip, values in zip(clips, found, strict=True):
        torch.testing.assert_close(values, embed(clip, encoder, overlap=overlap).values, atol=1e-5, rtol=0)


def test_windows_of_different_clips_fill_the_batches():
    encoder = _Counting(frames=9, channels=2, input_channels=2)
    _together([_clip(9, i) for i in range(10)], encoder, batch_size=4)
    assert encoder.sizes == [4, 4, 2]


def test_windows_of_one_length_share_batches_where_windows_are_not_fixed():
    encoder = _Counting(frames=9, channels=2, input_channels=2)
    encoder.fixed_window = False
    _together([_clip(3 + i % 2, i) for i in range(8)], encoder, batch_size=4)
    assert encoder.sizes == [4, 4]


def test_a_long_clip_comes_piece_by_piece_while_it_is_read():
    encoder = _ktpformer()
    given = [ClipInput(0, encoder_input(_clip(500), encoder)[None], 30.0)]
    stretches = list(encode_clips(given, encoder, batch_size=8))
    assert sum(values.shape[1] for _, values in stretches) == 500
    assert max(values.shape[1] for _, values in stretches) <= 8 * encoder.frames


def test_clips_are_taken_when_batches_have_room():
    encoder, taken = _ktpformer(), []

    def clips():
        for i in range(100):
            taken.append(i)
            yield ClipInput(i, encoder_input(_clip(9, i), encoder)[None], 30.0)

    next(encode_clips(clips(), encoder, batch_size=4))
    assert len(taken) == 4


def test_the_mirror_image_is_a_second_way_through_the_same_batches():
    encoder, clip = _ktpformer(fps=30.0), _clip(31, fps=60.0)
    ways = torch.stack([encoder_input(one, encoder) for one in (clip, mirrored(clip))])
    values = torch.cat([it.values for it in encode_clips([ClipInput(0, ways, 60.0)], encoder)], 1)
    for way, one in zip(values, (clip, mirrored(clip)), strict=True):
        torch.testing.assert_close(way, embed(one, encoder).values, atol=1e-5, rtol=0)
