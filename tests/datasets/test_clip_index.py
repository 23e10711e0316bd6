"""A CSV file that lists keypoint files with their classes."""

import json

import pytest
import torch

from motionrep.datasets.benchmarks.clip_index import load_clip_index
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import COCO_17, HALPE_26
from motionrep.types import Keypoints


def clip(frames: int = 4, person: str = "0", seen: int | None = None, layout=COCO_17) -> Keypoints:
    xy_px = 100 + 10 * torch.arange(frames * layout.joint_count * 2).reshape(frames, layout.joint_count, 2) % 500.0
    confidence = torch.ones(frames, layout.joint_count)
    confidence[seen if seen is not None else frames :] = 0
    return Keypoints(xy_px.float(), confidence, layout, 25.0, 640, 480, person)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "clips").mkdir()
    save_keypoints([clip()], tmp_path / "clips" / "wave.npz")
    save_keypoints([clip(person="0", seen=2), clip(person="1")], tmp_path / "clips" / "two.npz")
    save_keypoints([clip(layout=HALPE_26)], tmp_path / "clips" / "jump.json")
    return tmp_path


def write(folder, *rows: str):
    (folder / "index.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / "index.csv"


def test_each_row_is_a_labelled_clip(folder):
    path = write(
        folder,
        "clip,label,split,subject,fps,width,height,layout,name",
        "clips/wave.npz,wave,train,anna,,,,,",
        'clips/jump.json,"jump, high",val,ben,50,1920,1080,halpe_26,first jump',
    )
    wave, jump = load_clip_index(path)
    assert (wave.name, wave.action, wave.split, wave.subject) == ("clips/wave.npz", "wave", "train", "anna")
    assert (wave.keypoints.fps, wave.keypoints.layout, wave.target) == (25.0, COCO_17, None)
    assert (jump.name, jump.action) == ("first jump", "jump, high")
    assert (jump.keypoints.fps, jump.keypoints.width_px, jump.keypoints.layout) == (50.0, 1920, HALPE_26)
    assert [c.name for c in load_clip_index(path, "val")] == ["first jump"]


def test_persons_are_chosen_or_come_by_how_long_they_are_seen(folder):
    path = write(folder, "clip,label,person", "clips/two.npz,hug,", "clips/two.npz,hug,0")
    both, one = load_clip_index(path)
    assert [p.person for p in both.persons] == ["1", "0"]
    assert [p.person for p in one.persons] == ["0"]


def test_a_file_of_excel_with_a_byte_order_mark(folder):
    (folder / "index.csv").write_bytes("clip,label\r\nclips/wave.npz,wave\r\n".encode("utf-8-sig"))
    assert load_clip_index(folder / "index.csv")[0].action == "wave"


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        (["clip,class", "a,b"], r"index\.csv: lacks the column\(s\) label; it has clip, class"),
        (["clip,label,tag", "a,b,c"], r"unknown column\(s\) tag \(known: clip, label, name"),
        (["clip,label"], "index.csv: no clip$"),
        (["clip,label", "clips/wave.npz,"], "row 2: needs a clip and a label"),
        (["clip,label", "clips/wave.npz,wave", "clips/wave.npz,wave,x"], "row 3: .* no more cells"),
        (["clip,label,width", "clips/wave.npz,wave,640"], "row 2: width and height belong together"),
        (["clip,label,fps", "clips/wave.npz,wave,fast"], "row 2: fps should be a number, got 'fast'"),
        (["clip,label,fps", "clips/wave.npz,wave,nan"], "row 2: fps should be a number, got 'nan'"),
        (["clip,label,person", "clips/two.npz,hug,1.5"], "row 2: person should be a whole number, got '1.5'"),
        (["clip,label,person", "clips/two.npz,hug,2"], r"row 2: holds 2 person\(s\), so person must be 0 to 1, got 2"),
        (["clip,label", "clips/jump.json,jump"], "row 2: .*does not say how large the image is"),
        (["clip,label,layout", "clips/wave.npz,wave,coco"], "row 2: unknown layout 'coco'; did you mean 'coco_17'"),
    ],
)
def test_what_is_wrong_is_told_with_its_row(folder, rows, match):
    with pytest.raises(ValueError, match=match):
        load_clip_index(write(folder, *rows))


def test_what_is_missing_is_told(folder):
    with pytest.raises(FileNotFoundError, match="no such index of clips"):
        load_clip_index(folder / "none.csv")
    with pytest.raises(FileNotFoundError, match=r"row 2: .*gone.npz: no such keypoint file"):
        load_clip_index(write(folder, "clip,label", "gone.npz,wave"))
    with pytest.raises(ValueError, match=r"no clip of split 'test' \(splits: train\)"):
        load_clip_index(write(folder, "clip,label,split", "clips/wave.npz,wave,train"), "test")
    (folder / "clips" / "wave.npz").write_text(json.dumps({}))
    with pytest.raises(ValueError, match="row 2: "):
        load_clip_index(write(folder, "clip,label", "clips/wave.npz,wave"))
