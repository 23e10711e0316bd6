import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import GOLDEN
from PIL import Image

from motionrep.body import load_body_model
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking, project, to_camera, up_in_camera
from motionrep.layouts import H36M_17, HALPE_26, SMPL_24
from motionrep.rendering import render, render_frames
from motionrep.rendering.backdrop import make_backdrop
from motionrep.rendering.projection import screen_points
from motionrep.rendering.raster import rasterize
from motionrep.rendering.scene import draw
from motionrep.rendering.skeleton import LEFT, draw_keypoints, stick_figure, stick_figure_vertices
from motionrep.rendering.stage import up_from_steps
from motionrep.rendering.surfaces import Surface, vertex_normals
from motionrep.types import BodyMotion, JointMotion, Keypoints, MeshMotion

ONE_FACE = torch.tensor([[0, 1, 2]])


def _waving(frames: int, frame: str = "camera", fps: float = 30.0, speed: float = 0.0) -> BodyMotion:
    """A body that swings its arms and legs, facing the camera, or +z in the world."""
    phase = torch.arange(frames) / fps * 6
    axis_angle = torch.zeros(frames, 24, 3)
    for joint, axis, value in (
        ("left_shoulder", 2, -1.1), ("right_shoulder", 2, 1.1 - phase.cos()), ("left_elbow", 1, -0.7),
        ("left_hip", 0, -0.4 * phase.sin()), ("right_hip", 0, 0.4 * phase.sin()), ("right_knee", 0, 0.4),
    ):  # fmt: skip
        axis_angle[:, SMPL_24.index(joint), axis] = value
    rotmat = roma.rotvec_to_rotmat(axis_angle)
    place = torch.tensor([0.1, 0.93, 0.0]).repeat(frames, 1)
    place[:, 2] = speed * torch.arange(frames) / fps
    if frame == "camera":
        rotmat[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ roma.rotvec_to_rotmat(torch.tensor([0.0, 0.5, 0]))
        place = torch.tensor([0.1, 0.1, 3.5]).repeat(frames, 1)
    return BodyMotion(rotmat, place, torch.zeros(10), "open", fps, frame)


def _keypoints(motion: BodyMotion) -> Keypoints:
    body = load_body_model("open")
    point_m = body.points(HALPE_26, motion.local_rotmat, motion.betas, motion.translation_m)
    xy_px = project(point_m, PinholeCamera.from_hfov(640, 480))
    return Keypoints(xy_px, torch.ones(xy_px.shape[:2]), HALPE_26, motion.fps, 640, 480)


def _assert_like_golden(picture: np.ndarray, name: str, tmp_path: Path) -> None:
    """Mean and worst 1 % of the differences are small; otherwise the picture is kept for a look."""
    path = GOLDEN / f"render_{name}.png"
    with Image.open(path) as image:
        difference = np.abs(np.asarray(image).astype(int) - picture).max(-1)
    if difference.mean() > 0.5 or np.quantile(difference, 0.99) > 8:
        wrong = tmp_path / path.name
        Image.fromarray(picture).save(wrong)
        pytest.fail(f"{wrong} differs from {path}: mean {difference.mean():.2f}, worst {difference.max()} of 255")


def _homogeneous(corner_px: list[list[float]], depth: list[float]) -> torch.Tensor:
    depth_m = torch.tensor(depth)[:, None]
    return torch.cat([torch.tensor(corner_px) * depth_m, depth_m], 1)[None]


coordinates = st.floats(-10, 30, width=32)


@settings(max_examples=100)
@given(st.lists(coordinates, min_size=6, max_size=6), st.lists(st.floats(0.5, 5, width=32), min_size=3, max_size=3))
def test_a_triangle_covers_the_pixel_centres_inside_it(xy, depth):
    """Against the sign rule in exact-enough arithmetic; centres within a hair of an edge may go either way."""
    corner = np.array(xy, float).reshape(3, 2)
    seen = rasterize(_homogeneous(corner.tolist(), depth), ONE_FACE, 20, 16, back_faces="show")
    covered = np.zeros((16, 20), bool)
    covered.reshape(-1)[seen.pixel.numpy()] = True
    center = np.stack(np.meshgrid(np.arange(20) + 0.5, np.arange(16) + 0.5), -1)
    distance = []
    for a, b in ((0, 1), (1, 2), (2, 0)):
        edge, offset = corner[b] - corner[a], center - corner[a]
        distance.append((edge[0] * offset[..., 1] - edge[1] * offset[..., 0]) / max(np.linalg.norm(edge), 1e-9))
    distance = np.stack(distance)
    inside = (distance > 1e-3).all(0) | (distance < -1e-3).all(0)
    outside = (distance < -1e-3).any(0) & (distance > 1e-3).any(0)
    assert covered[inside].all()
    assert not covered[outside].any()


def test_a_fan_of_triangles_covers_every_pixel_once():
    """The corner and edges lie exactly on pixel centres, where a sloppy rule leaves holes or draws twice."""
    rim = [[0.5, 0.5], [8.5, 0.5], [15.5, 0.5], [15.5, 9.5], [15.5, 15.5], [3.5, 15.5], [0.5, 15.5], [0.5, 4.5]]
    screen = _homogeneous([[8.5, 7.5], *rim], [2.0] * 9)
    faces = torch.tensor([[0, i + 1, (i + 1) % 8 + 1] for i in range(8)])
    count = torch.zeros(16, 16)
    for face in faces:
        pixel = rasterize(screen, face[None], 16, 16, back_faces="show").pixel
        count.view(-1)[pixel] += 1
    expected = torch.zeros(16, 16)
    expected[:15, :15] = 1  # like [0.5, 15.5) along both axes
    assert torch.equal(count, expected)


def test_barycentric_weights_give_back_point_and_depth():
    camera = PinholeCamera.from_hfov(64, 48, 60.0)
    corner_m = torch.tensor([[-0.6, -0.5, 1.2], [0.9, -0.3, 3.0], [0.1, 0.6, 1.8]])
    seen = rasterize(screen_points(corner_m, camera)[None], ONE_FACE, 64, 48, back_faces="show")
    point_m = seen.interpolate(corner_m[None], ONE_FACE)
    assert len(point_m) > 200
    assert torch.allclose(point_m[:, 2], seen.depth, atol=1e-4)
    center = torch.stack([seen.pixel % 64, seen.pixel // 64], 1) + 0.5
    assert torch.allclose(project(point_m, camera), center, atol=1e-3)


def test_the_nearer_face_wins_whatever_the_order():
    camera = PinholeCamera.from_hfov(32, 24)
    wide = torch.tensor([[-9.0, -9, 0], [9, -9, 0], [0, 9, 0]])
    near, far = wide + torch.tensor([0, 0, 2.0]), wide + torch.tensor([0, 0, 2.01])
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]])
    for order, expected in (([near, far], 0), ([far, near], 1)):
        screen = screen_points(torch.cat(order), camera)[None]
        seen = rasterize(screen, faces, 32, 24, back_faces="show")
        assert len(seen.pixel) == 32 * 24
        assert bool((seen.face == expected).all())


