"""The report of a clip: angles, speeds, doubts, and the page."""

import base64
import io
import re
import shutil
from dataclasses import replace

import pytest
import torch
from paths import WALK_BVH

from motionrep.body import load_body_model
from motionrep.cli.main import main
from motionrep.datasets.authored.motions import authored_motion
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking, project
from motionrep.keypoints.quality import leaps, person_size_px, quality_warnings, swaps
from motionrep.layouts import H36M_17, HALPE_26
from motionrep.motion.axes import in_camera
from motionrep.motion.measures import joint_angles_deg, joint_speeds_m_per_s
from motionrep.types import JointMotion, Keypoints, MotionEmbedding

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def _standing(frames: int = 1) -> torch.Tensor:
    """A straight person facing +z with hanging arms, Human3.6M-17, y up."""
    place = {
        "pelvis": (0, 1.0, 0), "spine": (0, 1.25, 0), "thorax": (0, 1.5, 0), "nose": (0, 1.6, 0.1),
        "head": (0, 1.75, 0),
    }  # fmt: skip
    for side, x in (("left", 1.0), ("right", -1.0)):
        place |= {
            f"{side}_hip": (0.1 * x, 1.0, 0), f"{side}_knee": (0.1 * x, 0.55, 0), f"{side}_ankle": (0.1 * x, 0.1, 0),
            f"{side}_shoulder": (0.2 * x, 1.5, 0), f"{side}_elbow": (0.2 * x, 1.2, 0),
            f"{side}_wrist": (0.2 * x, 0.95, 0),
        }  # fmt: skip
    return torch.tensor([place[joint] for joint in H36M_17.joints], dtype=torch.float32).repeat(frames, 1, 1)


def _with(position_m: torch.Tensor, **moved_m: tuple[float, float, float]) -> JointMotion:
    """The joints named put at a place relative to another: `left_ankle__left_knee=(0, 0, -0.4)`."""
    position_m = position_m.clone()
    for names, offset_m in moved_m.items():
        joint, base = names.split("__")
        position_m[:, H36M_17.index(joint)] = position_m[:, H36M_17.index(base)] + torch.tensor(offset_m)
    return JointMotion(position_m, H36M_17, 30.0, "world")


def _at(motion: JointMotion, angle: str) -> float:
    return float(joint_angles_deg(motion)[angle][0])


def test_a_person_who_stands_straight_has_angles_of_zero():
    for name, angle in joint_angles_deg(_with(_standing())).items():
        assert float(angle.abs().max()) < 0.1, name


@pytest.mark.parametrize(
    ("angle", "expected", "moved"),
    [
        ("left_knee_flexion", 90, {"left_ankle__left_knee": (0, 0, -0.45)}),
        ("right_knee_flexion", 45, {"right_ankle__right_knee": (0, -0.3, -0.3)}),
        ("left_hip_flexion", 90, {"left_knee__left_hip": (0, 0, 0.45)}),
        ("right_hip_flexion", -30, {"right_knee__right_hip": (0, -(3**0.5) / 4, -0.25)}),
        ("left_shoulder_elevation", 90, {"left_elbow__left_shoulder": (0.3, 0, 0)}),
        ("right_shoulder_elevation", 180, {"right_elbow__right_shoulder": (0, 0.3, 0)}),
        ("left_elbow_flexion", 135, {"left_wrist__left_elbow": (0, 0.2, 0.2)}),
        ("trunk_lean", 45, {"thorax__pelvis": (0, 0.3, 0.3)}),
    ],
)
def test_angles_are_those_of_the_bones_that_were_moved(angle, expected, moved):
    assert _at(_with(_standing(), **moved), angle) == pytest.approx(expected, abs=0.1)


def test_angles_do_not_depend_on_where_the_person_looks_and_left_is_left():
    """Turned about the vertical, everything is the same; mirrored, left and right have changed places."""
    motion = _with(_standing(), left_knee__left_hip=(0.1, -0.2, 0.3), right_wrist__right_elbow=(0.1, 0.1, 0.2))
    angles = joint_angles_deg(motion)
    turn = torch.tensor([[0.6, 0.0, 0.8], [0.0, 1.0, 0.0], [-0.8, 0.0, 0.6]])
    turned = joint_angles_deg(replace(motion, position_m=motion.position_m @ turn.T))
    mirror = motion.position_m[:, H36M_17.flip_indices] * torch.tensor([-1.0, 1.0, 1.0])
    mirrored = joint_angles_deg(replace(motion, position_m=mirror))
    for name, angle in angles.items():
        other = name.replace("left_", "x_").replace("right_", "left_").replace("x_", "right_")
        torch.testing.assert_close(turned[name], angle, atol=1e-3, rtol=0)
        torch.testing.assert_close(mirrored[other], angle, atol=1e-3, rtol=0)


