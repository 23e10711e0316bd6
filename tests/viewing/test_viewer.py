"""The viewer: where motions stand, what is sent to the browser, and, in a headless Chromium, what it shows."""

import io
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import roma
import torch
from paths import WALK_BVH
from PIL import Image

from motionrep import body as body_folder
from motionrep.body import load_body_model
from motionrep.body.kinematics import body_kinematics
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.synthetic.virtual_camera import simulated_keypoints
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking
from motionrep.layouts import HALPE_26, SMPL_24
from motionrep.motion.axes import in_camera
from motionrep.types import BodyMotion, JointMotion, MotionEmbedding
from motionrep.viewing.arrangement import ViewedMotion, side_by_side, standing
from motionrep.viewing.figures import strongest_weights
from motionrep.viewing.similarity import moments, self_similarity, similarity_to

PATIENCE_S = 120.0


def _tilted_camera() -> PinholeCamera:
    pose = camera_from_world_looking(torch.tensor([1.0, 2.6, 4.0]), torch.tensor([0.0, 0.9, 0.0]))
    return replace(PinholeCamera.from_hfov(1280, 720), camera_from_world=pose)


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


@pytest.fixture(scope="module")
def filmed(body):
    """A second of jumping jacks seen from above, with keypoints and made-up values for an embedding."""
    motion = in_camera(authored_motion("jumping_jack", seed=1, seconds=1.0), body, _tilted_camera())
    keypoints = simulated_keypoints(motion, body, _tilted_camera(), HALPE_26, np.random.default_rng(0))
    values = torch.randn(motion.frame_count, 17, 8, generator=torch.Generator().manual_seed(0))
    embedding = MotionEmbedding(values, keypoints.as_h36m_17(), "made up")
    return ViewedMotion("jumping <jack>", motion, keypoints, embedding)


def _vertices(motion: BodyMotion, body) -> torch.Tensor:
    with torch.no_grad():
        return body.vertices(motion.local_rotmat, motion.betas, motion.translation_m)


def test_a_motion_seen_from_above_stands_upright_on_the_floor(filmed, body):
    world, low, high = standing(filmed.motion)
    vertex_m = _vertices(world, body)
    joint_m = body.joints(world.local_rotmat, world.betas, world.translation_m)
    trunk = joint_m[:, SMPL_24.index("neck")] - joint_m[:, SMPL_24.index("pelvis")]
    leaning_deg = torch.rad2deg(torch.acos((trunk[:, 1] / trunk.norm(dim=-1)).clamp(max=1)))
    assert world.frame == "world"
    assert float(leaning_deg.mean()) < 8
    assert abs(float(vertex_m[..., 1].amin(1).median())) < 0.06
    assert bool((vertex_m.amin((0, 1)) > low - 0.05).all())
    assert bool((vertex_m.amax((0, 1)) < high + 0.05).all())


def test_standing_up_is_a_rigid_move(filmed, body):
    world, _, _ = standing(filmed.motion)
    before, after = _vertices(filmed.motion, body)[::9, ::97], _vertices(world, body)[::9, ::97]
    apart = [(some[:, :, None] - some[:, None]).norm(dim=-1) for some in (before, after)]
    torch.testing.assert_close(*apart, atol=1e-4, rtol=0)


@pytest.mark.parametrize("yaw", [0.0, 1.0, 3.0])
def test_a_motion_of_the_world_keeps_its_height_and_turns_to_the_front(yaw, body):
    motion = authored_motion("bow", seed=2, seconds=1.0)
    turn = roma.rotvec_to_rotmat(torch.tensor([0.0, yaw, 0.0]))
    rotmat = motion.local_rotmat.clone()
    rotmat[:, 0] = turn @ rotmat[:, 0]
    world, _, _ = standing(replace(motion, local_rotmat=rotmat))
    front = world.local_rotmat[:, 0].mean(0)[:, 2]
    assert float(front[2] / front[[0, 2]].norm()) > 0.999
    torch.testing.assert_close(world.translation_m[:, 1], motion.translation_m[:, 1], atol=1e-5, rtol=0)


