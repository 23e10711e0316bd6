"""From the names of a file's joints to their layout, and own layouts from JSON files."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from motionrep.files.contents import look
from motionrep.layouts import (
    COCO_17,
    H36M_17,
    HALPE_26,
    LAYOUTS,
    NEEDED_JOINTS,
    JointLayout,
    Recipe,
    find_layout,
    h36m_17_weights,
    plain_joint_name,
)

logger = logging.getLogger(__name__)

# Layout by number of joints. COCO-WholeBody's 133 points start with COCO's 17, Halpe's 68 and 136 with its body's 26.
BODY_LAYOUTS = {17: COCO_17, 26: HALPE_26, 68: HALPE_26, 133: COCO_17, 136: HALPE_26}
_FINGERS_AND_FACE = 40  # layouts of more joints name fingers and points of the face
KNOWN = {
    plain_joint_name(j) for layout in LAYOUTS.values() if layout.joint_count < _FINGERS_AND_FACE for j in layout.joints
}
_ANIMALS = ("paw", "tail", "hoof", "wing", "beak", "withers", "trunk_tip")
# The other end of each joint's bone, by plain names without side: the first that a layout has.
_PARENTS = {
    "elbow": ("shoulder",), "wrist": ("elbow",), "hand": ("wrist",), "knee": ("hip",), "ankle": ("knee",),
    "heel": ("ankle",), "big_toe": ("ankle",), "small_toe": ("ankle",), "foot": ("ankle",), "hip": ("pelvis",),
    "shoulder": ("thorax", "neck", "upper_neck", "head_bottom"), "spine": ("pelvis",), "thorax": ("spine", "pelvis"),
    "neck": ("thorax", "spine", "pelvis"), "head_bottom": ("thorax",), "upper_neck": ("neck", "thorax"),
    "nose": ("upper_neck", "neck", "thorax", "head_bottom"), "eye": ("nose",), "ear": ("eye", "nose"),
    "head": ("nose", "neck", "thorax"), "head_top": ("head", "nose", "upper_neck", "neck"),
}  # fmt: skip


class NamedJoints(NamedTuple):
    """A layout, and where a file has each of its joints; -1 for a joint that the file lacks."""

    layout: JointLayout
    columns: list[int]


def layout_from_names(names: Sequence[str], path: Path | str, asked: JointLayout | None = None) -> NamedJoints | None:
    """The layout of a file that names its joints, in whatever order; None where no name is one of a joint.

    A known layout is taken where all its joints are named and no others, COCO's where all names are COCO's. Otherwise
    the joints keep the file's order. Joints whose names mean nothing, such as fingertips, are left out.

    Args:
        asked: The layout that the user wants; its joints are found by their names.

    Raises:
        ValueError: A name twice, an animal's joints, or no shoulders or hips.
    """
    plain = [plain_joint_name(str(name)) for name in names]
    place = {name: i for i, name in enumerate(plain) if name in KNOWN}
    if not place:
        return None
    if asked is not None and not asked.joint_count < _FINGERS_AND_FACE:
        return None
    if twice := sorted({name for name in place if plain.count(name) > 1}):
        raise ValueError(f"{path}: names {twice[0]!r} twice among its joints: {_listed(names)}; name each joint once")
    if animals := [name for name in names if any(word in str(name).lower() for word in _ANIMALS)]:
        raise ValueError(f"{path}: its joints ({_listed(animals)}) are those of an animal; only people are read")
    if asked is None and (lacking := [joint for joint in NEEDED_JOINTS if joint not in place]):
        raise ValueError(
            f"{path}: needs {', '.join(lacking)}, but names only {_listed(names)}; "
            "name them so, or say in a layout file what they are (--layout my.json)"
        )
    layout = asked or _fitting(place, len(names))
    if asked is not None:  # which may have the file's own names, of whatever meaning
        place |= {plain_joint_name(str(name)): i for i, name in enumerate(names) if plain.count(plain[i]) == 1}
    columns = [place.get(plain_joint_name(joint), -1) for joint in layout.joints]
    if asked is not None and -1 in columns:
        missing = [joint for joint, column in zip(asked.joints, columns, strict=True) if column < 0]
        logger.warning(
            "%s names its joints, and %s of layout %s are not among them; they count as unseen", path,
            ", ".join(missing), asked.name,
        )  # fmt: skip
    return NamedJoints(layout, columns)


def has_needed_joints(names: Sequence[str]) -> bool:
    """Whether the names are those of a person, who has shoulders and hips."""
    plain = {plain_joint_name(str(name)) for name in names}
    return plain.issuperset(NEEDED_JOINTS) and not any(word in name for name in plain for word in _ANIMALS)


def _fitting(place: dict[str, int], count: int) -> JointLayout:
    whole = BODY_LAYOUTS.get(count)
    same_order = [layout for layout in LAYOUTS.values() if [*map(plain_joint_name, layout.joints)] == [*place]]
    for layout in [*same_order, *([whole] if whole else []), *LAYOUTS.values()]:
        joints = {plain_joint_name(joint) for joint in layout.joints}
        if joints == place.keys() or (layout is whole and joints <= place.keys()):
            return layout
    if place.keys() <= set(COCO_17.joints):
        return COCO_17
    return named_layout(f"named_{len(place)}", list(place))


def named_layout(name: str, joints: Sequence[str], recipe: Recipe | None = None) -> JointLayout:
    """A layout of joints with any names; bones by the names that are understood."""
    of_plain = {plain_joint_name(joint): joint for joint in reversed(joints)}
    return JointLayout(name, tuple(joints), tuple(_parent(joint, of_plain) for joint in joints), recipe or {})


def _parent(joint: str, of_plain: dict[str, str]) -> str:
    plain = plain_joint_name(joint)
    side = next((side for side in ("left_", "right_") if plain.startswith(side)), "")
    for parent in _PARENTS.get(plain.removeprefix(side), ()):
        for name in (side + parent, parent):
            if name in of_plain and of_plain[name] != joint:
                return of_plain[name]
    return ""


def asked_layout(layout: JointLayout | Path | str | None) -> JointLayout | None:
    """A layout by its name, by its .json file (`read_layout`), or itself.

    Raises:
        FileNotFoundError: No such file.
        ValueError: An unknown name, or a file that is no layout.
    """
    if isinstance(layout, str | Path):
        return read_layout(Path(layout)) if str(layout).endswith(".json") else find_layout(str(layout))
    return layout


def read_layout(path: Path) -> JointLayout:
    """A layout from a .json file.

        {"name": "mine", "joints": ["LShoulder", "RShoulder", ...],
         "h36m_17": {"pelvis": ["LHip", "RHip"], "head": "crown", "nose": {"crown": 0.4, "chin": 0.6}}}

    `joints` are in the order of the keypoint file. `h36m_17` is for joints whose names are not understood: a joint, a
    list to take the middle of, or weights.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is no layout, or there is no way from it to Human3.6M's joints.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such layout file")
    contents = look(path)
    value = contents.value if contents.container == "json" and contents.fault is None else None
    joints = _names(value.get("joints")) if isinstance(value, dict) else []
    if not isinstance(value, dict) or not joints or len(set(joints)) != len(joints):
        raise ValueError(
            f"{path}: a layout is a JSON object with 'joints', different names in the order of the keypoint file"
        )
    mapping = value.get("h36m_17", {})
    if not isinstance(mapping, dict):
        raise ValueError(f"{path}: 'h36m_17' should map Human3.6M's joints to yours, got {type(mapping).__name__}")
    recipe = {str(joint): _weights(path, str(joint), of, joints) for joint, of in mapping.items()}
    layout = named_layout(str(value.get("name", path.stem)), joints, recipe)
    try:
        h36m_17_weights(layout)
        _ = layout.flip_indices
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return layout


