"""What importing the modules of `motionrep.viewing` loads."""

import subprocess
import sys

import pytest

SLOW = {
    "embedding_map": ("torch", "scipy", "roma", "viser", "matplotlib", "sklearn", "av"),
    "report": ("roma", "viser", "matplotlib", "sklearn", "av"),
    "page": ("roma", "viser", "matplotlib", "sklearn", "av"),
    "viewer": ("roma", "viser", "matplotlib", "sklearn", "av"),
}


@pytest.mark.parametrize("module", SLOW)
def test_a_module_of_viewing_loads_no_slow_library_that_it_may_not_need(module):
    code = f"import sys; import motionrep.viewing.{module}; print(*(n for n in {SLOW[module]} if n in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


def test_public_names_are_there_and_others_are_not():
    import motionrep.viewing as viewing

    assert [getattr(viewing, name).__name__ for name in viewing.__all__] == viewing.__all__
    with pytest.raises(AttributeError, match="has no attribute 'Exhibition'"):
        _ = viewing.Exhibition
