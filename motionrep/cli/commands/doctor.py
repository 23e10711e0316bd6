"""`motionrep doctor`."""

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run() -> int:
    """Says what is installed and what works here, and how to get the rest; status 1 if the basics do not work."""
    from motionrep.cli.doctor import examine, healthy, report

    findings = examine()
    print(report(findings))
    return 0 if healthy(findings) else 1
