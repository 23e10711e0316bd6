"""Carries out a pickle step by step: only plain containers and stand-ins are made, and each step is checked first.

Python's own unpickler trusts the file: it makes room for any memo number, and hashes tuples of any depth on the
machine's stack. This one counts steps, keeps the memo in a dict, and lets only plain values be keys. It imports
nothing; whatever a pickle names is looked up by `find`.
"""

import codecs
import mmap
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Literal

from motionrep.files.limits import limit, require_within

Find = Callable[[str, str], Any]
_CONTAINERS = (dict, list, tuple, set, frozenset)
_STEPS_BEFORE_FORGETTING = 2**16


class Inert:
    """What a pickle says about an object. Stands for functions too: files cannot change the attributes of a class."""

    arguments: tuple[Any, ...]
    state: Any = None

    def __new__(cls, *arguments: Any) -> Any:
        made = super().__new__(cls)
        made.arguments = arguments
        return made

    def __setstate__(self, state: Any) -> None:
        self.state = state


_WITH_PARTS = (*_CONTAINERS, Inert)


def as_key(value: Any) -> Any:
    """The value, if it may be a key or in a set: plain, a stand-in, or a tuple of such. Raises UnpicklingError else."""
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
        most_steps, most_bits = limit("opcodes"), int(limit("digits") * 3.33)
        stream, read, known = self._stream, self._stream.read, _STEPS.get
        steps = 0
        while (code := read(1)) != b".":
            steps += 1
            if steps > most_steps:
                require_within("a pickle in it", "opcodes", steps)
            if not steps % _STEPS_BEFORE_FORGETTING and isinstance(stream, mmap.mmap):
                _forget_what_was_read(stream)
            if (reading := known(code)) is None:
                raise pickle.UnpicklingError(f"opcode {code!r}" if code else "the file ends too early")
            argument_of, step = reading
            if argument_of is None:
                step(self, None)
                continue
            argument = argument_of(stream)
            if isinstance(argument, int) and argument.bit_length() > most_bits:
                require_within("a whole number in it", "digits", argument.bit_length() / 3.33)
            step(self, argument)
        value = self._pop(None)
        if self._stack or self._marks:
            raise pickle.UnpicklingError("values are left over")
        return value

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self, _: Any) -> Any:
        if not self._stack or (self._marks and len(self._stack) <= self._marks[-1]):
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
        self._push(tuple(reversed([self._pop(None) for _ in range(count)])))

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
        self._memo[index] = self._top()

    def _memoize(self, _: Any) -> None:
        self._put(len(self._memo))

    def _get(self, index: int) -> None:
        self._push(self._memo[index])

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
        if not callable(called) or not isinstance(arguments, tuple | list):
            raise pickle.UnpicklingError(f"a call of a {type(called).__name__}")
        self._push(called(*arguments))

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


def _line_of_text(stream: Any) -> str:
    """The text of a STRING, which protocol 0 writes between quotes, with escapes for what is no ASCII."""
    line = stream.readline().rstrip(b"\r\n")
    if len(line) < 2 or line[:1] not in b"'\"" or line[:1] != line[-1:]:
        raise pickle.UnpicklingError("text without quotes")
    return codecs.escape_decode(line[1:-1])[0].decode("latin1")  # pyright: ignore[reportAttributeAccessIssue]


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
_STEPS: dict[bytes, tuple[Callable[[Any], Any] | None, Step]] = {
    op.code.encode("latin1"): (
        _line_of_text if op.name == "STRING" else None if op.arg is None else op.arg.reader, _DONE[op.name]
    )
    for op in pickletools.opcodes
    if op.name in _DONE
}  # fmt: skip


def require_bounded(value: Any, what: Literal["numbers", "settings"] = "numbers") -> Any:
    """The value, unless it is nested too deeply, is in itself, or is longer than the limit once it is written out.

    A list that a pickle or YAML names twice counts twice, as whoever walks through the value meets it twice.

    Args:
        what: The limit on its length.

    Raises:
        ValueError: It is.
    """
    most_levels = limit("levels of nesting")
    size: dict[int, int] = {}
    levels: dict[int, int] = {}
    kept: list[Any] = []  # so that no other object gets the id of one that was counted
    stack: list[tuple[Any, Any]] = [(value, None)]
    while stack:
        item, parts = stack.pop()
        if parts is None:
            if id(item) in size:
                if size[id(item)] < 0:
                    raise ValueError("a value in it contains itself")
                continue
            kept.append(item)
            parts = _parts(item)
            if inner := [part for part in parts if isinstance(part, _WITH_PARTS)]:  # counted before the item is
                size[id(item)] = -1
                stack.append((item, parts))
                stack.extend((part, None) for part in inner)
                continue
        size[id(item)] = 1 + sum(_size(part, size) for part in parts)
        levels[id(item)] = 1 + max((levels.get(id(part), 0) for part in parts), default=0)
        require_within("a value in it", what, size[id(item)])
        if levels[id(item)] > most_levels:
            require_within("a value in it", "levels of nesting", levels[id(item)])
    return value


def _parts(item: Any) -> Any:
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    if isinstance(item, Inert):
        return [*item.arguments, item.state]
    return item if isinstance(item, (list, tuple, set, frozenset)) else ()


def _size(part: Any, size: dict[int, int]) -> int:
    if isinstance(part, _WITH_PARTS):
        return size[id(part)]
    return 1 + (len(part) // 8 if isinstance(part, str | bytes | bytearray) else 0)
