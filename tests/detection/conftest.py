"""What several tests of detection need."""

import signal

import pytest


@pytest.fixture
def ctrl_c():
    """Ctrl-C interrupts, as on a terminal; programs that run in the background ignore it. Yields the usual handler."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)
