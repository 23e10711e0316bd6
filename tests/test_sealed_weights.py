"""Folders of weights in which something changed after they were saved."""

import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionrep import load_encoder, load_head
from motionrep.weights import find_shipped

SHIPPED = [("encoder", "ktpformer-s", load_encoder), ("head", "pose3d-ktpformer-s", load_head)]


@pytest.fixture(scope="module", params=SHIPPED, ids=lambda one: one[0])
def copied(request, tmp_path_factory):
    """A copy of shipped weights, and the function that loads it."""
    kind, name, load = request.param
    folder = tmp_path_factory.mktemp(kind) / "mine"
    shutil.copytree(find_shipped(kind, name), folder)
    return folder, load


def test_an_untouched_copy_loads(copied):
    folder, load = copied
    load(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
@settings(max_examples=40)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_wherever_it_is(copied, name, place, bit):
    """Most bits of weights change no shape and give finite numbers, and many of config.json give valid JSON."""
    folder, load = copied
    path = folder / name
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[int(place * len(whole))] ^= 1 << bit
    path.write_bytes(damaged)
    try:
        if name == "model.safetensors" or _means_another(whole, bytes(damaged)):
            with pytest.raises(ValueError, match=folder.name):
                load(folder)
    finally:
        path.write_bytes(whole)


def _means_another(whole: bytes, damaged: bytes) -> bool:
    """Whether JSON holds something else now: a space that became a tab is no change."""
    try:
        return json.loads(damaged) != json.loads(whole)
    except ValueError:
        return True


def test_the_message_names_the_file_and_what_to_do(copied):
    folder, load = copied
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[-2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"model\.safetensors: is not what was saved.*download the folder again"):
        load(folder)
    path.write_bytes(whole)
    config = folder / "config.json"
    content = json.loads(config.read_text())
    config.write_text(json.dumps(content | {"provenance": {}, "encoder": "other"}))
    with pytest.raises(ValueError, match=r"config\.json: is not what was saved.*set 'sha256' to null"):
        load(folder)
    config.write_text(json.dumps(content | {"sha256": None}))
    load(folder)
    config.write_text(json.dumps({name: value for name, value in content.items() if name != "sha256"}))
    with pytest.raises(ValueError, match="is not what was saved"):
        load(folder)
    config.write_text(json.dumps(content, indent=4))
    load(folder)