def test_motions_side_by_side_keep_out_of_each_others_columns(filmed, body):
    walk = ViewedMotion("walk", authored_motion("walk", seed=0, seconds=3.0))
    joints = body.joints(walk.motion.local_rotmat, walk.motion.betas, walk.motion.translation_m)
    stick = ViewedMotion("stick", JointMotion(joints, SMPL_24, 30.0, "world"))
    placed = side_by_side([walk, filmed, stick])
    spans = []
    for one in placed:
        point_m = one.motion.position_m if isinstance(one.motion, JointMotion) else _vertices(one.motion, body)
        x = [point_m[..., 0].min(), point_m[..., 0].max()]
        if one.panel is not None:
            x += [one.panel.origin_m[0], one.panel.origin_m[0] + one.panel.size_m[0]]
        spans.append((float(min(x)), float(max(x))))
    assert spans[0][1] < spans[1][0]
    assert spans[1][1] < spans[2][0]
    assert abs(spans[0][0] + spans[2][1]) < 0.2  # the row is centred


def test_seen_keypoints_lie_on_their_panel_the_right_way_up(filmed):
    (placed,) = side_by_side([filmed])
    panel, keypoints = placed.panel, filmed.keypoints
    point_m = panel.points(keypoints.xy_px)
    seen_m = point_m[keypoints.confidence > 0]
    width_m, height_m = panel.size_m
    assert bool((seen_m[:, 0] > panel.origin_m[0]).all())
    assert bool((seen_m[:, 0] < panel.origin_m[0] + width_m).all())
    assert bool((seen_m[:, 1] < panel.origin_m[1]).all())
    assert bool((seen_m[:, 1] > panel.origin_m[1] - height_m).all())
    higher = point_m[0, HALPE_26.index("nose"), 1] - point_m[0, HALPE_26.index("left_ankle"), 1]
    assert float(higher) > 0.5
    assert float(seen_m[:, 0].max()) < float(placed.low_m[0])  # beside the person, not behind


def test_four_weights_a_vertex_are_close_to_the_whole_skinning(filmed, body):
    """What viser's skinned mesh does with the bones it is given, against the exact surface."""
    motion = filmed.motion
    rest_joint_m = body.rest_joints(motion.betas)
    rotmat, joint_m = body_kinematics(motion.local_rotmat, motion.translation_m, rest_joint_m)
    shift_m = joint_m - (rotmat @ rest_joint_m[..., None])[..., 0]
    rest_m, weights = body.rest_vertices(motion.betas), strongest_weights(body)
    skinned = torch.einsum("vj,fjab,vb->fva", weights, rotmat, rest_m) + torch.einsum("vj,fja->fva", weights, shift_m)
    error_mm = (skinned - _vertices(motion, body)).norm(dim=-1) * 1000
    assert int((weights > 0).sum(1).max()) == 4
    assert float(error_mm.mean()) < 0.05
    assert float(error_mm.max()) < 12


def test_a_moment_is_most_like_itself_and_rows_agree_with_the_matrix(filmed):
    moment = moments(filmed.embedding)
    matrix = self_similarity(moment)
    torch.testing.assert_close(matrix[7], similarity_to(moment, 7))
    torch.testing.assert_close(matrix, matrix.T)
    assert matrix.argmax(1).tolist() == list(range(len(moment)))


def test_similarity_does_not_see_what_is_the_same_all_the_time(filmed):
    shifted = replace(filmed.embedding, values=filmed.embedding.values + 100 * torch.ones(17, 8))
    torch.testing.assert_close(moments(shifted), moments(filmed.embedding), atol=1e-3, rtol=0)


def test_nothing_to_view_is_an_error():
    with pytest.raises(ValueError, match="no motions"):
        side_by_side([])


def test_keypoints_of_another_clip_are_refused(filmed):
    with pytest.raises(ValueError, match="jumping <jack>: keypoints of 30 frames, the motion has 29"):
        replace(filmed, motion=filmed.motion.cut(1))


def test_a_page_that_is_not_html_is_refused(filmed, tmp_path):
    pytest.importorskip("viser", reason="needs the extra view")
    from motionrep.viewing import save_page

    with pytest.raises(ValueError, match=r"saved as \.html"):
        save_page([filmed], tmp_path / "page.mp4")


