"""Questions about a file by which `files.kinds` recognises its kind; each gives True or False and never raises."""

from collections.abc import Callable

from motionrep.files.contents import Contents
from motionrep.files.pickles import read_npz_object

Question = Callable[[Contents], bool]
_JOINTS = range(5, 301)  # fewer are rotations or places, more are a surface


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


def files_have(*names: str) -> Question:
    """Whether the first JSON file of a folder that is not empty has all these fields, or its first item has."""

    def question(file: Contents) -> bool:
        first = file.item if file.container == "folder" and file.fault is None else None
        if isinstance(first, list):
            first = next((item for item in first if item), None)
        return isinstance(first, dict) and {*names} <= first.keys()

    return question


def is_wham(file: Contents) -> bool:
    """A pickled dict of persons with poses in a world."""
    return file.container == "pickle" and bool({"pose_world", "trans_world"} & {*file.item_fields})


def is_vibe(file: Contents) -> bool:
    """A pickled dict of persons with SMPL's poses and the cameras that VIBE gives them."""
    return file.container == "pickle" and {"pose", "betas", "orig_cam"} <= {*file.item_fields}


def is_prompthmr(file: Contents) -> bool:
    """A pickled dict with people who have SMPL-X's parameters in the world."""
    if file.container != "pickle" or not {"people", "camera_world"} <= {*file.fields}:
        return False
    people = file.value["people"] if file.fault is None else None
    return isinstance(people, dict) and any(isinstance(it, dict) and "smplx_world" in it for it in people.values())


def is_easymocap(file: Contents) -> bool:
    """A list of persons with SMPL's parameters as EasyMocap has them, in a .json or in a folder of them."""
    if file.container not in ("folder", "json") or file.fault is not None:
        return False
    frame = file.item if file.container == "folder" else file.value
    people = frame.get("annots") if isinstance(frame, dict) else frame
    return (
        isinstance(people, list) and bool(people) and isinstance(people[0], dict) and {"Rh", "Th"} <= people[0].keys()
    )


def is_motionbert_mesh(file: Contents) -> bool:
    """A pickled dict of parts with SMPL's pose and shape of each frame."""
    return file.container == "pickle" and {"smpl_pose", "smpl_shape"} <= {*file.item_fields}


def is_phalp(file: Contents) -> bool:
    """A pickled dict of frames that list SMPL's parameters of the persons in them."""
    return file.container == "pickle" and {"smpl", "tid", "camera"} <= {*file.item_fields}


def is_smpl_dict(file: Contents) -> bool:
    """A dict of SMPL's parameters, or of persons with them, or a list of such dicts."""
    fields = (file.fields, file.item_fields) if file.container in ("pickle", "torch", "npy", "json") else ()
    return any({"global_orient", "body_pose"} <= {*names} for names in fields)


def is_romp(file: Contents) -> bool:
    """An .npz whose `results` are a dict of frames, or one frame, with SMPL's parameters of the persons in them."""
    header = file.arrays.get("results")
    if file.container != "npz" or header is None or header.dtype.kind != "O":
        return False
    try:
        results = read_npz_object(file.path, "results", "file of ROMP's results")
    except (OSError, ValueError):
        return False
    if not isinstance(results, dict):
        return False
    frames = [frame[0] if isinstance(frame, list) and frame else frame for frame in (results, *results.values())]
    fields = ({"smpl_thetas", "poses", "pose"}, {"smpl_betas", "betas"}, {"cam_trans", "trans"})
    return any(isinstance(frame, dict) and all(names & frame.keys() for names in fields) for frame in frames)


def is_sam3d_body(file: Contents) -> bool:
    """SAM 3D Body's fields of a person, of the persons of a picture, or of the persons of each frame."""
    if file.container not in ("pickle", "npy", "npz"):
        return False
    first = file.item[0] if isinstance(file.item, list) and file.item else file.item
    fields = (file.fields, file.item_fields, first if isinstance(first, dict) else ())
    return any({"pred_keypoints_3d", "pred_cam_t"} <= {*names} for names in fields)


def is_joint_array(file: Contents) -> bool:
    """One array of numbers (frames, joints, 3 or 4) in a .npy or .npz; or samples of SMPL's 22 or 52 joints."""

    def is_one(shape: tuple[int, ...]) -> bool:
        joints = (len(shape) == 3 and shape[2] in (3, 4) and shape[1] in _JOINTS) or (
            len(shape) == 4 and shape[2:] in ((22, 3), (52, 3))
        )
        return joints and 0 not in shape

    found = [it for it in file.arrays.values() if is_one(it.shape)]
    return len(found) == 1 and found[0].dtype.kind in "fiu"


def is_humanml3d_features(file: Contents) -> bool:
    """One array of 263 numbers a frame in a .npy or .npz."""
    found = [it for it in file.arrays.values() if len(it.shape) == 2 and it.shape[1] == 263 and it.shape[0]]
    return file.container in ("npy", "npz") and len(found) == 1 and found[0].dtype.kind == "f"


def is_checkpoint(file: Contents) -> bool:
    """A file of torch.save or safetensors with named weights, or with a dict that is called as those of weights are."""
    if file.container not in ("torch", "safetensors"):
        return False
    called = bool({"model", "model_pos", "state_dict"} & {*file.fields})
    return called or any(name.endswith((".weight", ".bias")) for name in file.fields)
