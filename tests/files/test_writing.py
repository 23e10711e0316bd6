import errno

import pytest

from motionrep.files.writing import written_beside


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_and_fail(path, is_folder):
    with written_beside(path) as beside:
        if is_folder:
            beside.mkdir()
        (beside / "weights" if is_folder else beside).write_text("half")
        raise KeyError("joints")


def test_the_file_appears_with_its_final_name_only(tmp_path):
    with written_beside(tmp_path / "new" / "clip.npz") as beside:
        beside.write_text("whole")
        assert beside.suffix == ".npz"
        assert not (tmp_path / "new" / "clip.npz").exists()
    assert names(tmp_path / "new") == ["clip.npz"]
    assert (tmp_path / "new" / "clip.npz").read_text() == "whole"


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "clip.json"
    path.write_text("old")
    with pytest.raises(KeyError, match="joints"):
        write_and_fail(path, is_folder=False)
    assert names(tmp_path) == ["clip.json"]
    assert path.read_text() == "old"


def test_a_folder_replaces_an_older_folder_with_all_in_it(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "stale").write_text("old")
    with written_beside(path) as beside:
        beside.mkdir()
        (beside / "weights").write_text("new")
    assert names(tmp_path) == ["model"]
    assert names(path) == ["weights"]


def test_a_failure_leaves_the_old_folder_and_no_other(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "weights").write_text("old")
    with pytest.raises(KeyError, match="joints"):
        write_and_fail(path, is_folder=True)
    assert names(tmp_path) == ["model"]
    assert (path / "weights").read_text() == "old"


def test_a_full_disk_is_reported_with_the_final_path(tmp_path):
    path = tmp_path / "clip.npz"
    with pytest.raises(OSError, match=r"clip\.npz was not written: No space left") as caught, written_beside(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.errno == errno.ENOSPC
    assert names(tmp_path) == []


def test_a_parent_that_is_a_file_is_reported_with_the_final_path(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"clip\.npz was not written"), written_beside(tmp_path / "file" / "clip.npz"):
        pass


def test_a_file_never_replaces_a_folder(tmp_path):
    """Saving to "results" once deleted a folder of that name with everything in it."""
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "precious").write_text("kept")
    with pytest.raises(OSError, match="results was not written"), written_beside(folder) as beside:
        beside.write_text("clip")
    assert names(tmp_path) == ["results"]
    assert names(folder) == ["precious"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"clip\.npz was not written"), written_beside(tmp_path / "clip.npz"):
        pass
