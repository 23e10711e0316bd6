"""Motion files of other systems, each read into tracks: AMASS, 3DPW, WHAM, GVHMR. Pickles are never run."""

import logging
from pathlib import Path
from typing import Any

from motionrep.files.checkpoints import read_checkpoint
from motionrep.files.pickles import read_pickle
from motionrep.motion.readers.gvhmr import _gvhmr
from motionrep.motion.readers.threedpw import _threedpw
from motionrep.motion.readers.wham import _WHAM_FPS, _wham
from motionrep.motion.tracks import Track, _Frame

logger = logging.getLogger(__name__)


def read_result(path: Path, frame: _Frame | None, fps: float | None) -> list[Track]:
    """The persons of a 3DPW sequence (.pkl), of WHAM's wham_output.pkl or of GVHMR's hmr4d_results.pt.

    Args:
        frame: Axes to read where the file holds both; world when None.
        fps: Frame rate of the video, for WHAM, whose file does not tell (None is 30, with a warning); 60 for the poses
            of 3DPW at 60 Hz.

    Raises:
        ValueError: Another kind of file, a broken one, or one that asks to import what none of these needs.
    """
    if path.suffix.lower() == ".pt":
        content: Any = read_checkpoint(path, unknown="refused")
        if "smpl_params_global" in content:
            return [_gvhmr(path, content, frame or "world", fps)]
    else:
        content = read_pickle(path, "motion of 3DPW or WHAM")
        if isinstance(content, dict) and {"poses", "trans", "cam_poses"} <= content.keys():
            return _threedpw(path, content, frame or "world", fps)
        if isinstance(content, dict) and content and all(isinstance(value, dict) for value in content.values()):
            if fps is None:
                logger.warning("%s does not say its frame rate; taking %g frames per second", path, _WHAM_FPS)
                fps = _WHAM_FPS
            return [_wham(path, key, value, frame or "world", fps) for key, value in content.items()]
    held = ", ".join(map(str, content)) if isinstance(content, dict) else f"a {type(content).__name__}"
    raise ValueError(
        f"{path}: expected a 3DPW sequence (poses, trans, cam_poses), WHAM's wham_output.pkl (persons with pose, "
        f"trans) or GVHMR's hmr4d_results.pt (smpl_params_global), the file holds {held or 'nothing'}"
    )
