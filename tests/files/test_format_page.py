from pathlib import Path

import pytest

from motionrep.files.format_page import with_tables
from motionrep.files.kinds import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"


def test_the_page_of_formats_is_up_to_date():
    page = PAGE.read_text()
    assert page == with_tables(page), "python -m motionrep.files.format_page docs/formats.md writes it anew"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.holds not in ("video", "picture")])
def test_every_kind_of_file_is_on_the_page(kind):
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| {kind.name} |")]
    assert any(kind.written_by in line and kind.known_by in line for line in lines)
