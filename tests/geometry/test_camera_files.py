"""Cameras read from files, and where a person stands in the world of one."""

import json
from dataclasses import replace

import pytest
import torch

from motionrep.body import load_body_model
from motionrep.cli.main import main
from motionrep.datasets.authored.motions import authored_motion
from motionrep.geometry.camera_files import read_camera, write_camera
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking, to_camera
from motionrep.motion.axes import in_world
from motionrep.motion.loading import load_joint_motion, load_motion


@pytest.fixture
def write(tmp_path):
    def call(content):
        path = tmp_path / "camera.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return call


def test_a_calibrated_camera(write):
    pose = camera_from_world_looking(torch.tensor([1.0, 2.0, 3.0]), torch.zeros(3), 0.1)
    given = {"width": 1920, "height": 1080, "fx": 1500, "fy": 1503.0, "cx": 950.5, "cy": 544}
    camera = read_camera(write(given | {"camera_from_world": pose.tolist()}), 1920, 1080)
    assert (camera.focal_px, camera.center_px) == (1500.0, (950.5, 544.0))
    assert (camera.width_px, camera.height_px) == (1920, 1080)
    torch.testing.assert_close(camera.camera_from_world, pose)


def test_a_field_of_view_is_enough(write):
    camera, expected = read_camera(write({"hfov_deg": 60}), 640, 480), PinholeCamera.from_hfov(640, 480, 60)
    assert camera.focal_px == pytest.approx(expected.focal_px)
    assert camera.center_px == expected.center_px
    assert torch.equal(camera.camera_from_world, torch.eye(4))


def test_the_path_may_be_a_string(write):
    assert read_camera(str(write({"fx": 900})), 640, 480).focal_px == 900


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("fx 1500", "camera.json: not valid JSON"),
        ([1500], "expected an object such as .* got list"),
        ({"focal": 1500}, "unknown field 'focal'; known: width, height, fx"),
        ({}, "either field 'fx' .* got neither"),
        ({"fx": 900, "hfov_deg": 60}, "either field 'fx' .* got both"),
        ({"hfov_deg": 60, "fy": 900}, "field 'fy' goes with 'fx'"),
        ({"hfov_deg": 180}, "field 'hfov_deg' must lie between 0 and 180 degrees, got 180"),
        ({"fx": "wide"}, "field 'fx' must be a number, got 'wide'"),
        ({"fx": -3}, "must be positive"),
        ({"fx": 900, "fy": 1000}, "square pixels.*got 900 and 1000"),
        ({"fx": 900, "cx": None}, "field 'cx' must be a number, got None"),
        ({"fx": 900, "width": 1280}, "field 'width' is 1280, the keypoints are of 640 x 480 px"),
        ({"fx": 900, "camera_from_world": [[1, 0], [0]]}, "'camera_from_world': expected 4 rows of 4 numbers"),
        ({"fx": 900, "camera_from_world": [[1, 0], [0, 1]]}, r"got shape \(2, 2\)"),
        ({"fx": 900, "camera_from_world": torch.diag(torch.tensor([1, 1, -1, 1])).tolist()}, "mirrors"),
        ({"fx": 900, "camera_from_world": [torch.eye(4).tolist()] * 2}, "'world': expected .*; a camera that moves"),
        ({"fx": 900, "camera_from_world": torch.eye(4).tolist(), "world": "sea"}, "'world': expected .*, got 'sea'"),
        (
            {"fx": 900, "camera_from_world": [torch.eye(4).tolist(), torch.diag(torch.tensor([1, 1, -1, 1])).tolist()]},
            "a matrix in frame 1 that .* mirrors",
        ),
    ],
)
def test_what_is_wrong_is_named(write, content, expected):
    with pytest.raises(ValueError, match=expected):
        read_camera(write(content), 640, 480)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json: no such camera file"):
        read_camera(tmp_path / "nowhere.json", 640, 480)


def test_in_the_world_the_camera_sees_the_same_body():
    body = load_body_model("open")
    motion = replace(authored_motion("walk", seconds=0.2), betas=torch.ones(10), frame="camera")
    pose = camera_from_world_looking(torch.tensor([1.0, 2.0, 3.0]), torch.zeros(3), 0.1)
    camera = replace(PinholeCamera.from_hfov(640, 480), camera_from_world=pose)
    moved = in_world(motion, camera)
    assert moved.frame == "world"
    there_m, here_m = (body.joints(it.local_rotmat, it.betas, it.translation_m) for it in (moved, motion))
    torch.testing.assert_close(to_camera(there_m, camera), here_m, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="must be in camera axes, got world axes"):
        in_world(moved, camera)


def test_a_written_camera_is_read_with_its_size(write, tmp_path):
    pose = camera_from_world_looking(torch.tensor([1.0, 2.0, 3.0]), torch.zeros(3), 0.1)
    camera = PinholeCamera(700.0, (300.0, 250.0), 640, 480, pose)
    write_camera(camera, tmp_path / "out" / "camera.json")
    read = read_camera(str(tmp_path / "out" / "camera.json"))
    torch.testing.assert_close(read.camera_from_world, pose)
    assert replace(read, camera_from_world=pose) == camera
    with pytest.raises(ValueError, match="give 'width' and 'height', the size of its pictures"):
        read_camera(write({"fx": 700}))


