"""The code blocks of the documentation: what is in them, and which of them say that they are not run."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from paths import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "motionrep" / "weights").glob("*/README.md")),
]
_FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+?) -->\n+)?^```(?P<language>[^\n]*)\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_OTHER_PROGRAMS = {"pip", "make", "python", "torchrun", "srun", "cd"}


@dataclass(frozen=True)
class Block:
    """A fenced block; `reason` says why it is not run, in the page's own words."""

    page: Path
    line: int
    language: str
    code: str
    reason: str | None

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def commands(self) -> list[list[str]]:
        """The words of each `motionrep` line; lines of other programs and of the shell are left out."""
        lines = re.sub(r"\\\n\s*", " ", self.code).splitlines()
        found = [shlex.split(line, comments=True) for line in lines]
        unknown = {words[0] for words in found if words and words[0] != "motionrep" and words[0] not in _OTHER_PROGRAMS}
        if unknown and self.language != "yaml":
            raise ValueError(f"{self.name}: {', '.join(sorted(unknown))} is no program known here; name the language")
        return [words[1:] for words in found if words and words[0] == "motionrep"]


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, found.start("language")) + 1, found["language"], found["code"], found["reason"])
        for found in _FENCE.finditer(text)
    ]


def commands_in_tables(page: Path) -> list[list[str]]:
    """Those of the README: the last cell of a row."""
    return [
        shlex.split(line)[1:] for line in re.findall(r"^\|.*\| `(motionrep .*)` \|$", page.read_text("utf-8"), re.M)
    ]