def test_back_faces_are_hidden():
    camera = PinholeCamera.from_hfov(32, 24)
    corner_m = torch.tensor([[-1.0, 1, 2], [1, 1, 2], [0, -1, 2]])  # counter-clockwise as seen (y points down)
    screen = screen_points(corner_m, camera)[None]
    assert len(rasterize(screen, ONE_FACE, 32, 24).pixel) > 50
    assert len(rasterize(screen, ONE_FACE.flip(1), 32, 24).pixel) == 0


def test_a_surface_that_passes_the_eye_is_cut_at_the_near_plane():
    """A floor under the camera: below the horizon everything, above it nothing, depths as geometry says."""
    camera = PinholeCamera.from_hfov(64, 48)
    floor_m = torch.tensor([[-500.0, 1, -500], [500, 1, -500], [500, 1, 500], [-500, 1, 500]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    seen = rasterize(screen_points(floor_m, camera)[None], faces, 64, 48, back_faces="show")
    row = seen.pixel // 64
    assert len(seen.pixel) == 64 * 24
    assert int(row.min()) == 24
    expected_m = camera.focal_px / (row + 0.5 - 24)
    assert torch.allclose(seen.depth, expected_m, rtol=1e-3)
    behind = screen_points(floor_m - torch.tensor([0, 0, 600.0]), camera)[None]
    assert len(rasterize(behind, faces, 64, 48, back_faces="show").pixel) == 0


def test_a_camera_inside_the_body_still_gives_a_picture():
    body = load_body_model("open")
    vertex_m = body.template_vertex_m
    color = torch.full_like(vertex_m, 0.8)
    for eye_m in ([0.0, 0.1, 0.02], [0.0, 0.3, 0.2]):
        pose = camera_from_world_looking(torch.tensor(eye_m), torch.tensor([0.1, 0.3, -1.0]))
        camera = replace(PinholeCamera.from_hfov(64, 48), camera_from_world=pose)
        picture = draw([Surface(vertex_m, body.faces.long(), color)], make_backdrop(camera, None))
        assert picture.shape == (48, 64, 3)


def test_a_batch_equals_one_by_one():
    camera = PinholeCamera.from_hfov(80, 60)
    motion = _waving(3)
    mesh = load_body_model("open").mesh(motion)
    screen, faces = screen_points(mesh.vertex_m, camera), mesh.faces.long()
    together = rasterize(screen, faces, 80, 60)
    for index in range(3):
        alone = rasterize(screen[index : index + 1], faces, 80, 60)
        mine = together.image == index
        assert torch.equal(together.pixel[mine] - index * 80 * 60, alone.pixel)
        assert torch.equal(together.face[mine], alone.face)
        assert torch.equal(together.barycentric[mine], alone.barycentric)
    point_m = together.interpolate(mesh.vertex_m, faces)
    assert torch.allclose(point_m[:, 2], together.depth, atol=1e-3)


def test_of_two_meshes_the_nearer_one_hides_the_other():
    ball_m = stick_figure_vertices(torch.zeros(1, 17, 3), H36M_17)[0, : 7 * 12] * 10
    faces = stick_figure(H36M_17)[0]
    faces = faces[(faces < len(ball_m)).all(1)]
    apart = torch.tensor([0.0, 0.0, 1.0])
    red, blue = torch.tensor([0.9, 0.2, 0.2]), torch.tensor([0.2, 0.2, 0.9])
    pose = camera_from_world_looking(torch.tensor([0.0, 0.0, 4.0]), torch.zeros(3))
    camera = replace(PinholeCamera.from_hfov(48, 48, 30.0), camera_from_world=pose)
    for shift, front in ((-apart, 0), (apart, 2)):
        balls = [Surface(ball_m + place, faces, color.expand_as(ball_m)) for place, color in ((0, red), (shift, blue))]
        picture = draw(balls, make_backdrop(camera, None))
        assert int(picture[24, 24].argmax()) == front


def test_normals_point_outside():
    body = load_body_model("open")
    normal = vertex_normals(body.template_vertex_m, body.faces.long())
    assert torch.allclose(normal.norm(dim=-1), torch.ones(len(normal)), atol=1e-4)
    grown = body.template_vertex_m + 0.01 * normal
    faces = body.faces.long()

    def volume(vertex_m: torch.Tensor) -> float:
        a, b, c = vertex_m[faces].unbind(1)
        return float((a * torch.linalg.cross(b, c)).sum() / 6)

    assert volume(grown) > volume(body.template_vertex_m) > 0


def test_up_is_the_cameras_unless_the_camera_is_clearly_tilted():
    def lean(degrees: float) -> torch.Tensor:
        return torch.tensor([0.0, -math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])

    level = torch.tensor([0.0, -1.0, 0.0])
    assert torch.equal(up_in_camera(lean(10)), level)
    assert torch.allclose(up_in_camera(lean(30)), lean(30))
    assert torch.equal(up_in_camera(lean(90)), level)


def test_the_camera_view_coincides_with_the_keypoints():
    motion = _waving(2)
    keypoints = _keypoints(motion)
    mesh_only = next(render_frames(motion, keypoints=keypoints, views=("camera",), height_px=120))
    assert mesh_only.shape[1] == 160  # the one view that was asked for
    mesh = mesh_only[:120]
    body_color = mesh[..., 0].astype(int) - mesh[..., 2] > 8  # the body is warm, the scene is cool
    xy = (keypoints.xy_px[0] / 4).round().long()
    for joint in ("nose", "left_knee", "right_knee", "left_elbow", "left_wrist", "hip", "neck", "left_ankle"):
        x, y = xy[HALPE_26.index(joint)].tolist()
        assert body_color[y - 1 : y + 2, x - 1 : x + 2].any(), joint


def test_unseen_keypoints_are_not_drawn_and_unsure_ones_are_paler():
    keypoints = _keypoints(_waving(1))
    wrist, elbow = HALPE_26.index("left_wrist"), HALPE_26.index("left_elbow")
    x, y = keypoints.xy_px[0, wrist].round().long().tolist()

    def at_wrist(confidence: float) -> np.ndarray:
        values = keypoints.confidence.clone()
        values[0, wrist] = confidence
        return draw_keypoints(replace(keypoints, confidence=values), 0, 640, 480)[y, x].astype(int)

    paper = draw_keypoints(replace(keypoints, confidence=torch.zeros(1, 26)), 0, 640, 480)
    assert len(np.unique(paper.reshape(-1, 3), axis=0)) == 1
    assert np.array_equal(at_wrist(0.0), paper[y, x])
    assert np.abs(at_wrist(1.0) - np.array(LEFT) * 255).max() <= 2
    assert at_wrist(1.0)[0] < at_wrist(0.3)[0] < paper[y, x, 0]
    assert elbow != wrist


def test_the_stick_figure_is_closed_and_faces_outside():
    faces, color = stick_figure(H36M_17)
    position_m = load_body_model("open").points(H36M_17, _waving(1).local_rotmat, torch.zeros(10), torch.zeros(1, 3))
    vertex_m = stick_figure_vertices(position_m, H36M_17)[0]
    assert len(color) == len(vertex_m)
    assert int(faces.max()) < len(vertex_m)
    normal = vertex_normals(vertex_m, faces)
    ball = slice(0, 7 * 12)
    outward = ((vertex_m[ball] - position_m[0, 0]) * normal[ball]).sum(-1)
    assert bool((outward[12:-12] > 0).all())


@pytest.mark.parametrize("case", ["camera", "world", "joints"])
def test_pictures_look_as_they_did(case, tmp_path):
    motion = _waving(8, "world" if case == "world" else "camera")
    keypoints = None
    if case == "camera":
        keypoints = _keypoints(motion)
        keypoints.confidence[:, HALPE_26.index("left_wrist")] = 0.3
        keypoints.confidence[:, HALPE_26.index("right_ankle")] = 0
    if case == "joints":
        body = load_body_model("open")
        position_m = body.points(H36M_17, motion.local_rotmat, motion.betas, motion.translation_m)
        motion = JointMotion(position_m, H36M_17, motion.fps, "camera")
    frames = list(render_frames(motion, keypoints=keypoints, width_px=160, height_px=120))
    assert len(frames) == 8
    _assert_like_golden(frames[4][:120], case, tmp_path)  # without the titles: fonts differ


def test_a_mesh_looks_like_the_body_it_was_made_from():
    motion = _waving(4, "world")
    mesh = load_body_model("open").mesh(motion)
    seen = [np.stack(list(render_frames(m, height_px=60, views=("side",)))).astype(int) for m in (motion, mesh)]
    assert np.abs(seen[0] - seen[1]).mean() < 1.0


def test_the_cameras_follow_who_walks_far():
    frames = list(render_frames(_waving(60, "world", speed=3.0), height_px=90, width_px=120, views=("side",)))
    for frame in (frames[0], frames[30], frames[59]):
        body = frame[:90, ..., 0].astype(int) - frame[:90, ..., 2] > 8
        assert abs(np.nonzero(body.any(0))[0].mean() - 60) < 25
        assert 50 < body.any(1).sum() < 88


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ""])
def test_render_writes_a_file(tmp_path, suffix):
    if suffix == ".mp4":
        pytest.importorskip("av")
    motion = _waving(5)
    path = render(motion, tmp_path / f"clip{suffix}", keypoints=_keypoints(motion), height_px=40)
    assert path.exists()
    assert [p.name for p in tmp_path.iterdir()] == [f"clip{suffix}"]


