"""What `motionrep doctor` finds, and its report."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["works", "missing", "broken"]


@dataclass(frozen=True)
class Finding:
    """What was found about one thing.

    Attributes:
        state: `missing` if it is not there, `broken` if it is there and fails.
        fix: What helps, a command where there is one; None when nothing has to be done.
        needed: The five lines of the README, from keypoints to a video, do not run without it.
    """

    topic: str
    name: str
    state: State
    detail: str
    fix: str | None = None
    needed: bool = False


def tried(topic: str, name: str, attempt: Callable[[], str], fix: str, needed: bool = False) -> Finding:
    """Finds `works` with what the attempt returns, or `broken` with what it raises."""
    try:
        return Finding(topic, name, "works", attempt(), needed=needed)
    except Exception as error:  # whatever is wrong here, the other things are still examined
        message = " ".join(str(error).split())
        return Finding(topic, name, "broken", f"{type(error).__name__}: {message}", fix, needed)


def healthy(findings: list[Finding]) -> bool:
    """Whether everything works that the five lines need."""
    return all(finding.state == "works" for finding in findings if finding.needed)


def report(findings: list[Finding]) -> str:
    """The findings as a table by topic, with each fix on the line below."""
    lines, topic = [], None
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        if finding.topic != topic:
            topic = finding.topic
            lines.append(topic)
        mark = finding.state.upper() if finding.needed and finding.state != "works" else finding.state
        lines.append(f"  {mark:8s} {finding.name:{width}s}  {finding.detail}".rstrip())
        if finding.fix is not None:
            lines.append(f"  {'':8s} {'':{width}s}  -> {finding.fix}")
    broken = [f"{finding.topic}: {finding.name}" for finding in findings if finding.needed and finding.state != "works"]
    lines.append(f"not working: {', '.join(broken)}" if broken else "everything that the five lines need works")
    return "\n".join(lines)
