"""Carries out a pickle step by step: only plain containers and stand-ins are made, and each step is checked first.

Python's own unpickler trusts the file: it makes room for any memo number, and hashes tuples of any depth on the
machine's stack. This one counts steps, keeps the memo in a dict, and lets only plain values be keys. It imports
nothing; whatever a pickle names is looked up by `find`.
"""

import mmap
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Literal

from motionrep.files.limits import limit, require_within
from motionrep.files.pickle_arguments import READERS, Reader

Find = Callable[[str, str], Any]
_CONTAINERS = (dict, list, tuple, set, frozenset)
_STEPS_BEFORE_FORGETTING = 2**16


class Inert:
    """What a pickle says about an object. Stands for functions too: files cannot change the attributes of a class."""

    arguments: tuple[Any, ...]
    state: Any = None

    def __new__(cls, *arguments: Any) -> Any:
        made = object.__new__(cls)
        made.arguments = arguments
        return made

    def __setstate__(self, state: Any) -> None:
        self.state = state


_WITH_PARTS = (*_CONTAINERS, Inert)
_PLAIN = frozenset((int, float, bool, type(None)))
_OPEN = (0, 0)  # of a container whose parts are being counted


def as_key(value: Any) -> Any:
    """The value, if it may be a key or in a set: plain, a stand-in, or a tuple of such. Raises UnpicklingError else."""
    if type(value) is str:
        return value
    items = value if isinstance(value, tuple) else (value,)
    if any(isinstance(item, (*_CONTAINERS, bytearray)) for item in items):
        raise pickle.UnpicklingError("a key that is neither text nor a number")
    return value


def as_dict(pairs: Any = ()) -> dict[Any, Any]:
    """Stands for `dict`."""
    return {as_key(key): value for key, value in (pairs.items() if isinstance(pairs, dict) else pairs)}


def as_ordered(pairs: Any = ()) -> OrderedDict[Any, Any]:
    """Stands for `OrderedDict`."""
    return OrderedDict(as_dict(pairs))


def as_set(items: Iterable[Any] = ()) -> set[Any]:
    """Stands for `set`."""
    return {as_key(item) for item in items}