@pytest.mark.parametrize(
    ("host", "port", "message"), [("127.0.0.1", 70000, "0 to 65535"), ("no.such.host.invalid", 0, "not known")]
)
def test_a_place_that_does_not_exist_is_an_error(host, port, message):
    pytest.importorskip("viser", reason="needs the extra view")
    from motionrep.viewing.server import open_server

    with pytest.raises(ValueError, match=message):
        open_server(host, port)


def test_motions_run_by_the_clock_at_a_port_that_is_free(body, capsys):
    """Two frame rates; the port asked for is taken, so another one is used."""
    pytest.importorskip("viser", reason="needs the extra view")
    from motionrep.viewing import Viewer

    fast = authored_motion("walk", seconds=1.0, fps=60.0)
    slow = authored_motion("walk", seconds=0.5, fps=10.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        later = replace(slow, first_frame=5)
        motions = [ViewedMotion("fast", fast), ViewedMotion("slow", slow), ViewedMotion("later", later)]
        with Viewer(motions, port=port) as viewer:
            assert viewer.url != f"http://127.0.0.1:{port}"
            frames = [[figure.frame_at(at) for figure in viewer._scene.figures] for at in (0.0, 0.35, 0.9, 1.0)]
            started_s = viewer.time_s
            deadline = time.monotonic() + PATIENCE_S
            while viewer.time_s == started_s and time.monotonic() < deadline:
                time.sleep(0.02)
            assert viewer.time_s != started_s
    assert frames == [[0, 0, 0], [21, 3, 0], [54, 4, 4], [59, 4, 4]]
    assert capsys.readouterr().out == ""  # the standard output is for the command


def test_a_body_with_pose_correctives_is_sent_vertex_by_vertex(body, tmp_path):
    """viser's skinned mesh would lose them; the open body, which has none, is skinned by its joints."""
    pytest.importorskip("viser", reason="needs the extra view")
    from motionrep.viewing.scene import Scene
    from motionrep.viewing.server import closing, open_server

    with np.load(Path(body_folder.__file__).parent / "open_body.npz", allow_pickle=False) as file:
        fields = dict(file)
    correctives = np.random.default_rng(0).normal(0, 0.01, (len(fields["v_template"]), 3, 207)).astype(np.float32)
    path = tmp_path / "corrected.npz"
    np.savez(path, **fields | {"posedirs": correctives})
    motion = authored_motion("bow", seconds=0.2)
    corrected = replace(motion, body_model=str(path))
    with closing(open_server("127.0.0.1", 0)) as server:
        scene = Scene(server, [ViewedMotion("open", motion), ViewedMotion("corrected", corrected)])
        scene.show(0.1)
        plain, exact = scene.figures
        world = exact.placed.motion.cut(3, 4)
        vertex_m = load_body_model(str(path)).vertices(world.local_rotmat, world.betas, world.translation_m)[0]
        np.testing.assert_allclose(exact.mesh.vertices, vertex_m.numpy(), atol=1e-5)
        world = plain.placed.motion.cut(3, 4)
        joint_m = body.joints(world.local_rotmat, world.betas, world.translation_m)[0]
        places = [bone.position for bone in plain.mesh.bones]
        np.testing.assert_allclose(places, joint_m.numpy(), atol=1e-5)


@pytest.mark.slow
def test_the_command_serves_until_it_is_interrupted():
    pytest.importorskip("viser", reason="needs the extra view")
    bvh = WALK_BVH
    command = [sys.executable, "-m", "motionrep", "view", str(bvh), "--port", "0"]
    # Shells start background jobs with the interrupt ignored, and children inherit it.
    listening = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **listening) as serving:
        try:
            url = serving.stdout.readline().split()[0]
            with urllib.request.urlopen(url, timeout=PATIENCE_S) as page:
                assert b"<html" in page.read()
            serving.send_signal(signal.SIGINT)
            out, errors = serving.communicate(timeout=PATIENCE_S)
        finally:
            serving.kill()
    assert url.startswith("http://127.0.0.1:")
    assert (serving.returncode, out, errors) == (0, "", "")


# In the browser -------------------------------------------------------------------------------------------------------


