import pytest
from small_encoders import PROVENANCE, build


@pytest.fixture
def saved(tmp_path):
    """A folder with a small KTPFormer."""
    encoder = build("ktpformer")
    encoder.name, encoder.provenance = "mine", PROVENANCE
    encoder.save_pretrained(tmp_path / "mine")
    return tmp_path / "mine"