def test_root_frame_joints_are_drawn_without_a_camera():
    position_m = load_body_model("open").points(H36M_17, _waving(3).local_rotmat, torch.zeros(10), torch.zeros(3, 3))
    motion = JointMotion(position_m - position_m[:, :1], H36M_17, 30.0, "root")
    assert next(render_frames(motion, height_px=60)).shape == (84, 162, 3)
    with pytest.raises(ValueError, match="root"):
        render_frames(motion, camera=PinholeCamera.from_hfov(64, 48))


def test_drawing_leaves_the_number_of_threads_alone():
    before = torch.get_num_threads()
    list(render_frames(_waving(2), height_px=40))
    assert torch.get_num_threads() == before


def test_stopping_midway_ends_cleanly():
    frames = render_frames(_waving(40), height_px=40)
    next(frames)
    frames.close()
    with pytest.raises(StopIteration):
        next(frames)


def test_wrong_calls_say_what_is_wrong(tmp_path):
    motion = _waving(3)
    with pytest.raises(ValueError, match="2 frames, the motion has 3"):
        render(motion, tmp_path / "clip.gif", keypoints=_keypoints(_waving(2)))
    with pytest.raises(ValueError, match="no frames"):
        render(_waving(0), tmp_path / "clip.gif")
    with pytest.raises(ValueError, match="fps"):
        render(motion, tmp_path / "clip.gif", fps=0.0)
    with pytest.raises(ValueError, match="no views"):
        render(motion, tmp_path / "clip.gif", views=())
    with pytest.raises(ValueError, match=r"'\.avi'"):
        render(motion, tmp_path / "clip.avi")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_memory_does_not_grow_with_the_length_of_the_clip():
    """80 more frames of 640 x 480 would be 75 MB."""
    import resource

    def peak_mb() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)

    def consume(frames: int) -> None:
        for _ in render_frames(_waving(frames), views=("camera",), width_px=640, height_px=480, supersample=1):
            pass

    consume(20)
    before = peak_mb()
    consume(100)
    assert peak_mb() - before < 40


