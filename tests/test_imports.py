"""Which module may import which, and what `import motionrep` costs."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# (package or module, what nothing in it may import); names are relative to motionrep.
LEAVES = ("rotations", "layouts", "windows", "files")
ABOVE_LAYERS = (
    "encoders",
    "rendering",
    "datasets",
    "head_api",
    "embedding",
    "evaluation",
    "protocols",
    "training",
    "demo",
    "commands",
    "cli",
)
RULES = [
    *((leaf, ("",)) for leaf in LEAVES),
    ("encoders.layers", ("types", "body", "motion_io", "keypoint_io", *ABOVE_LAYERS[1:])),
    *((name, ABOVE_LAYERS) for name in ("types", "cameras", "body", "bvh", "floor", "retargeting", "metrics")),
    *((name, ABOVE_LAYERS) for name in ("keypoint_io", "keypoint_formats", "motion_io", "camera_io", "refinement")),
    ("encoders", ABOVE_LAYERS[1:]),
    ("datasets", ("encoders", "rendering", *ABOVE_LAYERS[3:])),
    ("rendering", ("encoders", "datasets", *ABOVE_LAYERS[3:])),
    (
        "head_api",
        ("rendering", "datasets", *ABOVE_LAYERS[4:]),
    ),  # compares weights with `encoders.strict.require_fit`
    ("embedding", ("rendering", "datasets", *ABOVE_LAYERS[5:])),
    ("evaluation", ("rendering", "training", "demo", "commands", "cli")),
    ("protocols", ("rendering", "training", "demo", "commands", "cli")),
    ("training", ("rendering", "demo", "commands", "cli")),
    *((name, ABOVE_LAYERS) for name in ("movement", "quality")),
    *((name, ("evaluation", "training", "demo", "commands", "cli")) for name in ("viewing", "reporting")),
]


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imports(path: Path) -> set[str]:
    """Full names of modules that a file imports anywhere, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


IMPORTS = {_module(path): _imports(path) for path in sorted((ROOT / "motionrep").rglob("*.py"))}


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize(("package", "forbidden"), RULES, ids=[package for package, _ in RULES])
def test_imports_go_one_way(package, forbidden):
    modules = [name for name in IMPORTS if _within(name, f"motionrep.{package}")]
    assert modules, f"no module motionrep.{package}; has it been renamed?"
    barred = [f"motionrep.{name}".removesuffix(".") for name in forbidden]
    wrong = {
        (module, imported)
        for module in modules
        for imported in IMPORTS[module]
        for bar in barred
        if _within(imported, bar) and not _within(imported, f"motionrep.{package}")
    }
    assert not wrong


def test_the_library_does_not_know_the_heads_that_ship_with_it():
    assert not [(module, name) for module, names in IMPORTS.items() for name in names if "motionrep_heads" in name]


def test_heads_use_what_any_other_package_could_use():
    for path in (ROOT / "heads").glob("*.py"):
        private = [name for name in _imports(path) if name.startswith("motionrep") and "._" in name]
        assert not private, path


def test_importing_motionrep_is_quick_and_loads_no_slow_or_optional_library():
    code = """
import sys, time
import torch
start = time.process_time()
import motionrep
seconds = time.process_time() - start
slow = ("roma",  # brings sympy by way of torch's compiler and takes as long as torch
        "lightning", "av", "OpenGL", "pyarrow", "sklearn", "pandas", "viser", "matplotlib")
print(seconds, *(name for name in slow if name in sys.modules))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert told[1:] == []
    assert float(told[0]) < 1.0


def test_every_package_is_installed():
    """`motionrep.viewing` was once left out: the checkout worked, an installed copy did not."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    there = {_module(path.parent) for path in (ROOT / "motionrep").rglob("__init__.py")}
    assert set(listed) == there | {"motionrep_heads"}
