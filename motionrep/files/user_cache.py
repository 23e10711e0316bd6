"""Where a user's programs keep what they can make again."""

import os
import sys
from pathlib import Path


def user_cache() -> Path | None:
    """The folder of motionrep in the user's cache folder, which may not exist yet; None where there is no home."""
    try:
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "motionrep"
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "motionrep" / "cache"
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "motionrep"
    except RuntimeError:
        return None
