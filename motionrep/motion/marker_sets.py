"""Joints of named markers: by the names of joints, by known sets of markers on the skin, or by a user's own table."""

import difflib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motionrep.files.texts import read_json
from motionrep.layouts import LAYOUTS, SMPL_24, JointLayout, find_layout
from motionrep.motion.records import JointOptions, MarkerMap

logger = logging.getLogger(__name__)

_NAMED = 8  # so many joints by their names are enough, whatever other markers there are
_RECOGNISED = 6


@dataclass(frozen=True)
class MarkerSet:
    """Markers with known names. {S} is L or R, {s} is L or r.

    `joints` lists, for joints of SMPL without their side, the markers whose middle the joint is; the first entry whose
    markers are all there counts. `pelvis` names the front of the pelvis, left and right, and possible markers of its
    back: with them, hips are found by Bell's regression.
    """

    name: str
    joints: dict[str, tuple[tuple[str, ...], ...]]
    pelvis: tuple[str, str, tuple[tuple[str, ...], ...]] | None
    on_skin: bool = True


# OpenSim's models (gait2392), the markers that OpenCap and Pose2Sim add by their network, Vicon's Plug-in Gait with the
# medial markers that laboratories add, and joint centres by the names that laboratories give them.
_SETS = (
    MarkerSet(
        "OpenSim",
        {
            "shoulder": (("{S}.Acromium",), ("{S}.Shoulder",)), "elbow": (("{S}.Elbow",),),
            "wrist": (("{S}.Wrist.Uln", "{S}.Wrist.Rad"), ("{S}.Wrist",)),
            "hip": (("{S}.HJC",),), "knee": (("{S}.Knee.Lat", "{S}.Knee.Med"), ("{S}.Knee.Lat",)),
            "ankle": (("{S}.Ankle.Lat", "{S}.Ankle.Med"), ("{S}.Ankle.Lat",)),
            "foot": (("{S}.Toe.Lat", "{S}.Toe.Med"), ("{S}.Heel", "{S}.Toe.Tip", "{S}.Toe.Tip")),
        },
        ("L.ASIS", "R.ASIS", (("V.Sacral",), ("L.PSIS", "R.PSIS"))),
    ),
    MarkerSet(
        "OpenCap",
        {
            "shoulder": (("{s}_shoulder_study",),), "elbow": (("{s}_lelbow_study", "{s}_melbow_study"),),
            "wrist": (("{s}_lwrist_study", "{s}_mwrist_study"),), "hip": (("{S}HJC_study",),),
            "knee": (("{s}_knee_study", "{s}_mknee_study"),), "ankle": (("{s}_ankle_study", "{s}_mankle_study"),),
            "foot": (("{s}_toe_study", "{s}_5meta_study"),),
        },
        ("L.ASIS_study", "r.ASIS_study", (("L.PSIS_study", "r.PSIS_study"),)),
    ),
    MarkerSet(
        "Plug-in Gait",
        {
            "shoulder": (("{S}SHO",),), "elbow": (("{S}ELB", "{S}MELB"), ("{S}ELB", "{S}ELBM"), ("{S}ELB",)),
            "wrist": (("{S}WRA", "{S}WRB"),), "hip": (("{S}HJC",),),
            "knee": (("{S}KNE", "{S}MKNE"), ("{S}KNE", "{S}KNEM"), ("{S}KNE",)),
            "ankle": (("{S}ANK", "{S}MANK"), ("{S}ANK", "{S}ANKM"), ("{S}ANK",)), "foot": (("{S}TOE",),),
        },
        ("LASI", "RASI", (("LPSI", "RPSI"), ("SACR",))),
    ),
    MarkerSet(
        "joint centres",
        {
            "shoulder": (("{S}SJC",),), "elbow": (("{S}EJC",),), "wrist": (("{S}WJC",),), "hip": (("{S}HJC",),),
            "knee": (("{S}KJC",),), "ankle": (("{S}AJC",),),
        },
        None,
        on_skin=False,
    ),
)  # fmt: skip


def read_marker_map(markers: Mapping[str, str | Sequence[str]] | Path | str | None) -> MarkerMap | None:
    """The markers of each joint, from a mapping or a .json file of it. Raises ValueError for anything else."""
    if markers is None:
        return None
    name, table = "markers", markers
    if isinstance(markers, Path | str):
        name = str(markers)
        if not Path(markers).is_file():
            raise FileNotFoundError(f"{markers}: no such file; expected a .json table of joints and their markers")
        table = read_json(Path(markers))
    whole = isinstance(table, Mapping) and {
        joint: (found,) if isinstance(found, str) else tuple(found) if isinstance(found, list | tuple) else ()
        for joint, found in table.items()
    }
    if not whole or not all(found and all(isinstance(marker, str) for marker in found) for found in whole.values()):
        raise ValueError(f'{name}: expected the markers of each joint, as {{"left_knee": ["LKNE", "LMKNE"]}}')
    return whole


