"""`motionrep doctor`."""

from motionrep.cli.options import Parser

EXAMPLES = """\
  motionrep doctor
  motionrep doctor > doctor.txt                         # for a report of a fault
  motionrep doctor || echo "the basics do not work"     # the status is 1 then
"""


def add_options(parser: Parser) -> None:
    """It has none."""


def run() -> int:
    """Reports what is installed and works here, and how to get the rest; status 1 if the basics do not work."""
    from motionrep.cli.doctor.examination import examine
    from motionrep.cli.doctor.findings import healthy, report

    findings = examine()
    print(report(findings))
    return 0 if healthy(findings) else 1
