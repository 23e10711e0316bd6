"""Every block of every page runs as it stands there, on small files; the page says of which that is not so, and why."""

import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from page_blocks import PAGES, Block, blocks_of, commands_in_tables
from page_places import PLACES, of_weights, write_files
from paths import ROOT

import motionrep
from motionrep.cli import main as cli

# Blocks that a test of their page runs, and looks at what comes out.
ELSEWHERE = {
    ("docs/embeddings.md", "python"): "tests/embedding/test_page.py",
    ("docs/export.md", "python"): "tests/deployment/test_network_export.py",
    ("docs/from_amass_to_a_mesh_head.md", "python"): "tests/training/test_tutorial.py",
    ("docs/from_amass_to_a_mesh_head.md", "bash"): "tests/training/test_tutorial.py",
    ("docs/scale.md", "python"): "tests/scale/test_page.py",
    ("docs/scale.md", "bash"): "tests/scale/test_page.py",
}
# So that a command takes seconds. `view` serves until Ctrl-C, so what it shows is saved here.
SMALL = {
    "finetune": ("--epochs", "1", "--clips-per-epoch", "8", "--batch-size", "4", "--precision", "float32"),
    "pretrain": ("--epochs", "1", "--clips-per-epoch", "8", "--batch-size", "4", "--precision", "float32"),
    "evaluate": ("--views", "1"),
    "view": ("--save", "page.html"),
}
READ_BY = {"json": json.loads, "yaml": yaml.safe_load, "toml": tomllib.loads, "text": str}
COMMANDS = ("", "bash")
# How many blocks of each page say that they are not run.
NOT_RUN = {
    "README.md": 2, "CONTRIBUTING.md": 1, "docs/body.md": 4, "docs/cameras.md": 3, "docs/detection.md": 5,
    "docs/own_head.md": 2, "docs/pretraining.md": 2, "docs/protocols.md": 6, "docs/reliability.md": 3,
    "docs/results.md": 1, "docs/scale.md": 2, "docs/ssr_stf.md": 1, "docs/training.md": 6, "docs/viewer.md": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write_files(folder)
    return folder


@pytest.fixture
def place(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes a folder with the files, and goes there."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def made(name: str) -> Path:
        folder = tmp_path / name
        shutil.copytree(files, folder, symlinks=True)
        monkeypatch.chdir(folder)
        return folder

    return made


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def run_command(words: list[str], where: str) -> None:
    small = SMALL.get(words[0], ())
    small = () if small and small[0] in words else small
    assert cli.main([*words, *small]) == 0, f"{where}: motionrep {' '.join(words)}"


def run_block(block: Block, names: dict) -> None:
    if block.language == "python":
        exec(compile("\n" * block.line + block.code, str(block.page), "exec"), names)
    elif block.language in COMMANDS:
        for words in block.commands():
            run_command(words, block.name)


def here(page: Path) -> list[Block]:
    """The blocks of a page that this module runs."""
    blocks = [block for block in blocks_of(page) if block.language in ("python", *COMMANDS) and not block.reason]
    return [block for block in blocks if (page_name(page), block.language) not in ELSEWHERE]


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if here(page)], ids=page_name)
def test_the_blocks_of_a_page_run(page: Path, place: Callable[[str], Path]) -> None:
    folder = place("blocks")
    is_card = page.parent.parent.name == "weights"
    prepared = of_weights(page.parent.name) if is_card else PLACES.get(page.stem, lambda folder: {})(folder)
    names: dict = {"motionrep": motionrep} | prepared
    for block in here(page):
        run_block(block, names)


@pytest.mark.slow
def test_the_commands_in_the_table_of_the_readme_run(place: Callable[[str], Path]) -> None:
    """One after the other: results of one are what the next one reads."""
    PLACES["README"](place("table"))
    commands = commands_in_tables(ROOT / "README.md")
    assert len(commands) > 10
    for words in commands:
        run_command(words, "README.md")


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_data_in_the_blocks_of_a_page_can_be_read(page: Path) -> None:
    for block in blocks_of(page):
        if not block.language.startswith("{") and block.language not in ("python", *COMMANDS):
            READ_BY[block.language](block.code)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_code_stands_in_fences(page: Path) -> None:
    """Code that is only indented would be run by nobody."""
    within = False
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, (before, line) in enumerate(zip(["", *lines], lines, strict=False), 1):
        within ^= line.startswith("```")
        assert within or before or not line.startswith("    "), f"{page_name(page)}:{number} is indented"


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_blocks_without_a_command_of_ours_say_why_they_are_not_run(page: Path) -> None:
    assert not [block.name for block in here(page) if block.language in COMMANDS and not block.commands()]


def test_what_is_not_run_has_a_reason_and_is_counted() -> None:
    """The numbers change only with the pages: a block that is left out is left out on purpose."""
    left_out = [block for page in PAGES for block in blocks_of(page) if block.reason]
    assert all(len(block.reason or "") > 10 for block in left_out)
    counted = {page_name(page): sum(block.page == page for block in left_out) for page in PAGES}
    assert {name: count for name, count in counted.items() if count} == NOT_RUN


@pytest.mark.parametrize(("key", "test"), ELSEWHERE.items())
def test_blocks_that_other_tests_run_are_run_there(key: tuple[str, str], test: str) -> None:
    page, language = key
    text = (ROOT / test).read_text(encoding="utf-8")
    assert Path(page).name in text
    assert language in text