def joints_of_markers(
    path: Path, markers: list[str], position: np.ndarray, options: JointOptions
) -> tuple[np.ndarray, JointLayout]:
    """Joints (frames, joints, 3) of a layout and the layout; NaN for joints without markers.

    Args:
        position: (frames, markers, 3), NaN where a marker is missing.

    Raises:
        ValueError: No marker is a joint of a layout or of a known set, or the user's table names what is not there.
    """
    markers = [marker.strip().rpartition(":")[2] for marker in markers]  # "Subject:LKNE"
    if options.markers is not None:
        return _by_table(path, markers, position, options.markers, find_layout(options.layout or SMPL_24.name))
    names = [joint_name(marker) for marker in markers]
    layout = find_layout(options.layout) if options.layout else _best_layout(names)
    shared = [joint for joint in layout.joints if joint in names]
    found, recipes = max(((it, _recipes(it, markers)) for it in _SETS), key=lambda pair: len(pair[1]))
    if len(recipes) >= _RECOGNISED and len(shared) < min(_NAMED, len(recipes)) and options.layout in (None, "smpl_24"):
        return _by_set(path, markers, position, found, recipes)
    if not shared:
        raise ValueError(
            f"{path}: no marker is a joint of a layout or of a known set ({', '.join(it.name for it in _SETS)}); say "
            f"with markers= (--markers table.json) which ones a joint lies between; markers: {', '.join(markers)}"
        )
    values = np.full((len(position), layout.joint_count, 3), np.nan)
    for joint in shared:
        values[:, layout.index(joint)] = position[:, names.index(joint)]
    return values, layout


def joint_name(marker: str) -> str:
    """`right_big_toe` for RBigToe, R.BigToe and r_big_toe."""
    sides = {"R": "Right", "L": "Left"}
    marker = re.sub(r"^([RLrl])(?:[._ ]+(?=\w)|(?=[A-Z][a-z]))", lambda side: f"{sides[side[1].upper()]}_", marker)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", marker).lower().replace(" ", "_").replace(".", "_").replace("__", "_")


def _best_layout(names: list[str]) -> JointLayout:
    return max(LAYOUTS.values(), key=lambda layout: len({*layout.joints} & {*names}))


def _by_table(
    path: Path, markers: list[str], position: np.ndarray, table: MarkerMap, layout: JointLayout
) -> tuple[np.ndarray, JointLayout]:
    values = np.full((len(position), layout.joint_count, 3), np.nan)
    for joint, wanted in table.items():
        for marker in wanted:
            if marker not in markers:
                near = difflib.get_close_matches(marker, markers, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"{path}: no marker {marker!r} for {joint}{hint} (markers: {', '.join(markers)})")
        try:
            values[:, layout.index(joint)] = _middle(markers, position, wanted)
        except ValueError as error:
            raise ValueError(f"{path}: table of markers: {error}") from error
    return values, layout


def _recipes(found: MarkerSet, markers: list[str]) -> dict[str, tuple[str, ...]]:
    """The markers of each of SMPL's joints that the set gives here."""
    recipes = {}
    for side, upper, lower in (("left", "L", "L"), ("right", "R", "r")):
        for joint, entries in found.joints.items():
            filled = [tuple(marker.format(S=upper, s=lower) for marker in entry) for entry in entries]
            if there := next((entry for entry in filled if {*entry} <= {*markers}), None):
                recipes[f"{side}_{joint}"] = there
    return recipes


def _by_set(
    path: Path, markers: list[str], position: np.ndarray, found: MarkerSet, recipes: dict[str, tuple[str, ...]]
) -> tuple[np.ndarray, JointLayout]:
    values = np.full((len(position), SMPL_24.joint_count, 3), np.nan)
    for joint, wanted in recipes.items():
        values[:, SMPL_24.index(joint)] = _middle(markers, position, wanted)
    hips = [SMPL_24.index("left_hip"), SMPL_24.index("right_hip")]
    if found.pelvis is not None and not {"left_hip", "right_hip"} <= recipes.keys():
        left, right, backs = found.pelvis
        back = next((back for back in backs if {left, right, *back} <= {*markers}), None)
        if back is not None:
            of_left, of_right, of_back = (_middle(markers, position, it) for it in ((left,), (right,), back))
            values[:, hips] = _bell_hips(of_left, of_right, of_back)
    if found.on_skin:
        logger.warning(
            "%s: markers of the set %s lie on the skin; joints are taken from them, shoulders and joints with a marker "
            "on one side only by some centimetres wrong", path, found.name,
        )  # fmt: skip
    return values, SMPL_24


def _middle(markers: list[str], position: np.ndarray, wanted: tuple[str, ...]) -> np.ndarray:
    return position[:, [markers.index(marker) for marker in wanted]].mean(1)


def _bell_hips(left: np.ndarray, right: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Centres of the hips by Bell et al. 1989, in parts of the width of the pelvis: 14 % in, 30 % down, 22 % back."""
    width = np.linalg.norm(left - right, axis=-1, keepdims=True)
    leftward = (left - right) / width
    front = (left + right) / 2 - back
    front -= (front * leftward).sum(-1, keepdims=True) * leftward
    front /= np.linalg.norm(front, axis=-1, keepdims=True)
    shift = -0.30 * np.cross(front, leftward) - 0.22 * front  # forward x leftward is upward
    inward = 0.14 * leftward
    return np.stack([left + width * (shift - inward), right + width * (shift + inward)], 1)
