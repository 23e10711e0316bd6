"""`python -m motionrep` is `motionrep`."""

import sys

from motionrep.cli import main

sys.exit(main())
