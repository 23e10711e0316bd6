"""Draws which package imports which, from the code: python docs/draw_imports.py docs/imports.svg

A row imports its columns. Packages stand in the order of the table in architecture.md: nothing is above the diagonal.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).parent
CODE = DOCS.parent / "motionrep"
CELL, LEFT, TOP = 26, 128, 104
_STYLE = """text { font: 13px sans-serif; fill: #1f2328 } rect { rx: 3px }
.grid { fill: #f0f1f3 } .imports { fill: #2f6fb5 } .itself { fill: #c9ccd1 }
@media (prefers-color-scheme: dark) {
text { fill: #d6d9dd } .grid { fill: #25282d } .itself { fill: #4b5057 }
}"""


def packages() -> list[str]:
    """Names in the first column of the first table of architecture.md, from the bottom of the imports up."""
    table = (DOCS / "architecture.md").read_text(encoding="utf-8").split("| package |")[1].split("\n\n")[0]
    return [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)/?`", row)]


def imports(names: list[str]) -> Counter[tuple[str, str]]:
    """How many import statements of one package name another one."""
    found: Counter[tuple[str, str]] = Counter()
    for path in CODE.rglob("*.py"):
        own = path.relative_to(CODE).parts[0].removesuffix(".py")
        if own not in names:
            continue
        for module in _imported(ast.parse(path.read_text(encoding="utf-8"))):
            parts = module.split(".")
            if parts[0] == "motionrep" and len(parts) > 1 and parts[1] in names and parts[1] != own:
                found[own, parts[1]] += 1
    return found


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def picture() -> str:
    names = packages()
    count, found = len(names), imports(names)
    width, height = LEFT + CELL * count + 8, TOP + CELL * count + 8
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">']
    lines.append(f"<style>{_STYLE}</style>")
    for row, name in enumerate(names):
        y = TOP + CELL * row
        lines.append(f'<text x="{LEFT - 8}" y="{y + 17}" text-anchor="end">{name}</text>')
        lines.append(f'<text transform="translate({LEFT + CELL * row + 17} {TOP - 8}) rotate(-60)">{name}</text>')
        for column in range(row + 1):
            number = found[name, names[column]]
            kind = "itself" if column == row else "imports" if number else "grid"
            shade = f' fill-opacity="{min(1.0, 0.25 + number / 16):.2f}"' if kind == "imports" else ""
            place = f'x="{LEFT + CELL * column + 1}" y="{y + 1}" width="{CELL - 2}" height="{CELL - 2}"'
            title = f"<title>{name} imports {names[column]}: {number}</title>" if number else ""
            lines.append(f'<rect class="{kind}" {place}{shade}>{title}</rect>')
    return "\n".join([*lines, "</svg>"]) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(), encoding="utf-8")
