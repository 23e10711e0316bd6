"""Executes the jaxtyping annotations of the library in every test run; shared fixtures."""

import hypothesis
from jaxtyping import install_import_hook

install_import_hook(["motionrep", "motionrep_heads"], "beartype.beartype")
hypothesis.settings.register_profile("motionrep", deadline=None, derandomize=True)
hypothesis.settings.load_profile("motionrep")