class PickleMachine:
    """Reads one pickle from a stream, of which no byte behind the pickle is read.

    Args:
        stream: A whole file; `read` may be asked for more than there is, and must not make room for that.
        find: Gives what stands for a name (module, name), or raises.
        persistent: Gives what stands for a persistent id.
    """

    def __init__(self, stream: Any, find: Find, persistent: Callable[[Any], Any] | None = None) -> None:
        self._stream, self._find, self._persistent = stream, find, persistent
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def load(self) -> Any:
        """The value.

        Raises:
            pickle.UnpicklingError, ValueError and others of `reading.BROKEN`: The pickle is cut off or altered, or asks
                for more than the limits.
        """
        most_steps = limit("opcodes")
        stream, read, known = self._stream, self._stream.read, _STEPS.get
        pause = min(_STEPS_BEFORE_FORGETTING, most_steps + 1)
        steps = 0
        while (code := read(1)) != b".":
            steps += 1
            if steps == pause:
                if steps > most_steps:
                    require_within("a pickle in it", "opcodes", steps)
                pause = min(pause + _STEPS_BEFORE_FORGETTING, most_steps + 1)
                if isinstance(stream, mmap.mmap):
                    _forget_what_was_read(stream)
            if (reading := known(code)) is None:
                raise pickle.UnpicklingError(f"opcode {code!r}" if code else "the file ends too early")
            argument_of, step = reading
            step(self, None if argument_of is None else argument_of(stream))
        value = self._pop(None)
        if self._stack or self._marks:
            raise pickle.UnpicklingError("values are left over")
        return value

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self, _: Any) -> Any:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise pickle.UnpicklingError("a value is missing")
        return self._stack.pop()

    def _top(self) -> Any:
        if not self._stack:
            raise pickle.UnpicklingError("a value is missing")
        return self._stack[-1]

    def _pop_mark(self) -> list[Any]:
        if not self._marks:
            raise pickle.UnpicklingError("a mark is missing")
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _mark(self, _: Any) -> None:
        self._marks.append(len(self._stack))

    def _pop_or_mark(self, _: Any) -> None:
        if self._marks and len(self._stack) == self._marks[-1]:
            self._marks.pop()
        else:
            self._pop(None)

    def _dup(self, _: Any) -> None:
        self._push(self._top())

    def _tuple_of(self, count: int) -> None:
        start = len(self._stack) - count
        if start < (self._marks[-1] if self._marks else 0):
            raise pickle.UnpicklingError("a value is missing")
        self._stack[start:] = [tuple(self._stack[start:])]

    def _append(self, items: list[Any]) -> None:
        target = self._top()
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, Inert) and hasattr(target, "extend"):
            target.extend(items)  # pyright: ignore[reportAttributeAccessIssue]
        else:
            raise pickle.UnpicklingError(f"items for a {type(target).__name__}")

    def _set_items(self, items: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, dict) and not (isinstance(target, Inert) and hasattr(target, "__setitem__")):
            raise pickle.UnpicklingError(f"entries for a {type(target).__name__}")
        for key, value in self._pairs(items):
            target[key] = value  # pyright: ignore[reportIndexIssue]

    def _add(self, items: list[Any]) -> None:
        if not isinstance(target := self._top(), set):
            raise pickle.UnpicklingError(f"members for a {type(target).__name__}")
        target |= as_set(items)

    def _pairs(self, items: list[Any]) -> Iterable[tuple[Any, Any]]:
        if len(items) % 2:
            raise pickle.UnpicklingError("a value is missing")
        return ((as_key(key), value) for key, value in zip(items[::2], items[1::2], strict=True))

    def _put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _get(self, index: int) -> None:
        self._stack.append(self._memo[index])

    def _global(self, names: str) -> None:
        module, _, name = names.partition(" ")
        self._push(self._find(module, name))

    def _stack_global(self, _: Any) -> None:
        name, module = self._pop(None), self._pop(None)
        if not isinstance(name, str) or not isinstance(module, str):
            raise pickle.UnpicklingError("a name that is no text")
        self._push(self._find(module, name))

    def _instance(self, names: str) -> None:
        arguments = self._pop_mark()
        self._global(names)
        self._made(self._pop(None), arguments)

    def _object(self, _: Any) -> None:
        called, *arguments = self._pop_mark()
        self._made(called, arguments)

    def _reduce(self, _: Any) -> None:
        arguments, called = self._pop(None), self._pop(None)
        self._made(called, arguments)

    def _new_object_ex(self, _: Any) -> None:
        self._pop(None)
        self._reduce(None)

    def _made(self, called: Any, arguments: Any) -> None:
        if not callable(called) or not isinstance(arguments, (tuple, list)):
            raise pickle.UnpicklingError(f"a call of a {type(called).__name__}")
        self._stack.append(called(*arguments))

    def _build(self, _: Any) -> None:
        state, target = self._pop(None), self._top()
        if isinstance(target, Inert):
            target.__setstate__(state)
        elif type(target) is not OrderedDict:  # what torch adds to one, `_metadata`, is left out
            raise pickle.UnpicklingError(f"attributes of a {type(target).__name__}")

    def _persist(self, key: Any) -> None:
        if self._persistent is None:
            raise pickle.UnpicklingError("a persistent id")
        self._push(self._persistent(key))


def _forget_what_was_read(stream: mmap.mmap) -> None:
    """Gives back the memory of a mapped file's part that was read; each value has been copied from there."""
    whole_pages = stream.tell() // mmap.PAGESIZE * mmap.PAGESIZE
    if whole_pages and hasattr(mmap, "MADV_DONTNEED"):
        stream.madvise(mmap.MADV_DONTNEED, 0, whole_pages)


