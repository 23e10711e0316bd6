"""Which package may import which, and what `import motionrep` costs."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from paths import ROOT

PACKAGE = ROOT / "motionrep"
# From the ground up: nothing imports what stands below it here. `__init__` hands on the public names to users and to
# the command line.
ORDER = (
    "windows", "layouts", "checks", "files", "weights", "types", "geometry", "keypoints", "body", "encoders",
    "embedding", "motion", "rendering", "detection", "head_api", "fitting", "datasets", "pipeline", "scale",
    "evaluation", "training", "viewing", "deployment", "__init__", "cli", "__main__",
)  # fmt: skip
# What these may not import, though it stands lower.
WALLS = {
    "windows": ORDER,
    "layouts": ORDER,
    "datasets": ("encoders", "embedding", "head_api"),
    "rendering": ("encoders", "embedding"),
    "detection": ("body", "encoders", "embedding", "motion"),
    "pipeline": ("datasets",),
    "scale": ("datasets",),
    "viewing": ("datasets", "evaluation", "training"),
}
MOST_FLOORS = 10


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {_module(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _imports(path: Path) -> set[str]:
    """Full names of modules that a file imports anywhere, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in MODULES else str(node.module) for name in full}
    return names


def _room(module: str) -> str:
    """The package of motionrep, or the file at its top, that a module belongs to."""
    return "__init__" if module == "motionrep" else module.split(".")[1]


IMPORTS = {module: _imports(path) for module, path in MODULES.items()}
OURS = {
    module: {name for name in names if name == "motionrep" or name.startswith("motionrep.")}
    for module, names in IMPORTS.items()
}
ROOMS = {_room(module) for module in MODULES}
BELOW = {
    room: {_room(name) for module, names in OURS.items() if _room(module) == room for name in names} - {room}
    for room in ROOMS
}


def test_the_top_level_holds_five_files():
    assert {path.name for path in PACKAGE.glob("*.py")} == {
        "__init__.py", "__main__.py", "layouts.py", "types.py", "windows.py",
    }  # fmt: skip


def test_every_package_has_its_place_in_the_order():
    assert set(ORDER) == ROOMS


@pytest.mark.parametrize("room", ORDER)
def test_imports_run_down_the_order_and_keep_the_walls(room):
    allowed = set(ORDER[: ORDER.index(room)]) - set(WALLS.get(room, ()))
    wrong = {
        (module, name)
        for module, names in OURS.items()
        if _room(module) == room
        for name in names
        if _room(name) not in {room, *allowed}
    }
    assert not wrong


def test_floors():
    """A room stands one floor above the highest room that it imports."""
    floor: dict[str, int] = {}
    for room in ORDER:
        floor[room] = 1 + max((floor[name] for name in BELOW[room]), default=0)
    assert max(floor.values()) <= MOST_FLOORS, floor


def test_no_circle_of_modules():
    """Imports inside functions and of a package's `__init__` count."""
    state: dict[str, str] = {}

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert state.get(module) != "open", " -> ".join((*way[way.index(module) :], module))
        if module in state:
            return
        state[module] = "open"
        for name in sorted(OURS[module] - {"motionrep"}):
            visit(name, (*way, module))
        state[module] = "done"

    for module in MODULES:
        if _room(module) not in ("__init__", "cli", "__main__"):
            visit(module, ())


def test_the_library_does_not_know_the_heads_that_ship_with_it():
    assert not [(module, name) for module, names in IMPORTS.items() for name in names if "motionrep_heads" in name]


def test_heads_use_what_any_other_package_could_use():
    for path in (ROOT / "heads").glob("*.py"):
        private = [name for name in _imports(path) if name.startswith("motionrep") and "._" in name]
        assert not private, path


def test_importing_motionrep_loads_nothing_slow():
    code = "import sys; import motionrep; print(*(name for name in ('torch', 'numpy', 'scipy') if name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


def test_what_most_people_use_loads_no_slow_or_optional_library():
    code = """
import sys
import motionrep
motionrep.embed, motionrep.load_encoder, motionrep.load_head, motionrep.load_keypoints, motionrep.render
slow = ("roma",  # brings sympy by way of torch's compiler and takes as long as torch
        "lightning", "av", "OpenGL", "pyarrow", "sklearn", "pandas", "viser", "matplotlib", "ray", "transformers")
print(*(name for name in slow if name in sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


def test_every_public_name_is_there():
    code = "import motionrep; print(*(n for n in motionrep.__all__ if getattr(motionrep, n).__name__ != n))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


def test_every_package_is_installed():
    """`motionrep.viewing` was once left out: the checkout worked, an installed copy did not."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    there = {_module(path.parent) for path in PACKAGE.rglob("__init__.py")}
    assert set(listed) == there | {"motionrep_heads"}
