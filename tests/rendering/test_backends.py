"""Every back end draws the same pictures.

`PYTHONPATH=tests/support python tests/rendering/test_backends.py` makes the golden ones anew, with raster.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from paths import GOLDEN, ROOT
from PIL import Image
from scenes import _camera, scene_named

from motionrep.cli.main import main
from motionrep.datasets.authored.motions import authored_motion
from motionrep.motion.saving import save_motion
from motionrep.rendering import render_frames
from motionrep.rendering.backdrop import make_backdrop
from motionrep.rendering.backends import BACKENDS
from motionrep.rendering.backends.choice import Renderer, is_software, renderer
from motionrep.rendering.backends.probe import tried_once
from motionrep.rendering.scene import draw

SCENES = ("bodies", "near", "cut_out")


def _usable(name: str) -> Renderer:
    try:
        return renderer(name)
    except (ImportError, RuntimeError) as error:
        pytest.skip(str(error))


def _covered(picture: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """Pixels that clearly differ from the empty scene, shadow included."""
    return np.abs(picture.astype(int) - empty).max(-1) > 40


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("name", BACKENDS)
def test_every_back_end_draws_the_golden_pictures(name, scene, tmp_path):
    """pyrender places its four samples otherwise, so edges differ by up to a quarter of their contrast."""
    surfaces, backdrop = scene_named(scene)
    picture = _usable(name).draw(surfaces, backdrop, 2).numpy()
    path = GOLDEN / f"backend_{scene}.png"
    with Image.open(path) as image:
        golden = np.asarray(image)
    assert picture.shape == golden.shape
    difference = np.abs(golden.astype(int) - picture).max(-1)
    seen, expected = (_covered(p, draw([], backdrop).numpy()) for p in (picture, golden))
    overlap = (seen & expected).sum() / (seen | expected).sum()
    mean, share = (0.3, 0.99) if name == "raster" else (2.0, 0.94)
    if difference.mean() > mean or overlap < share:
        wrong = tmp_path / f"{name}_{scene}.png"
        Image.fromarray(picture).save(wrong)
        pytest.fail(f"{wrong} differs from {path}: mean {difference.mean():.2f} of 255, IoU {overlap:.3f}")


def test_more_samples_come_closer_to_the_golden_picture_of_many():
    """pyrender's own four samples are not all there is: `supersample` 4 takes sixteen."""
    opengl = _usable("pyrender")
    surfaces, backdrop = scene_named("bodies")
    fine = draw(surfaces, backdrop, 8).int()
    error = [float((opengl.draw(surfaces, backdrop, n).int() - fine).abs().float().mean()) for n in (1, 2, 4)]
    assert error[2] < 0.7 * error[0]
    assert error[1] == error[0]


def test_pyrender_draws_for_several_threads():
    opengl = _usable("pyrender")
    surfaces, backdrop = scene_named("cut_out")
    expected = opengl.draw(surfaces, backdrop)
    with ThreadPoolExecutor(3) as pool:
        for picture in pool.map(lambda _: opengl.draw(surfaces, backdrop), range(6)):
            assert torch.equal(picture, expected)


def test_pyrender_follows_pictures_of_changing_size():
    opengl = _usable("pyrender")
    surfaces, _ = scene_named("cut_out")
    for width in (200, 64, 333, 96):
        backdrop = make_backdrop(_camera((1.0, 1.5, 3.0), (0.1, 0.5, 0.0), width, 72), torch.zeros(3))
        difference = (opengl.draw(surfaces, backdrop).int() - draw(surfaces, backdrop)).abs().float()
        assert difference.mean() < 2


def test_auto_takes_opengl_only_if_it_is_hardware(caplog):
    """What it takes is not said: nobody asked for another one."""
    with caplog.at_level("INFO", logger="motionrep"):
        chosen = renderer("auto")
    assert caplog.text == ""
    if find_spec("pyrender") is None:
        assert chosen.name == "raster"
        assert "not installed" in chosen.why
    else:
        assert (chosen.name == "raster") == (is_software(chosen.why) or "does not work" in chosen.why)


def test_auto_keeps_what_is_on_a_gpu_there():
    chosen = renderer("auto", "cuda:1")
    assert (chosen.name, chosen.why) == ("raster", "the surfaces are on cuda:1")


@pytest.mark.parametrize(
    ("opengl", "software"),
    [
        ("llvmpipe (LLVM 15.0.6, 256 bits)", True),
        ("softpipe", True),
        ("ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero)))", True),
        ("NVIDIA H100 PCIe/PCIe/SSE2", False),
        ("Mesa Intel(R) UHD Graphics 620 (KBL GT2)", False),
        ("AMD Radeon RX 6800 (radeonsi, navi21, LLVM 15.0.6)", False),
    ],
)
def test_software_opengl_is_told_by_its_name(opengl, software):
    assert is_software(opengl) == software


