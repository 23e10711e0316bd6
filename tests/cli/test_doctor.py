"""`motionrep doctor` as a user runs it, on made-up installations: each test's own packages and folder of bodies."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from paths import OPEN_BODY

from motionrep.cli.doctor.computing import precision_line
from motionrep.cli.doctor.findings import Finding, healthy, report
from motionrep.cli.doctor.models import bodies, weights


def doctor(tmp_path: Path, hidden: tuple[str, ...] = ()) -> tuple[int, str]:
    """Exit status and output, with `tmp_path/packages` before all packages and `tmp_path/data` for a user's data."""
    code = (
        f"import sys; sys.modules |= dict.fromkeys({hidden!r}); from motionrep.cli.main import main; sys.exit(main())"
    )
    environment = os.environ | {
        "OMP_NUM_THREADS": "1", "XDG_DATA_HOME": str(tmp_path / "data"), "PYTHONPATH": str(tmp_path / "packages"),
    }  # fmt: skip
    command = [sys.executable, "-c", code, "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def package(tmp_path: Path, name: str, code: str, distribution: str | None = None, version: str = "1.0") -> None:
    folder = tmp_path / "packages"
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "__init__.py").write_text(code)
    about = folder / f"{distribution or name}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution or name}\nVersion: {version}\n")


def row(table: str, name: str) -> str:
    """The line of that name, and the line of its fix."""
    lines = table.splitlines()
    index = next(i for i, line in enumerate(lines) if line.startswith("  ") and line.split()[1:2] == [name])
    fix = lines[index + 1] if "-> " in lines[index + 1] else ""
    return " ".join(f"{lines[index]} {fix}".split())


def smpl() -> dict[str, np.ndarray]:
    with np.load(OPEN_BODY, allow_pickle=False) as file:
        return {k: file[k] for k in ("v_template", "f", "weights", "J_regressor", "shapedirs", "kintree_table")}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="the folder of bodies is set by XDG_DATA_HOME here")
def test_bodies_are_found_and_what_is_broken_but_not_needed_does_no_harm(tmp_path):
    """A driver that ends the process, a package that cannot be imported, an old one, and a damaged download."""
    package(tmp_path, "pyrender", "import os; os.abort()", distribution="pyrender2")
    package(tmp_path, "pytorch3d", "raise ImportError('libcudart.so.12: cannot open shared object file')")
    package(tmp_path, "smplx", "", version="0.1.2")
    bodies = tmp_path / "data" / "motionrep" / "bodies"
    official = bodies / "SMPL_python_v.1.1.0" / "smpl" / "models" / "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl"
    official.parent.mkdir(parents=True)
    official.write_bytes(pickle.dumps(smpl()))
    np.savez(bodies / "SMPL_NEUTRAL.npz", **smpl())
    (bodies / "SMPLX_MALE.npz").write_bytes(b"<html>please log in</html>")

    status, table = doctor(tmp_path)
    assert status == 0, table
    assert table.endswith("everything that the five lines need works\n")
    assert "ended by SIGABRT" in row(table, "pyrender")
    assert row(table, "pyrender").endswith("-> apt-get install -y libegl1 libgl1 libxrender1")
    assert "libcudart.so.12" in row(table, "pytorch3d")
    assert row(table, "smplx").startswith("broken smplx 0.1.2 is too old")
    assert row(table, "smplx").endswith('-> pip install "smplx>=0.1.28"')
    assert row(table, "smpl-neutral").startswith("works smpl-neutral 24 joints, 6999 vertices, 10 betas, loaded in")
    assert row(table, "smpl-neutral").endswith(f"{official}; not used: {bodies / 'SMPL_NEUTRAL.npz'}")
    assert row(table, "smplx-male").startswith("broken smplx-male")
    assert "download it again: register at smpl-x.is.tue.mpg.de" in row(table, "smplx-male")
    assert row(table, "smplh").startswith("missing smplh")
    assert str(bodies) in row(table, "folder")
    for name in ("motionrep", ".mp4", ".gif", "open", "ktpformer-s", "mesh-ktpformer-s", "CPU", "precision"):
        assert row(table, name).startswith("works"), name


@pytest.mark.slow
def test_without_extras_all_is_well_and_the_lines_that_add_them_are_there(tmp_path):
    package(tmp_path, "pyrender", "")
    package(tmp_path, "pyrender", "", "pyrender2")
    status, table = doctor(tmp_path, hidden=("av", "pyarrow"))
    assert status == 0, table
    assert row(table, "av") == "missing av writing .mp4 (extra 'video') -> pip install \"motionrep[video]\""
    assert row(table, "pyarrow").endswith('-> pip install "motionrep[tables]"')
    assert row(table, ".mp4").startswith("missing .mp4 optional")
    assert row(table, ".mp4").endswith('-> pip install "motionrep[video]"')
    assert row(table, ".gif").startswith("works")
    assert row(table, "pyrender").endswith("-> pip uninstall -y pyrender pyrender2 && pip install pyrender2")
    assert table.endswith("everything that the five lines need works\n")
    states = [line.split()[0].lower() for line in table.splitlines() if line.startswith("  ") and "-> " not in line]
    assert sum(state != "works" for state in states) == table.count("-> ")


def test_the_line_about_precision_never_says_zero():
    """A CPU that cannot multiply bfloat16 was said to run at 0.0 times its speed."""
    assert precision_line(0.04) == "float32, the default; bfloat16 takes 25.0 times as long"
    assert precision_line(1.1) == "float32, the default; bfloat16 is hardly faster"
    assert precision_line(3.26).startswith("--precision bfloat16 is worth it: 3.3 times")


def test_a_folder_of_bodies_that_is_not_there_is_missing(monkeypatch, tmp_path):
    """It was said to work."""
    monkeypatch.setattr("motionrep.cli.doctor.models.body_folder", lambda: tmp_path / "bodies")
    (folder,) = [finding for finding in bodies() if finding.name == "folder"]
    assert (folder.state, folder.fix) == ("missing", f"mkdir -p {tmp_path / 'bodies'}")
    assert "does not exist" in folder.detail


def test_small_heads_are_not_said_to_have_no_parameters():
    """They had "0.0 M parameters"."""
    by_name = {finding.name: finding.detail for finding in weights()}
    assert not [detail for detail in by_name.values() if detail.startswith(("0 ", "0.0"))]


def test_only_what_is_needed_decides():
    fine = Finding("topic", "a", "works", "", needed=True)
    optional = Finding("topic", "b", "broken", "falls over", "do this")
    assert healthy([fine, optional])
    assert not healthy([fine, Finding("topic", "c", "missing", "", "do that", needed=True)])
    assert report([fine, optional]).splitlines()[:4] == [
        "topic", "  works    a", "  broken   b  falls over", "              -> do this",
    ]  # fmt: skip