def test_the_lean_is_only_known_in_the_world():
    assert "trunk_lean" not in joint_angles_deg(replace(_with(_standing()), frame="camera"))


@pytest.mark.parametrize("fps", [25.0, 120.0])
def test_a_steady_walk_has_the_speed_it_has(fps):
    seconds = torch.arange(8) / fps
    position_m = _standing(8)
    position_m[..., 2] += 1.5 * seconds[:, None]
    position_m[:, H36M_17.index("left_wrist"), 1] += 2.0 * seconds
    speeds = joint_speeds_m_per_s(JointMotion(position_m, H36M_17, fps, "world"))
    assert list(speeds) == ["pelvis", "left_wrist", "right_wrist", "left_ankle", "right_ankle"]
    torch.testing.assert_close(speeds["pelvis"], torch.full((8,), 1.5), atol=1e-3, rtol=0)
    torch.testing.assert_close(speeds["left_wrist"], torch.full((8,), 2.5), atol=1e-3, rtol=0)


def test_one_frame_stands_still():
    assert joint_speeds_m_per_s(_with(_standing()))["pelvis"].tolist() == [0.0]


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


def _clip(body, name: str = "walk", seconds: float = 2.5, fps: float = 30.0, distance_m: float = 7.0) -> Keypoints:
    """Exact keypoints of a motion in front of a level camera."""
    motion = authored_motion(name, seed=0, seconds=seconds, fps=fps)
    point_m = body.points(HALPE_26, motion.local_rotmat, motion.betas, motion.translation_m)
    center_m = (point_m.amin((0, 1)) + point_m.amax((0, 1))) / 2
    point_m = (point_m - center_m) * torch.tensor([-1.0, -1.0, 1.0]) + torch.tensor([0.0, 0.0, distance_m])
    xy_px = project(point_m, PinholeCamera.from_hfov(1280, 720))
    return Keypoints(xy_px, torch.ones(xy_px.shape[:2]), HALPE_26, fps, 1280, 720)


@pytest.mark.parametrize("fps", [15.0, 30.0, 60.0])
@pytest.mark.parametrize("name", ["walk", "jumping_jack", "punch", "kick"])
def test_nothing_is_doubtful_in_exact_keypoints_of_lively_motion(body, name, fps):
    assert quality_warnings(_clip(body, name, fps=fps), window_s=2.0) == []


def _unseen(clip: Keypoints) -> Keypoints:
    confidence = clip.confidence.clone()
    confidence[15:30] = 0
    return replace(clip, confidence=confidence)


def _unsure(clip: Keypoints) -> Keypoints:
    confidence = clip.confidence.clone()
    confidence[30:45] = 0.2
    return replace(clip, confidence=confidence)


def _weak_wrist(clip: Keypoints) -> Keypoints:
    confidence = clip.confidence.clone()
    confidence[:40, HALPE_26.index("left_wrist")] = 0
    return replace(clip, confidence=confidence)


def _somebody_else(clip: Keypoints) -> Keypoints:
    xy_px = clip.xy_px.clone()
    xy_px[45:, :, 0] += 300
    return replace(clip, xy_px=xy_px)


def _flying_hand(clip: Keypoints) -> Keypoints:
    xy_px = clip.xy_px.clone()
    xy_px[45, HALPE_26.index("right_wrist"), 1] -= 280
    return replace(clip, xy_px=xy_px)


def _swapped(clip: Keypoints) -> Keypoints:
    xy_px = clip.xy_px.clone()
    xy_px[30:33] = xy_px[30:33][:, HALPE_26.flip_indices]
    return replace(clip, xy_px=xy_px)


def _tiny(clip: Keypoints) -> Keypoints:
    return replace(clip, xy_px=(clip.xy_px - 500) * 0.1 + 500)


def _at_the_edge(clip: Keypoints) -> Keypoints:
    return replace(clip, xy_px=clip.xy_px - clip.xy_px[..., 0].amin())