def test_camera_of_the_world_is_used_as_given():
    """A body in the world, seen by a camera with a pose of its own: the picture matches the projection."""
    motion = _waving(2, "world")
    pose = camera_from_world_looking(torch.tensor([1.5, 1.6, 3.0]), torch.tensor([0.0, 0.9, 0.0]))
    camera = replace(PinholeCamera.from_hfov(320, 240), camera_from_world=pose)
    body = load_body_model("open")
    point_m = body.points(HALPE_26, motion.local_rotmat, motion.betas, motion.translation_m)
    xy = (project(to_camera(point_m, camera), camera)[0] / 2).round().long()
    picture = next(render_frames(motion, camera=camera, views=("camera",), height_px=120)).astype(int)
    for joint in ("nose", "left_knee", "hip", "neck"):
        x, y = xy[HALPE_26.index(joint)].tolist()
        assert picture[y, x, 0] - picture[y, x, 2] > 8, joint


def test_a_mesh_that_is_not_a_body_can_be_drawn():
    box = torch.tensor([[x, y, z] for x in (-0.5, 0.5) for y in (0.0, 1.0) for z in (-0.5, 0.5)])
    faces = torch.tensor([
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ])  # fmt: skip
    motion = MeshMotion(box.expand(2, 8, 3).clone(), faces, 25.0, "world")
    picture = next(render_frames(motion, height_px=60, views=("side",)))
    assert picture[30, 40, 0] - picture[30, 40, 2] > 8


def test_a_long_walk_tells_which_way_is_up() -> None:
    """Steps on a floor that a camera pitched by 12 degrees sees as a slope; standing still tells nothing."""
    pitch = math.radians(12)
    true_up = torch.tensor([0.0, -math.cos(pitch), -math.sin(pitch)])
    forward = torch.tensor([0.0, -math.sin(pitch), math.cos(pitch)])
    feet_m = torch.linspace(3, 7, 20)[:, None] * forward
    person_m = torch.stack([feet_m, feet_m + 1.7 * true_up], 1)
    level = torch.tensor([0.0, -1.0, 0.0])
    assert float(up_from_steps(level, person_m) @ true_up) > math.cos(math.radians(1.5))
    assert torch.equal(up_from_steps(level, person_m[:1].expand(20, 2, 3)), level)