class _Tab:
    """A browser tab that remembers what went wrong in it and what it asked for."""

    def __init__(self, browser, offline: bool = False) -> None:
        self.context = browser.new_context(viewport={"width": 1000, "height": 420}, offline=offline)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_S * 1000)
        self.errors, self.requests = [], []
        self.page.on("console", lambda told: self.errors.append(told.text) if told.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def picture(self) -> np.ndarray:
        """The scene as it is now, without the controls around it."""
        shot = self.page.locator("canvas").first.screenshot(timeout=PATIENCE_S * 1000)
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)[
            :360, 300:680
        ]  # beside the notice of slow drawing

    def seconds(self) -> float:
        return float(self.page.locator('[role="slider"]').first.get_attribute("aria-valuenow"))

    def scrub(self, share: float, clip_s: float) -> np.ndarray:
        """Clicks on the time line; the picture that is there then. (Arrow keys would turn the camera as well.)"""
        track = self.page.locator(".mantine-Slider-trackContainer").first.bounding_box()
        self.page.mouse.click(track["x"] + share * track["width"], track["y"] + track["height"] / 2)
        self.until(lambda: abs(self.seconds() - share * clip_s) < 0.1 * clip_s)
        return self.until_still()

    def until(self, condition) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            self.page.wait_for_timeout(150)

    def until_still(self) -> np.ndarray:
        """The picture once it has been the same for some time: a slow browser draws late, the mesh last of all."""
        pictures = [self.picture()]

        def still() -> bool:
            self.page.wait_for_timeout(300)
            pictures.append(self.picture())
            return len(pictures) > 4 and all(_changed(pictures[-1], one) == 0 for one in pictures[-5:-1])

        self.until(still)
        return pictures[-1]


def _changed(one: np.ndarray, other: np.ndarray) -> float:
    """Share of blocks of 6 x 6 pixels that differ visibly; viser draws more coarsely where the browser is slow."""

    def blocks(picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[0] // 6, picture.shape[1] // 6
        return picture[: height * 6, : width * 6].reshape(height, 6, width, 6, 3).mean((1, 3))

    return float((np.abs(blocks(one) - blocks(other)).max(-1) > 12).mean())


@pytest.mark.slow
def test_the_page_plays_pauses_scrubs_and_hides_the_mesh(browser, filmed):
    from motionrep.viewing import Viewer

    with Viewer([filmed], port=0) as viewer:
        tab = _Tab(browser)
        tab.page.goto(viewer.url)
        pause = tab.page.get_by_role("button", name="Pause")
        pause.wait_for()
        first = tab.seconds()
        tab.until(lambda: tab.seconds() != first)
        pause.dispatch_event("click")
        tab.page.get_by_role("button", name="Play").wait_for()
        start = tab.scrub(0.1, 1.0)
        assert _changed(start, tab.scrub(0.5, 1.0)) > 0.01
        again = tab.scrub(0.1, 1.0)
        assert _changed(start, again) < 0.002
        tab.page.get_by_label("Mesh").dispatch_event("click")
        tab.until(lambda: _changed(again, tab.picture()) > 0.01)
        assert tab.errors == []
        tab.context.close()


@pytest.mark.slow
def test_a_saved_page_plays_and_scrubs_without_a_network(browser, filmed, tmp_path):
    from motionrep.viewing import save_page

    page = save_page(
        [filmed, ViewedMotion("bow", authored_motion("bow", seconds=1.0, fps=25.0))], tmp_path / "page.html"
    )
    assert page.stat().st_size < 3e6
    tab = _Tab(browser, offline=True)
    tab.page.goto(page.as_uri())
    tab.page.get_by_role("button", name="Show scene tree").wait_for()
    first = tab.seconds()
    tab.until(lambda: tab.seconds() != first)
    one = tab.picture()
    tab.until(lambda: _changed(one, tab.picture()) > 0.002)
    tab.page.locator("button:has(svg.tabler-icon-player-pause-filled)").dispatch_event("click")
    assert _changed(tab.scrub(0.05, 1.0), tab.scrub(0.5, 1.0)) > 0.01
    assert tab.errors == []
    assert [url for url in tab.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    tab.context.close()
