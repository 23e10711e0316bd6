"""One page about a clip: what was seen, what was recovered, how it moves, what it is, and what is doubtful."""

from motionrep.reporting.page import PersonReport, analyse, save_report

__all__ = ["PersonReport", "analyse", "save_report"]
