"""Questions about a file by which `files.kinds` recognises its kind; each gives True or False and never raises."""

from collections.abc import Callable

from motionrep.files.contents import Contents

Question = Callable[[Contents], bool]


def is_container(*containers: str) -> Question:
    """Whether the file is built in one of these ways."""
    return lambda file: file.container in containers


def has(container: str, *names: str) -> Question:
    """Whether a container has all these fields."""
    return lambda file: file.container == container and {*names} <= {*file.fields}


def items_have(*names: str) -> Question:
    """Whether the items of a JSON list have all these fields."""
    return lambda file: is_json_list(file) and {*names} <= {*file.item_fields}


def declares(name: str, *names: str) -> Question:
    """Whether the field `format` of an .npz starts with a name; without that field, whether it has all `names`."""

    def question(file: Contents) -> bool:
        if file.container != "npz":
            return False
        if file.declared is None:
            return {*names} <= {*file.fields}
        return file.declared.rpartition(" ")[0] == name

    return question


def either(*questions: Question) -> Question:
    return lambda file: any(question(file) for question in questions)


def is_json_list(file: Contents) -> bool:
    return file.container == "json" and file.fault is None and isinstance(file.value, list)


def is_openpose(file: Contents) -> bool:
    """A frame of OpenPose, or of AlphaPose's `open` or `cmu` format; or a dict or folder of such frames by name."""
    if file.container not in ("json", "folder") or file.fault is not None or not isinstance(file.value, dict):
        return False
    return any(is_openpose_frame(frame) for frame in (file.value, *file.value.values()))


def is_openpose_frame(frame: object) -> bool:
    return isinstance(frame, dict) and ("people" in frame or "bodies" in frame)


def is_ultralytics(file: Contents) -> bool:
    """A list of detections, or of such lists, whose keypoints are a dict."""
    first = file.item[0] if isinstance(file.item, list) and file.item else file.item
    return is_json_list(file) and isinstance(first, dict) and isinstance(first.get("keypoints"), dict)


def is_mediapipe(file: Contents) -> bool:
    """A list of frames: dicts with landmarks, or lists of landmarks, one or one for each person."""
    if not is_json_list(file):
        return False
    first = file.item
    while isinstance(first, list) and first:
        first = first[0]
    is_landmark = isinstance(file.item, list) and isinstance(first, dict) and {"x", "y"} <= first.keys()
    return is_landmark or bool({"landmarks", "pose_landmarks"} & {*file.item_fields})


def is_wham(file: Contents) -> bool:
    """A pickled dict of persons with poses in a world."""
    return file.container == "pickle" and bool({"pose_world", "trans_world"} & {*file.item_fields})


def is_joint_array(file: Contents) -> bool:
    """One array of numbers (frames, joints, 3 or 4) in a .npy or .npz."""
    found = [it for it in file.arrays.values() if len(it.shape) == 3 and it.shape[2] in (3, 4) and 0 not in it.shape]
    return len(found) == 1 and found[0].dtype.kind in "fiu"


def is_checkpoint(file: Contents) -> bool:
    """A file of torch.save or safetensors with named weights, or with a dict that is called as those of weights are."""
    if file.container not in ("torch", "safetensors"):
        return False
    called = bool({"model", "model_pos", "state_dict"} & {*file.fields})
    return called or any(name.endswith((".weight", ".bias")) for name in file.fields)
