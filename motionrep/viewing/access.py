"""Who may read what the viewer shows, and what its pages may load.

viser answers requests of every web page, and has no setting for that. So `Gate` sees each request first.
"""

import contextlib
import hmac
import ipaddress
import re
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_REFUSED = "motionrep: open the whole link that `motionrep view` printed; this request is not from it\n"
# It becomes a part of the policy, so it is a name or an address and a port, and nothing else.
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:[0-9]{1,5})?")
_swapping = threading.Lock()

# viser's program is inline script and WebAssembly, and makes functions of strings. It can load from no server and send
# to none.
_LOADED = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; worker-src blob:; base-uri 'none'; "
    "form-action 'none'; style-src 'unsafe-inline'; img-src data: blob:; media-src data:; font-src data:"
)
# Of pages in one file: the element for their head.
OFFLINE = f'<meta http-equiv="Content-Security-Policy" content="{_LOADED}; connect-src data: blob:">'


class Gate:
    """Answers only requests that know the token, name this machine as their host, and come from the viewer's own page.

    The token is the first part of the path, so the page's websocket has it too, and no cookie does. The host is checked
    against web pages whose name is made to point here, the origin against web pages that are open in the same browser.

    Args:
        host: The address that is served at.
    """

    def __init__(self, host: str) -> None:
        self.host = host.lower()
        self.token = secrets.token_urlsafe(24)
        self.stands = False

    def link(self, port: int) -> str:
        """The address of the page at a port."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{port}/{self.token}/"

    @contextlib.contextmanager
    def before_viser(self) -> Iterator[None]:
        """Servers that viser opens in the block stand behind this gate; `stands` tells that one does."""
        from websockets.asyncio import server

        def guarded(*arguments: Any, process_request: Callable[[Any, Any], Any], **options: Any) -> Any:
            self.stands = True
            return open_to_all(*arguments, process_request=self._in_front_of(process_request), **options)

        with _swapping:
            open_to_all, server.serve = server.serve, guarded
            try:
                yield
            finally:
                server.serve = open_to_all

    def _in_front_of(self, answer: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def checked(connection: Any, request: Any) -> Any:
            given, _, rest = request.path.lstrip("/").partition("/")
            known = hmac.compare_digest(given.partition("?")[0].encode(), self.token.encode())
            if not (known and self._is_ours(request.headers)):
                return _sealed(connection.respond(HTTPStatus.FORBIDDEN, _REFUSED), "")
            request.path = f"/{rest}"
            response = answer(connection, request)
            return response and _sealed(response, request.headers["Host"])

        return checked

    def _is_ours(self, headers: Any) -> bool:
        """Whether the request names this machine, and comes from no page but the viewer's."""
        hosts, origins = headers.get_all("Host"), headers.get_all("Origin")
        if len(hosts) != 1 or not self._is_this_machine(hosts[0]):
            return False
        own = [f"http://{hosts[0].lower()}"]
        is_socket = bool(headers.get_all("Upgrade"))  # for which browsers always tell the origin
        return [origin.lower() for origin in origins] == own or (not origins and not is_socket)

    def _is_this_machine(self, host: str) -> bool:
        if not (found := _HOST.fullmatch(host.lower())):
            return False
        name = found[1].strip("[]")
        if name in (*_LOOPBACK, self.host):
            return True
        return self.host not in _LOOPBACK and (name == socket.gethostname().lower() or _is_number(name))


def _is_number(name: str) -> bool:
    """Whether a host is an address in numbers, which no name server can make point elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _sealed(response: Any, host: str) -> Any:
    """The response with headers that let its page load nothing and talk to nobody but `host`."""
    connections = f"connect-src data: blob: ws://{host}" if host else "connect-src 'none'"
    response.headers["Content-Security-Policy"] = f"{_LOADED}; {connections}; frame-ancestors 'none'"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response
