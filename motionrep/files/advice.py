"""What to do with a file that no reader knows, in one clause for messages."""

from motionrep.files.contents import Contents

_OWN_CLIPS = (
    "make motionrep.Keypoints of its numbers, one for each person, and write them with motionrep.save_keypoints"
)
_OWN_MOTIONS = "make a motionrep.BodyMotion or JointMotion of its numbers and write it with motionrep.save_motion"
_COLUMNS = "columns of keypoints are called like nose_x, nose_y and nose_score, beside frame and person_id"
_BLENDER = "{} and export the armature's motion as Motion Capture (.bvh)"
# By container, for those who look for keypoints.
_KEYPOINTS = {
    "csv": f"{_COLUMNS}, with shoulders and hips among them; rename them so",
    "hdf5": "DeepLabCut's and SLEAP's are read; save others' points as .npy of shape (frames, joints, 2 or 3)",
    "npy": "an array of points has the shape (frames, joints, 2), or 3 with confidence; save it so, one person a file",
    "npz": "an array of points has the shape (frames, joints, 2), or 3 with confidence; save it so, one person a file",
    "torch": "save its tensor of points as .npy of shape (frames, joints, 2 or 3)",
    "text": "of text, YOLO's labels (save_txt=True), NTU's .skeleton, tables with the suffix .csv and JSON are read",
    "zip": "unpack it and give what is in it",
}
_ANYTHING = {
    "hdf5": "open it with h5py and save its arrays as .npz",
    "matlab": "open it with scipy.io.loadmat and save its arrays as .npz",
    "zip": "unpack it and give what is in it",
    **dict.fromkeys(("fbx", "gltf", "usd"), _BLENDER.format("import it in Blender")),
    "blend": _BLENDER.format("open it in Blender"),
    "vmd": _BLENDER.format("import it in Blender with the add-on MMD Tools"),
    "unity": _BLENDER.format("write the character as .fbx with Unity's FBX Exporter, import that in Blender"),
}
# By the numbers of a frame, for arrays (frames, numbers).
_POSES_WITHOUT_PLACE = "axis-angles of SMPL go into an .npz with poses, trans and mocap_framerate, as AMASS has them"
_ROWS = {
    **dict.fromkeys((66, 72, 156, 165), _POSES_WITHOUT_PLACE),
}


def advice(contents: Contents, of_keypoints: bool) -> str:
    """What to do with a file of unknown kind where keypoints, a motion or joints were wanted."""
    if contents.container not in ("folder", "torch", "pickle") and contents.path.stat().st_size == 0:
        return "it is empty, get it again"
    row = next((_ROWS.get(it.shape[1]) for it in contents.arrays.values() if len(it.shape) == 2), None)
    if row is not None and not of_keypoints:
        return row
    known = (_ANYTHING | _KEYPOINTS if of_keypoints else _ANYTHING).get(contents.container)
    own = _OWN_CLIPS if of_keypoints else _OWN_MOTIONS
    return own if known is None else f"{known}, or {own}"


# What holds nothing that this program reads, by its first bytes, and what to do with it.
_UNPACK = "unpack it and give what is in it"
_NOTHING_TO_READ = (
    (0, b"version https://git-lfs", "a pointer of Git LFS instead of the file", "get the file with git lfs pull"),
    (0, b"\0\5\x16\7", "what macOS keeps beside a file", "give the file whose name does not begin with ._"),
    (0, b"<!doctype html", "a web page", "download the file itself"),
    (0, b"<html", "a web page", "download the file itself"),
    (0, b"<?xml", "an XML file", "export JSON, a table (.csv) or .bvh instead"),
    (0, b"\x1f\x8b", "a compressed file", _UNPACK), (0, b"bzh", "a compressed file", _UNPACK),
    (0, b"\xfd7zxz", "a compressed file", _UNPACK), (0, b"7z\xbc\xaf", "an archive", _UNPACK),
    (0, b"rar!", "an archive", _UNPACK), (257, b"ustar", "an archive", _UNPACK),
    (0, b"%pdf", "a PDF", "give the file that it was made of"),
    (8, b"wave", "a sound", "give the video"), (0, b"id3", "a sound", "give the video"),
)  # fmt: skip


def nothing_to_read(contents: Contents) -> str | None:
    """What a file is that holds nothing to read, and what to do with it; None for any other."""
    if contents.container == "folder":
        names = contents.fields
        if not names:
            return "is an empty folder; give the one with the files"
        if all((contents.path / name).is_dir() for name in names[:50]):
            return f"is a folder of folders ({', '.join(names[:3])}, ...); give them one by one"
        return None
    with contents.path.open("rb") as file:
        head = file.read(512)
    if not head:
        return "it is empty, get it again"
    if contents.container == "zip" and b"xl/" in contents.path.read_bytes()[-65536:]:
        return "is a spreadsheet; save it as .csv"
    plain = head.lstrip().lower()
    for place, mark, what, remedy in _NOTHING_TO_READ:
        if (plain if place == 0 else head.lower())[place:].startswith(mark):
            return f"is {what}; {remedy}"
    return None
