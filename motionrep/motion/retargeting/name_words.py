"""Recognises the joints of a skeleton by the words in their names, for skeletons that no table knows."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

# For each joint of the body, without its side, the words that name it. Where a skeleton uses two of them, the earlier
# word counts: with "thigh" and "leg", "leg" is the shin. The Japanese names are MikuMikuDance's.
_PAIRS = {
    "hip": "upleg upperleg legupper thigh thighbend femur hip 足 leg",
    "knee": "lowerleg lowleg leglower shin calf tibia knee ひざ 膝 leg",
    "ankle": "ankle 足首 foot metatarsals",
    "foot": "toebase toes toe ball つま先 foot",
    "collar": "clavicle clav collar scapula 肩 shoulder",
    "shoulder": "upperarm uparm uarm armupper humerus shldr shldrbend 腕 arm shoulder",
    "elbow": "forearm forearmbend farm lowerarm lowarm armlower radius elbow ひじ 肘",
    "wrist": "wrist 手首 hand",
}
_SINGLE = {"neck": "neck lowerneck necklower 首", "head": "head 頭"}
_LIMBS = (("hip", "knee", "ankle", "foot"), ("collar", "shoulder", "elbow", "wrist"))
_FOUND_IN_ORDER = ("hip", "knee", "ankle", "foot", "shoulder", "collar", "elbow", "wrist")
_REQUIRED = ("hip", "knee", "ankle")
_SIDES = {"l": "left", "left": "left", "lft": "left", "左": "left", "r": "right", "right": "right", "rgt": "right",
          "右": "right"}  # fmt: skip
# Helpers that stand beside the joints of the body, and words that say nothing.
_HELPERS = {"ik", "twist", "roll", "end", "nub", "pole", "target", "ctrl", "helper", "tip", "site", "ｉｋ", "捩"}
_EMPTY = {"joint", "jnt", "jt", "bone", "bn", "m", "c"}
_WORDS = {word for words in (*_PAIRS.values(), *_SINGLE.values()) for word in words.split()}


def joints_by_words(joints: Sequence[str], parents: Sequence[int]) -> dict[str, str] | None:
    """The file's joint for each joint of the body that is found, pelvis, hips, knees and ankles among them.

    A limb's joints must hang on each other in the body's order. The pelvis is what both thighs hang on. None where a
    leg is not found, or something could be meant twice.
    """
    named: dict[tuple[str, str], list[int]] = {}
    for number, joint in enumerate(joints):
        for side, word in _read(joint):
            named.setdefault((side, word), []).append(number)
    found: dict[str, int] = {}
    for part in _FOUND_IN_ORDER:
        word = next((word for word in _PAIRS[part].split() if _is_new(word, named, found)), None)
        for side in ("left", "right") if word else ():
            first = _first(named[side, str(word)], parents)
            if first is not None:
                found[f"{side}_{part}"] = first
    _find_numbered_elbows(named, found)
    for joint, words in _SINGLE.items():
        number = next((_first(named["", word], parents) for word in words.split() if ("", word) in named), None)
        if number is not None:
            found[joint] = number
    for side in ("left", "right"):
        if any(f"{side}_{part}" not in found for part in _REQUIRED):
            return None
        if f"{side}_elbow" not in found:
            found.pop(f"{side}_wrist", None)
        for limb in _LIMBS:
            chain = [found[f"{side}_{part}"] for part in limb if f"{side}_{part}" in found]
            if any(upper not in _above(lower, parents) for upper, lower in pairwise(chain)):
                return None
    pelvis = next((it for it in _above(found["left_hip"], parents) if it in _above(found["right_hip"], parents)), None)
    return None if pelvis is None else {name: joints[number] for name, number in {"pelvis": pelvis, **found}.items()}


def _read(joint: str) -> Iterator[tuple[str, str]]:
    """The side ("" for none) and the word of a joint, if it has a known word."""
    parts = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[^\W\d_a-zA-Z]+", joint)
    parts = [part.lower() for part in parts if part.lower() not in _EMPTY]
    if any(part in _HELPERS for part in parts) or not parts:
        return
    sides = [_SIDES[part] for part in parts if part in _SIDES]
    rest = [part for part in parts if part not in _SIDES]
    ends = ["".join(rest[-count:]) for count in range(min(3, len(rest)), 0, -1)]
    if not sides:  # "lhumerus", "LUArm", "左足", "hipleft"
        for end in ends:
            for side in sorted(_SIDES, key=len, reverse=True):
                for word in (end.removeprefix(side), end.removesuffix(side) if len(side) > 1 else end):
                    if word != end and word in _WORDS:
                        yield _SIDES[side], word
                        return
    word = next((end for end in ends if end in _WORDS), None)
    if word is not None:
        yield (sides[0] if sides else ""), word


def _find_numbered_elbows(named: dict[tuple[str, str], list[int]], found: dict[str, int]) -> None:
    """The forearms of rigs that number an arm's joints, as BEAT's RArm and RArm1."""
    for side in ("left", "right"):
        arm = next(
            (numbers for (of, _), numbers in named.items() if of == side and found.get(f"{side}_shoulder") in numbers),
            [],
        )
        if f"{side}_elbow" not in found and len(arm) == 2:
            found[f"{side}_elbow"] = arm[1]


def _is_new(word: str, named: dict[tuple[str, str], list[int]], found: dict[str, int]) -> bool:
    """Whether both sides have joints of that name which are no other joint of the body yet."""
    return all((side, word) in named and not {*named[side, word]} & {*found.values()} for side in ("left", "right"))


def _first(numbers: list[int], parents: Sequence[int]) -> int | None:
    """The joint that carries all others of its name; None where they stand side by side."""
    return next((it for it in numbers if all(it in (other, *_above(other, parents)) for other in numbers)), None)


def _above(joint: int, parents: Sequence[int]) -> list[int]:
    path = []
    while (joint := parents[joint]) >= 0:
        path.append(joint)
    return path
