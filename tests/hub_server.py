"""A server on this machine that speaks the hub's endpoints: repositories from folders, with resumable downloads."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """`repositories` maps names to folders. Faults to play: `cut` bytes at which a download breaks off once, by path;
    `tamper` paths that are served with another content of the same size; without `ranges` none is served but the whole.
    `requests` logs (method, path, range)."""

    def __init__(self, repositories: dict[str, Path]):
        self.repositories = repositories
        self.cut: dict[str, int] = {}
        self.tamper: set[str] = set()
        self.ranges = True
        self.token: str | None = None
        self.requests: list[tuple[str, str, str | None]] = []
        self.url = ""

    def content(self, repository: str, path: str) -> bytes:
        return (self.repositories[repository] / path).read_bytes()

    def describe(self, repository: str) -> dict[str, object]:
        folder = self.repositories[repository]
        siblings = []
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            content, path = file.read_bytes(), file.relative_to(folder).as_posix()
            git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entry: dict[str, object] = {"rfilename": path, "size": len(content), "blobId": git}
            if path.endswith((".safetensors", ".bin")):
                sha = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"sha256": sha, "size": len(content), "pointerSize": 134}
            siblings.append(entry)
        return {"_id": "1", "id": repository, "modelId": repository, "sha": COMMIT, "private": False, "tags": [],
                "downloads": 0, "likes": 0, "siblings": siblings}  # fmt: skip


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            path = self.path.split("?")[0]
            hub.requests.append((self.command, path, self.headers.get("Range")))
            if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
                return self.send(401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "a token is needed"}, b"", body)
            if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/[^/]+)?", path):
                if match[1] not in hub.repositories:
                    return self.send(404, {"X-Error-Code": "RepoNotFound"}, b"", body)
                data = json.dumps(hub.describe(match[1])).encode()
                return self.send(200, {"Content-Type": "application/json"}, data, body)
            if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
                return self.file(match[1], match[2], body)
            return self.send(404, {}, b"", body)

        def file(self, repository: str, path: str, body: bool) -> None:
            try:
                content = hub.content(repository, path)
            except OSError:
                return self.send(404, {"X-Error-Code": "EntryNotFound"}, b"", body)
            etag = hashlib.sha256(content).hexdigest()
            if path in hub.tamper:
                content = content[:-1] + bytes([content[-1] ^ 1])
            headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
            status, start = 200, 0
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
            if wanted and hub.ranges:
                status, start = 206, int(wanted[1])
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            limit = hub.cut.pop(path, None) if body else None
            return self.send(status, headers, content[start:], body, limit)

        def send(
            self, status: int, headers: dict[str, str], content: bytes, body: bool, limit: int | None = None
        ) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content[:limit])
            if limit is not None:
                self.close_connection = True

    return Handler


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
