"""The server of viser: started at a free port, behind a gate, and kept from writing to the standard output."""

import contextlib
import io
import socket
from collections.abc import Iterator
from typing import Any

from motionrep.viewing.access import Gate

_PORTS_TRIED = 100


def open_server(host: str, port: int, gate: Gate | None = None) -> Any:
    """A viser server at the port, or at the next free one.

    Args:
        gate: Knows the link that the server answers; without one nobody knows it.

    Raises:
        ImportError: viser is not installed, or a version of it that cannot be kept from answering everybody.
        ValueError: No such host or port.
        OSError: No port is free.
    """
    try:
        import viser
    except ModuleNotFoundError as error:
        raise ImportError(f'the viewer needs {error.name}: pip install "motionrep[view]"') from error
    free, gate = _free_port(host, port), gate or Gate(host)
    with quiet():
        with gate.before_viser():
            server = viser.ViserServer(host, free, verbose=False)
        if not gate.stands:
            server.stop()
            raise ImportError(f'viser {viser.__version__} cannot be guarded: pip install "viser>=1.1,<1.2"')
    return server


@contextlib.contextmanager
def closing(server: Any) -> Iterator[Any]:
    """The server, stopped at the end."""
    try:
        yield server
    finally:
        with quiet():
            server.stop()


def _free_port(host: str, port: int) -> int:
    if not 0 <= port <= 65535:
        raise ValueError(f"port must be 0 to 65535, got {port}")
    last = min(port + _PORTS_TRIED, 65536)
    for candidate in [0] if port == 0 else range(port, last):
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, candidate, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                return probe.getsockname()[1]
        except socket.gaierror as error:
            raise ValueError(f"host {host!r} is not known; pass 127.0.0.1 for this machine") from error
        except OSError as error:
            reason = error
    raise OSError(f"no port of {host} from {port} to {last - 1} can be used: {reason}; pass another host or port")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps viser from announcing itself on the standard output, which belongs to our caller."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
