"""WHAM results (`wham_output.pkl`)."""

from pathlib import Path
from typing import Any

from motionrep.files.pickles import array_of as _array
from motionrep.motion.tracks import Track, _Frame, _track

_WHAM_FPS = 30.0  # taken when nobody says


def _wham(path: Path, person: Any, content: dict[str, Any], frame: _Frame, fps: float) -> Track:
    """Each person has a world of its own. There, `trans_world` is the middle of the hips; `trans` is SMPL's."""
    names = ("pose", "trans") if frame == "camera" else ("pose_world", "trans_world")
    if lacking := [name for name in (*names, "betas", "frame_ids") if name not in content]:
        raise ValueError(
            f"{path}: person {person!r} lacks {', '.join(lacking)}, which WHAM's --save_pkl writes; "
            f"it has {', '.join(map(str, content))}"
        )
    pose, trans, betas, frame_ids = (_array(path, name, content[name]) for name in (*names, "betas", "frame_ids"))
    name = str(person if isinstance(person, str | int) else _array(path, "the person's number", person))
    return _track(
        path, name, pose, trans, betas, "smpl", fps, frame, "own",
        place_of="vertices" if frame == "camera" else "hips", frame_numbers=frame_ids,
    )  # fmt: skip
