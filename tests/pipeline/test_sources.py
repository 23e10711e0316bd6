"""A video where keypoints are taken: `recover` finds them itself, and commands find them once."""

import logging
import os
import shutil

import numpy as np
import pytest
from counted_detector import NAME, installed, reinstall
from filmed_people import film
from PIL import Image
from video_files import filmed

import motionrep
from motionrep.pipeline.sources import detected_once, origin_of

pytest.importorskip("av")
FAST = "blazepose-full"


@pytest.fixture(scope="module")
def walk():
    return film(("walk",), seconds=1.0, fps=12.0)


@pytest.fixture
def video(walk, tmp_path):
    return filmed(tmp_path / "walk.mp4", walk.pictures, np.arange(12) / 12)


@pytest.fixture
def calls(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("package")) as package:
        yield package.calls


def _same(one, other):
    assert [clip.person for clip in one] == [clip.person for clip in other]
    for clip, again in zip(one, other, strict=True):
        assert clip.xy_px.equal(again.xy_px)
        assert clip.confidence.equal(again.confidence)
        assert (clip.layout, clip.fps, clip.first_frame) == (again.layout, again.fps, again.first_frame)


def test_recover_takes_a_video(tiny, video):
    heads = {"heads": [tiny / "mesh", tiny / "action"], "encoder": tiny / "encoder"}
    (person,) = motionrep.recover(video, **heads, detector=FAST)
    clips = motionrep.detect(video, FAST)
    _same([person.keypoints], clips)
    (of_clips,) = motionrep.recover(clips, **heads)
    assert person.motion.local_rotmat.equal(of_clips.motion.local_rotmat)
    assert person.embedding.values.equal(of_clips.embedding.values)
    assert person.actions.logit.equal(of_clips.actions.logit)
    assert person.motion.mesh().vertex_m.shape == (12, 6999, 3)


def test_by_default_recover_gives_mesh_and_actions_on_the_floor_of_a_folder_of_pictures(walk, tmp_path):
    for number, picture in enumerate(walk.pictures):
        Image.fromarray(picture).save(tmp_path / f"{number:03d}.png")
    (person,) = motionrep.recover(tmp_path, detector=FAST, fps=12)
    assert (person.motion.frame_count, person.motion.fps) == (12, 12)
    assert person.actions.best in person.actions.labels
    assert (person.motion.frame, person.placed.frame) == ("camera", "world")
    assert person.placed.mesh().vertex_m[..., 1].amin(1).abs().median() < 0.1
    assert sorted(path.name for path in person.save(tmp_path / "out", "walk").values()) == ["walk_0.json", "walk_0.npz"]


def test_options_of_other_sources_are_refused(tiny, video):
    heads = {"heads": [tiny / "mesh"], "encoder": tiny / "encoder"}
    with pytest.raises(ValueError, match=r"layout: .*walk\.mp4 is a video; leave it out"):
        motionrep.recover(video, **heads, layout="coco_17")
    with pytest.raises(ValueError, match=r"size_px: .*walk\.mp4 is a video; leave it out"):
        motionrep.recover(video, **heads, size_px=(4, 4))
    with pytest.raises(ValueError, match=r"detector: .*clip\.json has keypoints already"):
        motionrep.recover(tiny / "clip.json", **heads, size_px=(1920, 1080), detector=FAST)


def test_a_video_is_looked_at_once(video, tmp_path, calls, caplog):
    kept = tmp_path / "out" / "walk_keypoints.npz"
    first = detected_once(video, kept, NAME)
    written = kept.stat().st_mtime_ns
    with caplog.at_level(logging.INFO, "motionrep"):
        again = detected_once(video, kept, NAME)
    assert (len(calls), kept.stat().st_mtime_ns) == (1, written)
    assert caplog.messages == [f"{kept}: keypoints of walk.mp4 from an earlier run; delete the file to detect anew"]
    _same(first, again)
    _same(first, motionrep.load_keypoints(kept))
    kept.unlink()
    detected_once(video, kept, NAME)
    assert len(calls) == 2


def _touched(video):
    os.utime(video, ns=(1, 1))


def _longer(video):
    time = video.stat().st_mtime_ns
    with video.open("ab") as file:
        file.write(b"\0" * 8)
    os.utime(video, ns=(time, time))


def _other_bytes(video):
    stat, content = video.stat(), bytearray(video.read_bytes())
    content[-1] ^= 255
    video.write_bytes(content)
    os.utime(video, ns=(stat.st_mtime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize("change", [_touched, _longer, _other_bytes])
def test_a_changed_video_is_looked_at_again(video, tmp_path, calls, caplog, change):
    kept = tmp_path / "walk_keypoints.npz"
    detected_once(video, kept, NAME)
    change(video)
    with caplog.at_level(logging.INFO, "motionrep"):
        detected_once(video, kept, NAME)
    assert len(calls) == 2
    assert f"{kept}: {video} is not as it was; detecting anew" in caplog.messages
    detected_once(video, kept, NAME)
    assert len(calls) == 2


def test_another_detector_or_version_looks_again(video, tmp_path, tmp_path_factory, caplog):
    kept, package = tmp_path / "walk_keypoints.npz", tmp_path_factory.mktemp("package")
    caplog.set_level(logging.INFO, "motionrep")
    with installed(package) as counted:
        detected_once(video, kept, FAST)
        detected_once(video, kept, NAME)
        assert caplog.messages == [f"{kept}: of another detector; detecting anew"]
        reinstall(package, "1.1")
        detected_once(video, kept, NAME)
        assert caplog.messages[1:] == [f"{kept}: of another version of the detector; detecting anew"]
        assert len(counted.calls) == 2


def test_keypoints_of_something_else_are_never_replaced(video, walk, tmp_path, calls):
    kept = tmp_path / "walk_keypoints.npz"
    shutil.copy(video, tmp_path / "walk.mov")
    detected_once(tmp_path / "walk.mov", kept, NAME)
    before = kept.read_bytes()
    with pytest.raises(ValueError, match="is there already and was not found in"):
        detected_once(video, kept, NAME)
    motionrep.save_keypoints(motionrep.load_keypoints(kept), kept)  # by hand, without an origin
    with pytest.raises(ValueError, match=r"rename it, or choose another --output"):
        detected_once(tmp_path / "walk.mov", kept, NAME)
    assert (len(calls), len(before) > 0) == (1, True)


def test_the_pictures_of_a_folder_are_told_apart(walk, tmp_path):
    for number, picture in enumerate(walk.pictures[:5]):
        Image.fromarray(picture).save(tmp_path / f"{number:03d}.png")
    before = origin_of(tmp_path, FAST, 12.0)
    assert before == origin_of(tmp_path, FAST, 12.0)
    (tmp_path / "003.png").rename(tmp_path / "003b.png")
    assert origin_of(tmp_path, FAST, 12.0) != before
