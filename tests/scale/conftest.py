import pytest
from clip_folders import write_clips


@pytest.fixture
def clips(tmp_path):
    return write_clips(tmp_path / "clips")