@pytest.mark.parametrize(
    ("spoil", "kind", "told"),
    [
        (_unseen, "unseen", "15 of 75 frames (0.50-1.00 s)"),
        (_unsure, "confidence", "1.00-1.50 s"),
        (_weak_wrist, "joint", "left wrist (53%)"),
        (_somebody_else, "jump", "whole person jumps at 1.50 s"),
        (_flying_hand, "jump", "2 frame(s) (1.50 s, 1.53 s), most of all right wrist"),
        (_swapped, "swap", "1.00 s, 1.10 s"),
        (_tiny, "size", "pixels large (of a picture of 1280 x 720)"),
        (_at_the_edge, "edge", "edge of the picture in"),
        (lambda clip: replace(clip, fps=27.3), "fps", "27.3 frames per second is an unusual"),
        (lambda clip: replace(clip, xy_px=clip.xy_px[:40], confidence=clip.confidence[:40]), "length", "1.33 s"),
    ],
    ids=["unseen", "unsure", "wrist", "person", "hand", "swap", "size", "edge", "fps", "length"],
)
def test_each_flaw_is_told_in_one_sentence(body, spoil, kind, told):
    clip = spoil(_clip(body, "wave"))
    found = [doubt for doubt in quality_warnings(clip, window_s=2.0) if doubt.kind == kind]
    assert len(found) == 1
    assert told in found[0].sentence
    assert found[0].sentence.endswith(".")


def test_only_the_flaw_is_told(body):
    assert [doubt.kind for doubt in quality_warnings(_swapped(_clip(body, "wave")))] == ["swap"]
    assert [doubt.kind for doubt in quality_warnings(_unseen(_clip(body, "wave")))] == ["unseen"]


def test_an_assumed_frame_rate_is_told(body):
    (doubt,) = quality_warnings(_clip(body, "wave"), fps_known=False)
    assert "30 frames per second were assumed" in doubt.sentence


def test_a_clip_in_which_nobody_is_seen_has_that_one_doubt(body):
    clip = _clip(body, "wave")
    nobody = replace(clip, confidence=torch.zeros_like(clip.confidence))
    assert [doubt.sentence for doubt in quality_warnings(nobody)] == ["Nobody was detected in any frame."]
    assert person_size_px(nobody) == 0


def test_flaws_are_found_in_the_frames_where_they_are(body):
    clip = _clip(body, "wave")
    assert swaps(_swapped(clip)).nonzero()[:, 0].tolist() == [30, 33]
    found = leaps(_flying_hand(clip)).nonzero().tolist()
    assert found == [[45, HALPE_26.index("right_wrist")], [46, HALPE_26.index("right_wrist")]]
    assert not bool(swaps(replace(clip, xy_px=clip.xy_px[:1], confidence=clip.confidence[:1])).any())


@pytest.fixture(scope="module")
def page(tiny, tmp_path_factory):
    """The report that the command writes of the tiny clip under a name that is no HTML."""
    for module in ("viser", "matplotlib", "av"):
        pytest.importorskip(module, reason="needs the extras view, report and video")
    folder = tmp_path_factory.mktemp("report")
    clip = folder / "a <b> & c.json"
    shutil.copy(tiny / "clip.json", clip)
    options = ["--size", "1920x1080", "--head", str(tiny / "mesh"), "--action", str(tiny / "action")]
    output = folder / "report.html"
    assert main(["report", str(clip), "--output", str(output), "--encoder", str(tiny / "encoder"), *options]) == 0
    return output


def test_the_report_has_everything_inside_and_escapes_names(page):
    import av

    text = page.read_text(encoding="utf-8")
    outside = re.sub(r'srcdoc="[^"]*"', "", text)
    assert "<b>" not in text
    assert "a &lt;b&gt; &amp; c" in outside
    assert "30 frames per second were assumed" in outside
    assert re.findall(r'(?:src|href)="(?!data:)([^"]{0,40})', outside) == []
    assert outside.count("data:image/svg+xml;base64,") == 5
    movie = base64.b64decode(re.search(r'src="data:video/mp4;base64,([^"]*)"', outside)[1])
    with av.open(io.BytesIO(movie)) as opened:
        assert sum(1 for _ in opened.decode(video=0)) == 12


