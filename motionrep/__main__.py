"""`python -m motionrep`, as launchers of several processes start it."""

import sys

from motionrep.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