def _weights(path: Path, joint: str, of: Any, joints: Sequence[str]) -> dict[str, float]:
    if joint not in H36M_17.joints:
        raise ValueError(f"{path}: 'h36m_17' has {joint!r}, which is none of {', '.join(H36M_17.joints)}")
    names = [of] if isinstance(of, str) else _names(of)
    weights = of if isinstance(of, dict) else {name: names.count(name) / len(names) for name in names}
    numbers = list(weights.values())
    if not numbers or not all(isinstance(w, int | float) and not isinstance(w, bool) for w in numbers):
        raise ValueError(f"{path}: 'h36m_17', {joint!r}: expected a joint, a list of joints or weights, got {of!r}")
    if unknown := [name for name in weights if name not in joints]:
        raise ValueError(f"{path}: 'h36m_17', {joint!r}: {unknown[0]!r} is not among the 'joints'")
    if abs(sum(numbers) - 1) > 1e-3:
        raise ValueError(f"{path}: 'h36m_17', {joint!r}: its weights sum to {sum(numbers):g}, they should sum to 1")
    return {str(name): float(weight) for name, weight in weights.items()}


def _names(value: Any) -> list[str]:
    """A list of names; nothing where it is none."""
    names = value if isinstance(value, list) else []
    return names if all(isinstance(name, str) and name for name in names) else []


def _listed(names: Sequence[Any]) -> str:
    return ", ".join(str(name) for name in names[:30]) + (", ..." if len(names) > 30 else "")
