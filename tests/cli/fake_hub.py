"""Hub on the loopback interface with the requests that an upload and a download need.

The protocol is that of the Hugging Face Hub: repositories are created, files are committed as
NDJSON (large ones uploaded by Git LFS before), and read by revision.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LARGE = (".safetensors", ".png")
"""Suffixes of the files that are uploaded by Git LFS."""


class FakeHub:
    """Repositories by name, each a list of commits, and uploaded objects by SHA-256.

    A commit is the files by path; its name is the SHA-1 of its place and content.
    """

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}
        self.private: dict[str, bool] = {}
        self.objects: dict[str, bytes] = {}
        self.tokens: set[str | None] = set()
        self.address = ""

    def commit(self, repository: str, files: dict[str, bytes]) -> str:
        """Replace the files of a repository; returns the commit."""
        commits = self.commits.setdefault(repository, {})
        content = json.dumps([len(commits), {k: len(v) for k, v in files.items()}])
        name = hashlib.sha1(content.encode()).hexdigest()
        commits[name] = dict(files)
        return name

    def newest(self, repository: str) -> dict[str, bytes]:
        """Files of the newest commit."""
        return [*self.commits[repository].values()][-1]

    def post(self, path: str, body: bytes) -> tuple[int, Any]:
        """Status and JSON of a POST request."""
        parts = path.strip("/").split("/")
        match parts:
            case ["api", "repos", "create"]:
                asked = json.loads(body)
                repository = f"{asked['organization']}/{asked['name']}"
                if repository in self.commits:
                    return 409, {"url": f"{self.address}/{repository}", "error": "it exists"}
                self.private[repository] = asked.get("visibility") == "private"
                self.commit(repository, {})
                return 200, {"url": f"{self.address}/{repository}"}
            case ["api", "validate-yaml"]:
                return 200, {"errors": [], "warnings": []}
            case ["api", "models", *_, "preupload", _]:
                names = [file["path"] for file in json.loads(body)["files"]]
                modes = ["lfs" if name.endswith(LARGE) else "regular" for name in names]
                pairs = zip(names, modes, strict=True)
                files = [{"path": n, "uploadMode": m, "shouldIgnore": False} for n, m in pairs]
                return 200, {"files": files}
            case [_, _, "info", "lfs", "objects", "batch"]:
                objects = json.loads(body)["objects"]
                for each in objects:
                    href = f"{self.address}/upload/{each['oid']}"
                    each["actions"] = {"upload": {"href": href}}
                return 200, {"transfer": "basic", "objects": objects}
            case ["api", "models", owner, name, "commit", "main"]:
                repository = f"{owner}/{name}"
                files = dict(self.newest(repository))
                for line in body.splitlines():
                    item = json.loads(line)
                    value = item["value"]
                    if item["key"] == "file":
                        files[value["path"]] = base64.b64decode(value["content"])
                    elif item["key"] == "lfsFile":
                        files[value["path"]] = self.objects[value["oid"]]
                commit = self.commit(repository, files)
                url = f"{self.address}/{repository}/commit/{commit}"
                return 200, {"commitUrl": url, "commitOid": commit}
        return 404, {"error": f"no {path}"}

    def get(self, path: str) -> tuple[int, str, bytes]:
        """Status, commit and body of a GET request."""
        parts = path.strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        owner, name, *rest = parts[2:] if api else parts
        commits = self.commits.get(f"{owner}/{name}", {})
        if not commits:
            return 404, "", b"RepoNotFound"
        asked = rest[1] if len(rest) > 1 else "main"
        commit = [*commits][-1] if asked == "main" else asked
        if commit not in commits:
            return 404, "", b"RevisionNotFound"
        files = commits[commit]
        if not api:
            file = "/".join(rest[2:])
            return (200, commit, files[file]) if file in files else (404, "", b"EntryNotFound")
        siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
        card = files.get("README.md", b"").decode().partition("license: ")[2].partition("\n")[0]
        answer = {"id": f"{owner}/{name}", "sha": commit, "siblings": siblings}
        answer |= {"cardData": {"license": card}} if card else {}
        return 200, commit, json.dumps(answer).encode()


@contextmanager
def serve(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve a hub at a free port of the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            hub.tokens.add(self.headers["Authorization"])
            status, answer = hub.post(self.path.partition("?")[0], self._body())
            self._send(status, json.dumps(answer).encode())

        def do_PUT(self):
            body = self._body()
            hub.objects[hashlib.sha256(body).hexdigest()] = body
            self._send(200, b"")

        def do_GET(self):
            status, commit, body = hub.get(self.path.partition("?")[0])
            failed = {"X-Error-Code": body.decode()} if status == 404 else {}
            etag = {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', "X-Repo-Commit": commit}
            self._send(status, body, etag | failed)

        do_HEAD = do_GET  # noqa: N815

        def _body(self):
            return self.rfile.read(int(self.headers["Content-Length"] or 0))

        def _send(self, status, body, headers=()):
            self.send_response(status)
            for name, value in dict(headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield hub
        server.shutdown()
        thread.join()