def test_a_camera_that_moves_is_read_as_it_was_written(tmp_path):
    poses = [camera_from_world_looking(torch.tensor([x, 2.0, 3.0]), torch.zeros(3)) for x in (0.0, 0.1, 0.2)]
    camera = PinholeCamera(700.0, (300.0, 250.0), 640, 480, torch.stack(poses), "upright")
    write_camera(camera, tmp_path / "camera.json")
    read = read_camera(tmp_path / "camera.json")
    torch.testing.assert_close(read.camera_from_world, camera.camera_from_world)
    assert (read.world, read.moves) == ("upright", True)
    assert torch.equal(read.during(1, 2).camera_from_world, read.camera_from_world[1:])


def test_predict_and_render_take_a_camera_that_moves(tiny, tmp_path, write, capsys):
    places_m = torch.stack([torch.linspace(0, 1, 12), torch.full((12,), 1.5), torch.full((12,), 4.0)], 1)
    poses = [camera_from_world_looking(eye_m, torch.tensor([0.0, 1.0, 0.0])).tolist() for eye_m in places_m]
    given = ["predict", str(tiny / "clip.json"), "--size", "1920x1080", "--encoder", str(tiny / "encoder")]
    given += ["--head", str(tiny / "mesh"), "--output", str(tmp_path), "--camera"]
    content = {"fx": 1800, "world": "floor"}
    assert main([*given, str(write(content | {"camera_from_world": poses}))]) == 0
    used, motion = read_camera(tmp_path / "clip_camera.json"), load_motion(tmp_path / "clip_0.npz")
    assert motion.frame == "world"
    joint_m = to_camera(motion.joints().position_m, used)
    assert float((joint_m[1:] - joint_m[:-1])[..., 0].abs().max()) < 0.5  # the person stays in the picture
    draw = ["render", str(tmp_path / "clip_0.npz"), "--views", "camera", "--height", "32", "--supersample", "1"]
    shown = ["--camera", str(tmp_path / "clip_camera.json"), "--output", str(tmp_path / "frames")]
    assert main([*draw, *shown]) == 0
    assert len(list((tmp_path / "frames").glob("*.png"))) == 12
    assert main([*given, str(write(content | {"camera_from_world": poses[:9]}))]) == 2
    assert "moves and has 9 poses, but somebody is in frames 0 to 11" in capsys.readouterr().err


def test_predict_places_the_person_in_the_cameras_world(tiny, tmp_path, write, capsys):
    pose = camera_from_world_looking(torch.tensor([0.0, 1.5, 4.0]), torch.tensor([0.0, 1.0, 0.0]))
    path = write({"fx": 1800, "camera_from_world": pose.tolist()})
    given = ["predict", str(tiny / "clip.json"), "--size", "1920x1080", "--encoder", str(tiny / "encoder")]
    for name, options in (("assumed", []), ("known", ["--camera", str(path)])):
        assert main([*given, "--head", str(tiny / "mesh"), "--output", str(tmp_path / name), *options]) == 0
    assumed, known = (load_motion(tmp_path / name / "clip_0.npz") for name in ("assumed", "known"))
    assert (assumed.frame, known.frame) == ("camera", "world")
    # A focal length of 1800 instead of 2059 px brings the person nearer by as much.
    camera = read_camera(path, 1920, 1080)
    depth_m = to_camera(known.translation_m, camera)[:, 2].mean() / assumed.translation_m[:, 2].mean()
    assert float(depth_m) == pytest.approx(1800 / PinholeCamera.from_hfov(1920, 1080).focal_px, rel=0.1)
    both = ["--head", str(tiny / "action"), "--head", str(tiny / "pose3d")]
    assert main([*given, *both, "--output", str(tmp_path), "--camera", str(path)]) == 0
    assert load_joint_motion(tmp_path / "clip_0.npz").frame == "camera"
    assert (tmp_path / "clip_0.json").is_file()
    assert main([*given, "--head", str(tiny / "action"), "--output", str(tmp_path), "--camera", str(path)]) == 2
    assert "needs a head that places people" in capsys.readouterr().err


@pytest.mark.parametrize("camera", ["fit", "weak"])
def test_predict_estimates_a_camera_or_does_without_perspective(tiny, tmp_path, capsys, camera):
    given = ["predict", str(tiny / "clip.json"), "--size", "1920x1080", "--encoder", str(tiny / "encoder")]
    assert main([*given, "--head", str(tiny / "mesh"), "--output", str(tmp_path), "--camera", camera]) == 0
    assert load_motion(tmp_path / "clip_0.npz").frame == "camera"
    used = read_camera(tmp_path / "clip_camera.json")
    assert (used.width_px, used.height_px) == (1920, 1080)
    draw = ["render", str(tmp_path / "clip_0.npz"), "--views", "camera", "--height", "32", "--supersample", "1"]
    for name, through in (("assumed", []), ("known", ["--camera", str(tmp_path / "clip_camera.json")])):
        assert main([*draw, *through, "--output", str(tmp_path / name)]) == 0
    assumed, known = ((tmp_path / name / "000000.png").read_bytes() for name in ("assumed", "known"))
    assert assumed != known
    assert f"the camera, {used.hfov_deg:.0f} degrees wide" in capsys.readouterr().out