def test_an_opengl_without_a_driver_is_an_error_that_names_the_remedy(monkeypatch):
    """The driver fails in a process of its own; this one goes on, and can still draw."""
    if find_spec("pyrender") is None:
        pytest.skip("pyrender is not installed")
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_DIRS", "/nonexistent")
    tried_once.cache_clear()
    try:
        with pytest.raises(RuntimeError, match=r"pyrender does not work here .*use the back end 'raster'"):
            renderer("pyrender")
        chosen = renderer("auto")
        assert chosen.name == "raster"
        assert "opengl does not work here" in chosen.why
        assert chosen.draw(*scene_named("cut_out")).shape == (72, 96, 4)
    finally:
        tried_once.cache_clear()


def test_two_distributions_of_pyrender_at_once_are_refused(tmp_path, monkeypatch):
    (tmp_path / "pyrender").mkdir()
    (tmp_path / "pyrender" / "__init__.py").touch()
    for name in ("pyrender", "pyrender2"):
        folder = tmp_path / f"{name}-0.2.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.2\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="keep one: pip uninstall"):
        renderer("pyrender")
    chosen = renderer("auto")
    assert chosen.name == "raster"
    assert "both installed" in chosen.why


DOTS = """
import torch
from motionrep.geometry.cameras import project, to_camera


def open_dots(device):
    return f"dots on {device}", dots_layer


def dots_layer(surface, camera, supersample):
    column, row = project(to_camera(surface.vertex_m, camera), camera).long().unbind(-1)
    inside = (0 <= column) & (column < camera.width_px) & (0 <= row) & (row < camera.height_px)
    picture = surface.vertex_m.new_zeros(camera.height_px, camera.width_px, 4)
    picture[row[inside], column[inside]] = torch.cat([surface.color, torch.ones_like(surface.color[:, :1])], 1)[inside]
    return picture
"""


def test_a_new_back_end_is_one_file_and_one_line_in_the_table(tmp_path, monkeypatch):
    """It draws one pixel for each vertex. Python, the command line and the messages know it by the table alone."""
    (tmp_path / "dots_layer.py").write_text(DOTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(BACKENDS, "dots", "dots_layer:open_dots")

    drawing = renderer("dots")
    assert (drawing.name, drawing.why) == ("dots", "dots on cpu")
    surfaces, backdrop = scene_named("bodies")
    empty = draw([], backdrop).numpy()
    dots, whole = (_covered(picture.numpy(), empty) for picture in (drawing.draw(surfaces, backdrop),
                                                                    draw(surfaces, backdrop)))  # fmt: skip
    assert dots.sum() > 500
    assert (dots & whole).sum() > 0.85 * dots.sum()  # those at the edge are half outside

    motion = authored_motion("wave", seconds=0.2)
    frames = [next(render_frames(motion, backend=name, views=["side"], height_px=120)) for name in ("dots", "raster")]
    assert not np.array_equal(*frames)
    save_motion(motion, tmp_path / "wave.npz")
    assert main(["render", str(tmp_path / "wave.npz"), "--backend", "dots", "--views", "side", "--height", "120",
                 "--output", str(tmp_path / "pictures")]) == 0  # fmt: skip
    with Image.open(tmp_path / "pictures" / "000000.png") as image:
        assert np.array_equal(np.asarray(image), frames[0])
    with pytest.raises(ValueError, match=r"'dot' .*raster, pyrender, pytorch3d, dots\)"):
        renderer("dot")


def test_names_of_back_ends_are_checked():
    with pytest.raises(ValueError, match=r"'opengl' .*raster, pyrender, pytorch3d"):
        renderer("opengl")
    if find_spec("pytorch3d") is None:
        with pytest.raises(ImportError, match=r"INSTALL\.md"):
            renderer("pytorch3d")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
def test_a_forked_process_is_told_instead_of_hanging():
    _usable("pyrender")
    script = """
import os, sys
sys.path.insert(0, sys.argv[1])
from scenes import scene_named
from motionrep.rendering.backends.choice import renderer
opengl = renderer("pyrender")
opengl.draw(*scene_named("cut_out"))
child = os.fork()
if child == 0:
    try:
        opengl.draw(*scene_named("cut_out"))
    except RuntimeError as error:
        os._exit(7 if "spawn" in str(error) else 8)
    os._exit(9)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    command = [sys.executable, "-c", script, str(ROOT / "tests" / "support")]
    # torch itself hangs in a forked process if it has used more than one thread before.
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    assert subprocess.run(command, timeout=300, check=False, env=one_thread).returncode == 7


@pytest.mark.slow
@pytest.mark.parametrize("name", ["raster", "pyrender"])
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory in use is read from /proc")
def test_memory_does_not_grow_with_the_number_of_frames(name):
    """`benchmarks/render.py --frames-for-leaks 10000` is the long version."""
    drawing = _usable(name)
    surfaces, backdrop = scene_named("cut_out")

    def resident_mb(frames: int) -> float:
        for _ in range(frames):
            drawing.draw(surfaces, backdrop)
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

    before = resident_mb(100)
    assert resident_mb(500) - before < 10


if __name__ == "__main__":
    for scene in SCENES:
        Image.fromarray(draw(*scene_named(scene)).numpy()).save(GOLDEN / f"backend_{scene}.png", optimize=True)