Step = Callable[[PickleMachine, Any], None]
_VALUES = (
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "STRING", "BINSTRING", "SHORT_BINSTRING",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
    "BINUNICODE8", "FLOAT", "BINFLOAT",
)  # fmt: skip
_DONE: dict[str, Step] = {
    **dict.fromkeys(_VALUES, PickleMachine._push),
    **dict.fromkeys(("PROTO", "FRAME"), lambda machine, _: None),
    "NONE": lambda machine, _: machine._push(None),
    "NEWTRUE": lambda machine, _: machine._push(True),
    "NEWFALSE": lambda machine, _: machine._push(False),
    "EMPTY_LIST": lambda machine, _: machine._push([]),
    "EMPTY_DICT": lambda machine, _: machine._push({}),
    "EMPTY_SET": lambda machine, _: machine._push(set()),
    "EMPTY_TUPLE": lambda machine, _: machine._push(()),
    "TUPLE1": lambda machine, _: machine._tuple_of(1),
    "TUPLE2": lambda machine, _: machine._tuple_of(2),
    "TUPLE3": lambda machine, _: machine._tuple_of(3),
    "TUPLE": lambda machine, _: machine._push(tuple(machine._pop_mark())),
    "LIST": lambda machine, _: machine._push(machine._pop_mark()),
    "DICT": lambda machine, _: machine._push(dict(machine._pairs(machine._pop_mark()))),
    "FROZENSET": lambda machine, _: machine._push(frozenset(as_set(machine._pop_mark()))),
    "APPEND": lambda machine, _: machine._append([machine._pop(None)]),
    "APPENDS": lambda machine, _: machine._append(machine._pop_mark()),
    "SETITEM": lambda machine, _: machine._set_items([machine._pop(None), machine._pop(None)][::-1]),
    "SETITEMS": lambda machine, _: machine._set_items(machine._pop_mark()),
    "ADDITEMS": lambda machine, _: machine._add(machine._pop_mark()),
    "MARK": PickleMachine._mark,
    "POP": PickleMachine._pop_or_mark,
    "POP_MARK": lambda machine, _: machine._pop_mark().clear(),
    "DUP": PickleMachine._dup,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), PickleMachine._put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), PickleMachine._get),
    "MEMOIZE": PickleMachine._memoize,
    "GLOBAL": PickleMachine._global,
    "STACK_GLOBAL": PickleMachine._stack_global,
    "INST": PickleMachine._instance,
    "OBJ": PickleMachine._object,
    **dict.fromkeys(("REDUCE", "NEWOBJ"), PickleMachine._reduce),
    "NEWOBJ_EX": PickleMachine._new_object_ex,
    "BUILD": PickleMachine._build,
    "PERSID": PickleMachine._persist,
    "BINPERSID": lambda machine, _: machine._persist(machine._pop(None)),
}
# Of each opcode by its byte: what reads its argument from the stream, and what it does.
_STEPS: dict[bytes, tuple[Reader | None, Step]] = {
    op.code.encode("latin1"): (READERS.get(op.name), _DONE[op.name]) for op in pickletools.opcodes if op.name in _DONE
}


def require_bounded(value: Any, what: Literal["numbers", "settings"] = "numbers") -> Any:
    """The value, unless it is nested too deeply, is in itself, or is longer than the limit once it is written out.

    A list that a pickle or YAML names twice counts twice, as whoever walks through the value meets it twice.

    Args:
        what: The limit on its length.

    Raises:
        ValueError: It is.
    """
    most, most_levels = limit(what), limit("levels of nesting")
    counted: dict[int, tuple[int, int]] = {}  # of each container, all of which live in the value

    def size_and_levels(item: Any, depth: int) -> tuple[int, int]:
        if (found := counted.get(id(item))) is not None:
            if found is _OPEN:
                raise ValueError("a value in it contains itself")
            return found
        if depth > most_levels:
            require_within("a value in it", "levels of nesting", depth)
        counted[id(item)] = _OPEN
        size, levels = 1, 0
        for part in _parts(item):
            kind = type(part)
            if kind in _PLAIN:
                size += 1
            elif kind is str or kind is bytes:
                size += 1 + len(part) // 8
            elif isinstance(part, _WITH_PARTS):
                inner, inner_levels = size_and_levels(part, depth + 1)
                size += inner
                levels = inner_levels if inner_levels > levels else levels
            else:
                size += 1 + (len(part) // 8 if isinstance(part, (str, bytes, bytearray)) else 0)
        if size > most:
            require_within("a value in it", what, size)
        if levels + 1 > most_levels:
            require_within("a value in it", "levels of nesting", levels + 1)
        counted[id(item)] = found = size, levels + 1
        return found

    size_and_levels(value, 1)
    return value


def _parts(item: Any) -> Iterable[Any]:
    if isinstance(item, (list, tuple, set, frozenset)):
        return item
    if isinstance(item, dict):
        return chain(item, item.values())
    return (*item.arguments, item.state) if isinstance(item, Inert) else ()
