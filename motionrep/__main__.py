"""The command `motionrep`, and `python -m motionrep`, as launchers of several processes start it."""

import sys


def run() -> int:
    """`cli.main.main`; Ctrl-C while that is still being imported ends it as quietly as later."""
    try:
        from motionrep.cli.main import main

        return main()
    except KeyboardInterrupt:
        if "--traceback" in sys.argv:
            raise
        sys.stderr.write("motionrep: interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(run())
