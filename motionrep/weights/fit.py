"""Whether weights fit a model: all of them or none. An error lists what does not fit, and the likely reason."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping

from torch import Tensor

_OPTIMIZER = re.compile(r"(^|\.)(optimizer|exp_avg|exp_avg_sq|momentum_buffer|param_groups)\b")
_LISTED = 12


def require_fit(
    owner: str,
    got: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    frames: int | None = None,
    others: Callable[[], Mapping[str, Collection[str]]] = dict,
) -> None:
    """Raises ValueError unless names and shapes agree and all numbers are finite.

    The message lists missing names, unexpected names and wrong shapes, and says why that may be. Names that differ only
    in the number of a layer are listed once, as `blocks.*.norm.weight x7`.

    Args:
        got: The weights by name.
        expected: The state dict of the model.
        owner: What the weights should fit, for the message.
        frames: The window of the model, if it has one.
        others: Gives the names of all architectures' weights, to find out whose these are.
    """
    missing = [name for name in expected if name not in got]
    unexpected = [name for name in got if name not in expected]
    misfits = [name for name in expected if name in got and got[name].shape != expected[name].shape]
    wrong = [f"{name} {tuple(got[name].shape)} instead of {tuple(expected[name].shape)}" for name in misfits]
    lists = (("missing", missing), ("unexpected", unexpected), ("of wrong shape", wrong))
    problems = [f"{len(names)} {what} ({listed(names)})" for what, names in lists if names]
    if not problems:
        if broken := [name for name in expected if not got[name].isfinite().all()]:
            raise ValueError(
                f"the weights for {owner} hold NaN or infinite values ({listed(broken)}): the training diverged, or "
                "the file is damaged; take an earlier checkpoint"
            )
        return
    reason = (
        _prefix(got, expected)
        or _more_than_a_model(missing, unexpected)
        or _other_window(got, expected, missing, unexpected, misfits, frames)
        or other_architecture(owner, got, others())
        or "They are incomplete, of a variant of the model, or of another configuration than the one given"
    )
    raise ValueError(f"the weights do not fit {owner}: {'; '.join(problems)}. {reason}")


def listed(names: Collection[str], limit: int = _LISTED) -> str:
    """Names in one line. Those that differ only in their first number are listed once, with their count."""
    patterns: dict[str, list[str]] = {}
    for name in names:
        patterns.setdefault(re.sub(r"(?<=\.)\d+(?=\.)", "*", name, count=1), []).append(name)
    shown = [same[0] if len(same) == 1 else f"{pattern} x{len(same)}" for pattern, same in patterns.items()]
    more = sum(len(same) for same in list(patterns.values())[limit:])
    return ", ".join(shown[:limit]) + (f", and {more} more" if more else "")


def other_architecture(owner: str, got: Collection[str], others: Mapping[str, Collection[str]]) -> str:
    """A sentence that names the architecture with the most similar names; empty if that is `owner` or none is close."""
    have = _patterns(got)
    alike = {name: len(have & (known := _patterns(names))) / len(have | known) for name, names in others.items()}
    best = max(alike, key=alike.__getitem__, default=owner)
    if best == owner or alike[best] < 0.5:
        return ""
    return f"By their names they are weights of another architecture, {best!r}"


def _patterns(names: Collection[str]) -> set[str]:
    return {re.sub(r"\.\d+\.", ".*.", name) for name in names}


def _prefix(got: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    if len(expected.keys() & got.keys()) > len(expected) / 2:
        return ""
    for prefix, _ in Counter(name.split(".")[0] + "." for name in got if "." in name).most_common():
        inner = {name.removeprefix(prefix) for name in got if name.startswith(prefix)}
        if len(inner & expected.keys()) > len(expected) / 2:
            rest = [name for name in got if not name.startswith(prefix)]
            kept = f" and leave the other names ({listed(rest, 3)}) out" if rest else ""
            source = ", as parallel training writes it" if prefix == "module." else ""
            return f"Their names begin with {prefix!r}{source}: take that off{kept}"
    return ""


def _more_than_a_model(missing: Collection[str], unexpected: Collection[str]) -> str:
    if any(_OPTIMIZER.search(name) for name in unexpected):
        return "The file holds the state of an optimiser as well: keep the entries of the model only"
    if unexpected and not missing and all(name.startswith("head.") for name in unexpected):
        return "The file holds a head as well: leave the names that begin with 'head.' out, and save it on its own"
    return ""


def _other_window(
    got: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    missing: Collection[str],
    unexpected: Collection[str],
    misfits: Collection[str],
    frames: int | None,
) -> str:
    if missing or unexpected or any(got[name].ndim != expected[name].ndim for name in misfits):
        return ""
    shapes = [(expected[name].shape, got[name].shape) for name in misfits]
    sizes = {pair for shape in shapes for pair in zip(*shape, strict=True) if pair[0] != pair[1]}  # here, in the file
    if len(sizes) != 1:
        return ""
    here, there = sizes.pop()
    return f"They were trained with windows of {there} frames: pass frames={there}" if here == frames else ""
