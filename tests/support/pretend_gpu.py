"""A device that computes on the CPU, and tells what a GPU would refuse or would have to wait for.

Its tensors say that they are on `pretend:0`. Every operation goes through `Pretence`, which notes operations on tensors
of both devices (a GPU raises there), and every time the CPU would wait for the GPU: for a number (`float`, `if`), for
the places of True in a mask, or for a copy from one device to the other.
"""

import sys
from collections import Counter

import numpy as np
import torch
from paths import ROOT
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

_NAME = "pretend"
DEVICE = torch.device(f"{_NAME}:0") if torch._C._get_privateuse1_backend_name() == _NAME else None
_OF_SHAPE = {
    "aten::sym_size": torch.Tensor.size, "aten::size": torch.Tensor.size, "aten::sym_stride": torch.Tensor.stride,
    "aten::stride": torch.Tensor.stride, "aten::dim": torch.Tensor.dim, "aten::sym_numel": torch.Tensor.numel,
    "aten::numel": torch.Tensor.numel, "aten::sym_storage_offset": torch.Tensor.storage_offset,
    "aten::storage_offset": torch.Tensor.storage_offset,
}  # fmt: skip
_OF_LAYOUT = ("aten::is_contiguous", "aten::is_non_overlapping_and_dense", "aten::is_strides_like_format")


class _Backend:
    """What torch asks of the module of a device."""

    amp = None

    @staticmethod
    def get_amp_supported_dtype():
        return [torch.bfloat16, torch.float16]

    is_available = is_initialized = staticmethod(lambda: True)
    current_device = staticmethod(lambda: 0)
    device_count = staticmethod(lambda: 1)
    _is_in_bad_fork = staticmethod(lambda: False)
    manual_seed_all = staticmethod(lambda seed: None)
    get_rng_state = staticmethod(lambda device=0: torch.get_rng_state())
    set_rng_state = staticmethod(lambda state, device=0: None)


if DEVICE is None:
    _setup_privateuseone_for_python_backend(_NAME, backend_module=_Backend())
    DEVICE = torch.device(f"{_NAME}:0")