def test_several_people_without_a_video_are_shown_together(body, tmp_path):
    for module in ("viser", "matplotlib", "av"):
        pytest.importorskip(module, reason="needs the extras view, report and video")
    from motionrep.viewing.report import PersonReport, save_report

    pose = camera_from_world_looking(torch.tensor([0.0, 1.2, 5.0]), torch.tensor([0.0, 0.9, 0.0]))
    camera, people = replace(PinholeCamera.from_hfov(1280, 720), camera_from_world=pose), []
    for label, aside_m in (("left", -0.8), ("right", 0.8)):
        motion = authored_motion("wave", seconds=0.2)
        motion = replace(motion, translation_m=motion.translation_m + torch.tensor([aside_m, 0.0, 0.0]))
        point_m = in_camera(motion, body, camera).joints(H36M_17).position_m
        clip = Keypoints(project(point_m, camera), torch.ones(point_m.shape[:2]), H36M_17, motion.fps, 1280, 720)
        embedding = MotionEmbedding(torch.randn(*point_m.shape[:2], 4), clip, "none")
        people.append(PersonReport(label, clip, embedding, motion, None, (), camera))
    text = save_report("two", people, tmp_path / "two.html").read_text(encoding="utf-8")
    assert re.sub(r'srcdoc="[^"]*"', "", text).count("<video") == 1


@pytest.mark.slow
def test_the_report_opens_in_a_browser_with_video_plots_and_view(page):
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    flags = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        tab = chromium.new_context(offline=True, viewport={"width": 640, "height": 480}).new_page()
        tab.set_default_timeout(120_000)
        errors, requests = [], []
        tab.on("console", lambda told: errors.append(told.text) if told.type == "error" else None)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(page.as_uri())
        tab.frame_locator("iframe").get_by_role("button", name="Show scene tree").wait_for()
        tab.wait_for_function("document.querySelector('video').readyState >= 2")
        assert tab.evaluate("document.querySelector('video').duration") == pytest.approx(12 / 30, abs=0.02)
        tab.evaluate("document.querySelector('video').play()")
        tab.wait_for_function("document.querySelector('video').currentTime > 0.05")
        widths = tab.evaluate("[...document.querySelectorAll('img')].map(picture => picture.naturalWidth)")
        assert len(widths) == 5
        assert min(widths) > 200
        tab.set_viewport_size({"width": 390, "height": 844})  # a phone: nothing sticks out, plots stay readable
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        drawn = tab.evaluate("[...document.querySelectorAll('.wide > *')].map(one => one.clientWidth)")
        assert len(drawn) == 5
        assert min(drawn) > 800
        assert errors == []
        assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
        chromium.close()


def test_a_report_that_is_not_html_is_refused(tmp_path):
    pytest.importorskip("viser", reason="needs the extra view")
    from motionrep.viewing.report import save_report

    with pytest.raises(ValueError, match=r"saved as \.html"):
        save_report("clip", [], tmp_path / "report.pdf")


def test_heads_that_give_no_motion_or_no_actions_are_refused(tiny, tmp_path, capsys):
    for module in ("viser", "matplotlib", "av"):
        pytest.importorskip(module, reason="needs the extras view, report and video")
    given = ["report", str(tiny / "clip.json"), "--size", "1920x1080", "--encoder", str(tiny / "encoder")]
    for head, action, told in (
        ("action", "action", "action' gives ActionScores; add one that does"),
        ("mesh", "pose3d", "no head predicts action scores: "),
    ):
        heads = ["--head", str(tiny / head), "--action", str(tiny / action)]
        assert main([*given, *heads, "--output", str(tmp_path / "report.html")]) == 2
        assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_report_command_looks_at_the_suffix_first(tmp_path, capsys):
    for module in ("viser", "matplotlib"):
        pytest.importorskip(module, reason="needs the extras view and report")
    assert main(["report", "nowhere.json", "--output", str(tmp_path / "report.pdf")]) == 2
    assert "report.pdf: reports are written as .html" in capsys.readouterr().err


def test_view_saves_keypoints_and_motions_on_one_page(tiny, tmp_path, capsys):
    pytest.importorskip("viser", reason="needs the extra view")
    networks = ["--head", str(tiny / "mesh"), "--encoder", str(tiny / "encoder")]
    bvh = str(WALK_BVH)
    page = tmp_path / "page.html"
    assert main(["view", str(tiny / "clip.json"), bvh, "--size", "1920x1080", "--save", str(page), *networks]) == 0
    assert "2 motion(s)" in capsys.readouterr().out
    assert "__VISER_EMBED_DATA__" in page.read_text(encoding="utf-8")
