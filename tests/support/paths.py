"""Where the tests find files of the repository, and of what may lie beside it."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
GOLDEN = ROOT / "tests" / "golden"
WALK_BVH = DATA / "cmu_02_01_first_60.bvh"
OPEN_BODY = ROOT / "motionrep" / "body" / "open_body.npz"
CMU_BVH = Path(os.environ.get("MOTIONREP_CMU_BVH", ROOT.parent / "shared" / "data" / "cmu_bvh"))  # not everybody has it
