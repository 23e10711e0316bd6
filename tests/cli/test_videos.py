"""Every command that takes keypoints takes a video, detects once, and draws over the video in step with it."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from counted_detector import NAME, installed
from filmed_people import film
from video_files import filmed

import motionrep
from motionrep.cli.main import main
from motionrep.layouts import COCO_17, MEDIAPIPE_33

av = pytest.importorskip("av")
FPS, EMPTY = 12.0, 6


@pytest.fixture(scope="module")
def walk():
    """Half a second of an empty room, then a second of somebody walking."""
    walk = film(("walk",), seconds=1.0, fps=FPS)
    room = np.broadcast_to(walk.pictures[0][:, :1], walk.pictures[0].shape)
    return [np.ascontiguousarray(room)] * EMPTY + walk.pictures


@pytest.fixture(scope="module")
def video(walk, tmp_path_factory):
    return filmed(tmp_path_factory.mktemp("video") / "dance.mp4", walk, np.arange(len(walk)) / FPS)


@pytest.fixture
def calls(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("package")) as package:
        yield package.calls


@pytest.fixture
def run(tiny, capsys, calls):
    """Runs a command with small networks; returns its status and what it printed."""

    def call(command: str, *arguments: object, head: str | None = "mesh", detector: str | None = NAME):
        heads = [] if head is None else ["--encoder", tiny / "encoder", "--head", tiny / head]
        detectors = [] if detector is None else ["--detector", detector]
        status = main([str(word) for word in (command, *arguments, *heads, *detectors)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


def _streams(path: Path) -> dict[str, float]:
    with av.open(str(path)) as file:
        return {stream.type: float(stream.duration * stream.time_base) for stream in file.streams}


def _pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


@pytest.mark.slow
def test_predict_leaves_everything_to_look_at(run, video, tmp_path, calls):
    status, text, _ = run("predict", video, "--output", tmp_path, "--render", "--report")
    assert status == 0
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {
        "dance_keypoints.npz", "dance_0.npz", "dance_0.glb", "dance_overlay.mp4", "dance_report.html",
    }  # fmt: skip
    assert all(name in text for name in written - {"dance_keypoints.npz"})
    (clip,) = motionrep.load_keypoints(tmp_path / "dance_keypoints.npz")
    assert (clip.first_frame, clip.frame_count, clip.layout) == (EMPTY, 12, MEDIAPIPE_33)
    assert motionrep.load_motion(tmp_path / "dance_0.npz").first_frame == EMPTY
    seconds = _streams(tmp_path / "dance_overlay.mp4")
    assert seconds["video"] == pytest.approx(1.0, abs=0.05)
    assert seconds["audio"] == pytest.approx(1.0, abs=0.1)
    page = (tmp_path / "dance_report.html").read_text()
    assert page.count("<video") == 1  # the overlay, not a second one of each person
    assert len(calls) == 1


@pytest.mark.slow
def test_video_without_a_file_is_render(run, video, tmp_path):
    """Examples of other tools write `predict dance.mp4 --video`; it also reads well the other way round."""
    for place, words in enumerate(([video, "--video"], ["--video", video])):
        output = tmp_path / str(place)
        assert run("predict", *words, "--output", output)[0] == 0
        assert (output / "dance_overlay.mp4").is_file()
    status, _, errors = run("predict", "--video", "--output", tmp_path)
    assert (status, errors.count("\n")) == (2, 1)
    assert "give a video or a keypoint file to predict from" in errors


def test_the_default_output_is_results_and_a_second_run_says_what_it_replaces(
    run, video, tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO", "motionrep")
    assert run("predict", video)[0] == 0
    assert sorted(path.name for path in Path("results").iterdir()) == ["dance_0.npz", "dance_keypoints.npz"]
    assert "replaced" not in caplog.text
    assert run("predict", video)[0] == 0
    assert "results: holds results of dance already, which are replaced" in caplog.text


@pytest.mark.slow
def test_keypoints_with_their_video_are_drawn_over_it(run, video, tmp_path):
    assert run("convert", video, "--output", tmp_path / "dance.npz", head=None)[0] == 0
    options = ("--video", video, "--output", tmp_path / "out", "--render")
    assert run("predict", tmp_path / "dance.npz", *options, detector=None)[0] == 0
    seconds = _streams(tmp_path / "out" / "dance_overlay.mp4")
    assert seconds["audio"] == pytest.approx(1.0, abs=0.1)


@pytest.mark.slow
def test_a_second_command_does_not_detect_again(run, video, tmp_path, calls, caplog):
    """Seven commands, of which the first looks at the video."""
    caplog.set_level("INFO", "motionrep")
    small = ("--height", 60, "--supersample", 1)
    assert run("embed", video, "--output", tmp_path / "dance.parquet", head=None)[0] == 0
    kept = tmp_path / "dance_keypoints.npz"
    written = kept.stat().st_mtime_ns
    assert run("predict", video, "--output", tmp_path)[0] == 0
    assert run("view", video, "--save", tmp_path / "page.html")[0] == 0
    assert run("report", video, "--action", "none", "--output", tmp_path / "report.html")[0] == 0
    assert run("render", video, "--output", tmp_path / "overlay.mp4", *small)[0] == 0
    made = (tmp_path / "dance_0.npz", "--keypoints", video, "--output", tmp_path / "again.mp4", *small)
    assert run("render", *made, head=None)[0] == 0
    assert run("convert", video, "--output", tmp_path / "dance.json", head=None)[0] == 0
    assert (len(calls), kept.stat().st_mtime_ns) == (1, written)
    said = f"{kept}: keypoints of dance.mp4 from an earlier run; delete the file to detect anew"
    assert caplog.messages.count(said) == 6
    assert pq.read_table(tmp_path / "dance.parquet").num_rows == 12
    (coco,) = motionrep.load_keypoints(tmp_path / "dance.json", size_px=(320, 240), fps=FPS)
    assert (coco.layout, coco.frame_count, coco.first_frame) == (COCO_17, 12, EMPTY)
    assert np.array_equal(_pictures(tmp_path / "overlay.mp4")[5], _pictures(tmp_path / "again.mp4")[5])


def test_what_detect_wrote_is_what_other_commands_would_keep(run, video, tmp_path, calls):
    assert run("detect", video, "--output", tmp_path / "dance_keypoints.npz", head=None)[0] == 0
    assert run("predict", video, "--output", tmp_path)[0] == 0
    assert len(calls) == 1


def test_view_serves_the_video_and_keeps_keypoints_in_results(video, tmp_path, monkeypatch, tiny, calls):
    from motionrep.cli.motions import Recovery, viewed_motions

    monkeypatch.chdir(tmp_path)
    recovery = Recovery([str(tiny / "mesh")], str(tiny / "encoder"), None, None, None, None, "cpu", "float32",
                        detector=NAME)  # fmt: skip
    (viewed,) = viewed_motions([video], recovery, None, None)
    assert (viewed.label, viewed.video, viewed.motion.frame_count) == ("dance", video, 12)
    assert Path("results/dance_keypoints.npz").is_file()


def test_a_folder_of_videos_is_embedded_video_by_video(run, video, tmp_path, calls):
    (tmp_path / "day").mkdir()
    for name in ("a", "b"):
        shutil.copy(video, tmp_path / "day" / f"{name}.mp4")
    (tmp_path / "day" / "notes.txt").write_text("not a video")
    assert run("embed", tmp_path / "day", "--level", "clip", "--output", tmp_path / "e.parquet", head=None)[0] == 0
    assert pq.read_table(tmp_path / "e.parquet")["clip"].to_pylist() == ["a", "b"]
    assert {path.name for path in tmp_path.glob("*_keypoints.npz")} == {"a_keypoints.npz", "b_keypoints.npz"}
    assert run("predict", tmp_path / "day", "--output", tmp_path / "motions")[0] == 0
    assert pq.read_table(tmp_path / "motions")["clip"].to_pylist() == [f"{tmp_path}/day/{name}.mp4" for name in "ab"]


@pytest.mark.parametrize("rotation", [0, 90])
def test_the_overlay_is_in_step_with_uneven_and_rotated_videos(run, walk, tmp_path, rotation):
    """The overlay's picture of the video shows at each moment the frame that a player shows at that moment."""
    steps_s = np.array([0.05, 0.05, 0.2, 0.05, 0.1, 0.05] * 3)
    time_s = np.concatenate([[0.0], np.cumsum(steps_s)[:-1]])
    shown = [np.ascontiguousarray(np.rot90(picture)) for picture in walk] if rotation else list(walk)
    for number, picture in enumerate(shown):
        picture = picture.copy()
        if rotation:
            picture[:, :20] = 12 * number  # the upper edge of the upright picture
        else:
            picture[:20] = 12 * number
        shown[number] = picture
    path = filmed(tmp_path / "uneven.mp4", shown, time_s, rotation=rotation)
    output = tmp_path / "o.mp4"
    assert run("render", path, "--views", "overlay", "--height", 240, "--supersample", 1, "--no-titles", "--output",
               output)[0] == 0  # fmt: skip
    (clip,) = motionrep.load_keypoints(tmp_path / "uneven_keypoints.npz")
    assert (clip.width_px, clip.height_px) == (320, 240)
    begin_s = time_s[0] + clip.first_frame / clip.fps
    pictures = _pictures(output)
    assert len(pictures) == pytest.approx(clip.frame_count, abs=1)
    wrong = []
    for number, picture in enumerate(pictures):
        at_s = begin_s + number / clip.fps
        near = {int(np.searchsorted(time_s, at_s + late_s, side="right")) - 1 for late_s in (0.0, 0.03)}
        if round(float(picture[2:14, 5:60].mean()) / 12) not in near:
            wrong.append(number)
    assert not wrong


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["embed", "VIDEO", "--size", "320x240", "--output", "e.parquet"], "is a video, and --size is for keypoint"),
        (["report", "VIDEO", "--video", "VIDEO", "--output", "r.html"], "is a video, and --video is for keypoint"),
        (["predict", "CLIP", "--size", "1920x1080", "--detector", "blazepose"], "--detector is for videos; remove"),
        (["convert", "VIDEO", "--body", "open", "--output", "c.npz"], "--body is for motions; motionrep predict makes"),
        (
            ["render", "VIDEO", "--keypoints", "CLIP", "--output", "o.mp4"],
            "drawn with its own keypoints; remove --keyp",
        ),
        (["fit", "VIDEO", "--output", "b.npz"], "motionrep predict recovers motion from it"),
        (["export", "VIDEO", "--output", "b.glb"], "motionrep predict recovers motion from it"),
        (["predict", "nowhere.mp4"], "nowhere.mp4: no such keypoint file, video or folder"),
    ],
)
def test_what_does_not_belong_to_a_video_is_one_sentence(tiny, video, tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    given = [{"VIDEO": str(video), "CLIP": str(tiny / "clip.json")}.get(word, word) for word in words]
    assert main(given) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1
    assert not list(tmp_path.iterdir())
