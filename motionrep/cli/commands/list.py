"""`motionrep list`."""

from motionrep.cli.options import Parser

EXAMPLES = """\
  motionrep list
  motionrep list | grep heads
  motionrep list | grep layouts
"""


def add_options(parser: Parser) -> None:
    """It has none."""


def run() -> None:
    """Lists detectors, encoders, heads, shipped weights and joint layouts."""
    from motionrep.detection.detectors import described_detectors
    from motionrep.encoders import ENCODERS
    from motionrep.head_api.loading import head_entry_points
    from motionrep.layouts import LAYOUTS
    from motionrep.weights import shipped

    for title, names in (
        ("detectors", described_detectors()),
        ("encoder architectures", ENCODERS),
        ("heads", sorted(head_entry_points())),
        ("shipped encoders", shipped("encoder")),
        ("shipped heads", shipped("head")),
        ("joint layouts", [f"{name} ({layout.joint_count} joints)" for name, layout in LAYOUTS.items()]),
    ):
        print(f"{title}: {', '.join(names) or 'none'}")
