"""`motionrep doctor`."""

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run() -> int:
    """Reports what is installed and works here, and how to get the rest; status 1 if the basics do not work."""
    from motionrep.cli.doctor.examination import examine
    from motionrep.cli.doctor.findings import healthy, report

    findings = examine()
    print(report(findings))
    return 0 if healthy(findings) else 1