class PretendTensor(torch.Tensor):
    """A tensor of the device; `inner` is the one on the CPU that it computes with."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner):
        made = torch.Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype,
            device=DEVICE, dispatch_sizes_strides_policy="sizes",
        )  # fmt: skip
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return _dispatched(function, args, kwargs or {}, _noted[-1] if _noted else None)

    def __getitem__(self, index):
        return torch.Tensor.__getitem__(self, _on_device(index))

    def __setitem__(self, index, value):
        torch.Tensor.__setitem__(self, _on_device(index), value)

    def tolist(self):
        _note("a number")
        return self.inner.detach().tolist()

    def numpy(self, *_, **__):
        raise TypeError("can't convert a tensor of a GPU to numpy; use Tensor.cpu()")

    __array__ = numpy

    def __repr__(self):
        return f"PretendTensor({self.inner})"


class Pretence(TorchDispatchMode):
    """The device, while it is used as a context.

    Attributes:
        mixed: Operations on tensors of both devices, by operation and line of this library.
        waits: Times that the CPU would wait, by reason and line.
    """

    def __enter__(self):
        self.mixed, self.waits = Counter(), Counter()
        _noted.append(self)
        self._before = torch.tensor, torch.as_tensor, torch.Tensor.new_tensor
        torch.tensor, torch.as_tensor, torch.Tensor.new_tensor = _tensor, _as_tensor, _new_tensor
        return super().__enter__()

    def __exit__(self, *error):
        torch.tensor, torch.as_tensor, torch.Tensor.new_tensor = self._before
        _noted.pop()
        return super().__exit__(*error)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return _dispatched(function, args, kwargs or {}, self)


def on_device(it):
    """A tensor, or a module and all that it holds, on the device; the module itself is changed."""
    if isinstance(it, torch.Tensor):
        return PretendTensor(it.detach().clone())
    for module in it.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                moved = torch.nn.Parameter(on_device(parameter), requires_grad=parameter.requires_grad)
                module._parameters[name] = moved
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = on_device(buffer)
    return it


_noted: list[Pretence] = []
_OURS = (f"{ROOT}/motionrep/", f"{ROOT}/heads/")
_real_tensor, _real_as_tensor, _real_new_tensor = torch.tensor, torch.as_tensor, torch.Tensor.new_tensor


def _note(reason):
    if _noted:
        _noted[-1].waits[f"{reason} at {_line()}"] += 1


def _line():
    frame = sys._getframe()  # traceback.extract_stack would read every file of the stack
    while frame is not None:
        if frame.f_code.co_filename.startswith(_OURS):
            return f"{frame.f_code.co_filename.removeprefix(f'{ROOT}/')}:{frame.f_lineno}"
        frame = frame.f_back
    return "?"


def _dispatched(function, args, kwargs, noted):
    name = function._schema.name
    first = args[0] if args else None
    if isinstance(first, PretendTensor) and name in _OF_SHAPE and len(args) == 1:
        found = _OF_SHAPE[name](first.inner)
        return tuple(found) if isinstance(found, torch.Size) else found
    if isinstance(first, PretendTensor) and name in (*_OF_SHAPE, *_OF_LAYOUT):
        return function(first.inner, *args[1:], **kwargs)
    device = None if kwargs.get("device") is None else torch.device(kwargs["device"])
    if name == "aten::_to_copy":
        return _copied(function, first, kwargs, device)
    if name == "aten::copy_":
        if isinstance(first, PretendTensor) != isinstance(args[1], PretendTensor) and args[1].dim():
            _note("a copy")
        function(_inner(first), _inner(args[1]))
        return first
    tensors = [it for it in tree_flatten((args, kwargs))[0] if isinstance(it, torch.Tensor)]
    there = [it for it in tensors if isinstance(it, PretendTensor)]
    _look_for_waits(name, tensors, there)
    if there and any(it.dim() for it in tensors if not isinstance(it, PretendTensor)):
        if name == "aten::index" and isinstance(first, PretendTensor):
            _note("an index from the CPU")
        elif noted is not None:
            noted.mixed[f"{name} at {_line()}"] += 1
    if device is not None:
        kwargs = kwargs | {"device": torch.device("cpu")}
    made = function(*tree_map(_inner, args), **tree_map(_inner, kwargs))
    if name == "aten::_local_scalar_dense" or not (there if device is None else device.type == _NAME):
        return made
    if function._schema.is_mutable and name.endswith("_") and isinstance(first, PretendTensor):
        return first
    return tree_map(lambda it: PretendTensor(it) if type(it) is torch.Tensor else it, made)


def _look_for_waits(name, tensors, there):
    if not there:
        return
    by_mask = name.startswith("aten::index") and any(it.dtype in (torch.bool, torch.uint8) for it in tensors[1:])
    if name == "aten::_local_scalar_dense":
        _note("a number")
    elif by_mask or name in ("aten::nonzero", "aten::masked_select"):
        _note("a mask")


def _copied(function, source, kwargs, device):
    is_there = isinstance(source, PretendTensor)
    goes_there = is_there if device is None else device.type == _NAME
    if is_there != goes_there:
        _note("a copy")
    kept = {name: value for name, value in kwargs.items() if name not in ("device", "pin_memory", "non_blocking")}
    made = function(_inner(source), **kept)
    return PretendTensor(made) if goes_there else made


def _inner(it):
    return it.inner if isinstance(it, PretendTensor) else it


def _on_device(index):
    """A list or a NumPy array in an index is copied to the device, which waits."""

    def one(part):
        if isinstance(part, list | np.ndarray):
            _note("an index from the CPU")
            return PretendTensor(_real_tensor(part))
        return part

    return tuple(map(one, index)) if isinstance(index, tuple) else one(index)


def _is_there(device):
    return device is not None and torch.device(device).type == _NAME


def _tensor(data, dtype=None, device=None, **options):
    if not _is_there(device):
        return _real_tensor(data, dtype=dtype, device=device, **options)
    _note("a copy")
    return PretendTensor(_real_tensor(data, dtype=dtype))


def _as_tensor(data, dtype=None, device=None):
    if isinstance(data, torch.Tensor):
        return data.to(dtype=dtype or data.dtype, device=device or data.device)
    if not _is_there(device):
        return _real_as_tensor(data, dtype=dtype, device=device)
    _note("a copy")
    return PretendTensor(_real_as_tensor(data, dtype=dtype))


def _new_tensor(self, data, dtype=None, device=None, **options):
    if isinstance(self, PretendTensor) and device is None:
        _note("a copy")
        return PretendTensor(_real_tensor(data, dtype=dtype or self.dtype))
    return _real_new_tensor(self, data, dtype=dtype, device=device, **options)
