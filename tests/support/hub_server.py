"""A small Hugging Face Hub on this machine: the endpoints that uploading and downloading a model use."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub() -> Iterator[tuple[str, dict[str, dict[str, bytes]]]]:
    """Serves until the block ends; yields its address and the files of each repository, `files["owner/name"][path]`."""
    files: dict[str, dict[str, bytes]] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"files": files}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", files
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files: dict[str, dict[str, bytes]]

    def do_GET(self) -> None:
        match [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]:
            case ["api", "models", owner, name, "revision", revision] if f"{owner}/{name}" in self.files:
                if revision not in ("main", COMMIT):
                    self._refuse("RevisionNotFound")
                    return
                siblings = [{"rfilename": path} for path in self.files[f"{owner}/{name}"]]
                self._json({"id": f"{owner}/{name}", "sha": COMMIT, "siblings": siblings})
            case ["api", "models", owner, name, "tree", *_] if f"{owner}/{name}" in self.files:
                held = self.files[f"{owner}/{name}"]
                self._json([{"type": "file", "path": path, "size": len(held[path]), "oid": "0" * 40} for path in held])
            case [owner, name, "resolve", _, path] if path in self.files.get(f"{owner}/{name}", {}):
                content = self.files[f"{owner}/{name}"][path]
                etag = f'"{hashlib.sha1(content).hexdigest()}"'
                self._answer(200, content, {"ETag": etag, "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"})
            case ["api", "models", *_]:
                self._refuse("RepoNotFound")
            case _:
                self._refuse("EntryNotFound")

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        match urlsplit(self.path).path.strip("/").split("/"):
            case ["api", "repos", "create"]:
                request = json.loads(body)
                repository = f"{request.get('organization') or 'me'}/{request['name']}"
                self.files.setdefault(repository, {})
                self._json({"url": f"http://{self.headers['Host']}/{repository}", "name": repository})
            case ["api", "models", _, _, "preupload", _]:
                paths = [file["path"] for file in json.loads(body)["files"]]
                self._json({"files": [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in paths]})
            case ["api", "models", owner, name, "commit", _]:
                for line in body.splitlines():
                    if (entry := json.loads(line))["key"] == "file":
                        content = base64.b64decode(entry["value"]["content"])
                        self.files[f"{owner}/{name}"][entry["value"]["path"]] = content
                url = f"http://{self.headers['Host']}/{owner}/{name}/commit/{COMMIT}"
                self._json({"commitUrl": url, "commitOid": COMMIT, "success": True})
            case ["api", "validate-yaml"]:
                self._json({"errors": [], "warnings": []})
            case _:
                self._refuse("EntryNotFound")

    def _json(self, content: object) -> None:
        self._answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _refuse(self, code: str) -> None:
        self._answer(404, b"{}", {"X-Error-Code": code})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass
