"""Who the viewer answers: requests as browsers, other pages and strangers send them."""

import contextlib
import http.client
import socket
from urllib.parse import urlsplit

import pytest

from motionrep.datasets.authored.motions import authored_motion
from motionrep.viewing import ViewedMotion, Viewer
from motionrep.viewing.access import Gate

pytest.importorskip("viser", reason="needs the extra view")
SOCKET = {
    "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}  # fmt: skip


@pytest.fixture(scope="module")
def url():
    with Viewer([ViewedMotion("walk", authored_motion("walk", seconds=0.2))], port=0) as viewer:
        yield viewer.url


@pytest.fixture(scope="module")
def subprotocol():
    import viser

    return {"Sec-WebSocket-Protocol": f"viser-v{viser.__version__}"}


def _answer(url, path=None, **headers):
    """Status and headers of the answer; header names with underscores, a value None leaves the header out."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.putrequest("GET", parts.path if path is None else path, skip_host=True)
    for name, value in ({"Host": parts.netloc} | headers).items():
        if value is not None:
            connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    if answer.status != 101:
        answer.read()
    connection.close()
    return answer


def test_the_link_opens_the_page_and_its_socket(url, subprotocol):
    parts = urlsplit(url)
    assert _answer(url).status == 200
    own = {"Origin": f"http://{parts.netloc}"} | SOCKET | subprotocol
    assert _answer(url, **own).status == 101
    assert _answer(url, parts.path.rstrip("/"), **own).status == 101  # as viser's page asks


@pytest.mark.parametrize("path", ["/", "/index.html", "/wrong/", "//", "/?token=", "/%2e%2e/"])
@pytest.mark.parametrize("headers", [{}, SOCKET], ids=["page", "socket"])
def test_nobody_gets_in_without_the_token(url, path, headers, subprotocol):
    parts = urlsplit(url)
    assert _answer(url, path, Origin=f"http://{parts.netloc}", **headers, **subprotocol).status == 403
    token = parts.path.strip("/")
    assert _answer(url, f"/{token[:-1]}/").status == 403
    assert _answer(url, f"/{token.swapcase()}/").status == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://{own}", "http://127.0.0.1:1", "http://{own}.evil.example", ""]
)
def test_pages_of_other_origins_are_refused_even_with_the_token(url, origin, subprotocol):
    origin = origin.format(own=urlsplit(url).netloc)
    assert _answer(url, Origin=origin, **SOCKET, **subprotocol).status == 403
    assert _answer(url, Origin=origin).status == 403


def test_a_socket_that_names_no_origin_is_refused(url, subprotocol):
    assert _answer(url, **SOCKET, **subprotocol).status == 403
    assert _answer(url, **SOCKET | {"Upgrade": "WebSocket"}, **subprotocol).status == 403


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "10.0.0.1:{port}",
        "localhost.evil.example",
        "[::1",
        "",
        "evil.example@127.0.0.1:{port}",
        "127.0.0.1:{port}; script-src *",
        "127.0.0.1:{port} http:",
        "127.0.0.1:",
    ],
)
def test_names_that_were_made_to_point_here_are_refused(url, host, subprotocol):
    """As after DNS rebinding: then host and origin agree."""
    host = host.format(port=urlsplit(url).port)
    assert _answer(url, Host=host).status == 403
    assert _answer(url, Host=host, Origin=f"http://{host}", **SOCKET, **subprotocol).status == 403


def test_two_hosts_and_none_are_refused(url):
    parts = urlsplit(url)
    for hosts in ("", f"Host: {parts.netloc}\r\nHost: evil.example\r\n"):
        with socket.create_connection((parts.hostname, parts.port), timeout=30) as raw:
            raw.sendall(f"GET {parts.path} HTTP/1.1\r\n{hosts}\r\n".encode())
            assert b" 403 " in raw.recv(100)


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1:9"])
def test_a_forwarded_port_works(url, host):
    """As of `ssh -L 9:127.0.0.1:8080`."""
    assert _answer(url, Host=host.format(port=urlsplit(url).port)).status == 200


def test_answers_let_their_page_load_nothing_from_elsewhere(url):
    for answer in (_answer(url), _answer(url, "/")):
        policy = answer.getheader("Content-Security-Policy")
        assert "default-src 'none'" in policy
        assert "http:" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.getheader("Referrer-Policy") == "no-referrer"
        assert answer.getheader("Cross-Origin-Resource-Policy") == "same-origin"


def test_the_server_behind_a_saved_page_answers_nobody():
    from motionrep.viewing.server import closing, open_server

    with closing(open_server("127.0.0.1", 0)) as server:
        assert _answer(f"http://127.0.0.1:{server.get_port()}/").status == 403


class _PassedBy(Gate):
    """A gate as it would be to a viser that opened its server in another way."""

    def before_viser(self):
        return contextlib.nullcontext()


def test_a_viser_that_passes_by_the_gate_is_stopped():
    from motionrep.viewing.server import open_server

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(ImportError, match="cannot be guarded"):
        open_server("127.0.0.1", port, _PassedBy("127.0.0.1"))
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=30)


@pytest.mark.slow
def test_in_a_browser_only_the_link_shows_anything(url, browser):
    """The real page of another origin tries the socket, with the token too; only the viewer's own page connects."""
    context = browser.new_context()
    tab = context.new_page()
    tab.set_default_timeout(120_000)
    requests, errors = [], []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("console", lambda told: errors.append(told.text) if told.type == "error" else None)
    tab.goto(url)
    tab.get_by_role("button", name="Pause").wait_for()
    assert errors == []
    own = urlsplit(url).netloc
    assert [one for one in requests if urlsplit(one).netloc != own and not one.startswith(("data:", "blob:"))] == []
    tab.reload()
    tab.get_by_role("button", name="Pause").wait_for()
    tab.close()
    other = context.new_page()
    other.goto("data:text/html,<p>elsewhere")
    tried = """([url, protocol]) => new Promise(done => {
        const socket = new WebSocket(url.replace("http", "ws"), protocol);
        socket.onopen = () => done("open"); socket.onerror = () => done("refused");
    })"""
    import viser

    assert other.evaluate(tried, [url, f"viser-v{viser.__version__}"]) == "refused"
    context.close()
