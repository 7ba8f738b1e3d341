"""Explorer: requests other than those of its page, and slow clients."""

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aejax.cli.explorer import application as requests
from aejax.cli.explorer import serving
from aejax.cli.explorer.application import application
from aejax.cli.explorer.explored_run import View
from tests.properties import property_test

EXAMPLES, FEATURES, UNITS = 3, 4, 2
VIEW = View(
    title="a run",
    x=np.arange(12, dtype=np.float32).reshape(EXAMPLES, 2, 2),
    labels=None,
    codes=np.ones((EXAMPLES, UNITS), np.float32),
    encode=lambda x: np.ones((len(x), UNITS), np.float32) * x.reshape(len(x), -1)[:, :1],
    decode=lambda code: np.ones((len(code), 2, 2)) * code[:, :1, None],
    gradient=lambda x, _: x.mean(axis=0),
)
HOST = [(b"host", b"127.0.0.1:80")]


def ask(method, path, *chunks, headers=HOST, kind="http", stall=False, disconnect=False, view=VIEW):
    """Status and body of the response to one ASGI scope; None if it is not HTTP."""
    sent, parts = [], list(chunks) or [b""]

    async def receive():
        if parts:
            body = parts.pop(0)
            more = bool(parts) or stall or disconnect
            return {"type": "http.request", "body": body, "more_body": more}
        if stall:
            await asyncio.sleep(10)
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(errors="replace"),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    asyncio.run(application(view, "token")(scope, receive, send))
    if kind != "http":
        return sent, b""
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("OPTIONS", "*"),
        ("CONNECT", ""),
        ("CONNECT", "127.0.0.1:80"),
        ("GET", "token"),
        ("GET", "/\ud800/"),
        ("GET", "/token\x00/"),
        ("GET", "//token/"),
        ("PUT", "/other/decoded/0"),
    ],
)
def test_request_without_token_is_refused(method, path):
    assert ask(method, path)[0] == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"host", b"127.0.0.1:8000")], 200),
        ([(b"host", b"localhost")], 200),
        ([(b"host", b"LOCALHOST:1")], 200),
        ([(b"host", b"[::1]:8000")], 200),
        ([(b"host", b"localhost:1"), (b"origin", b"http://localhost:1")], 200),
        ([], 403),
        ([(b"host", b"")], 403),
        ([(b"host", b"evil.example")], 403),  # DNS rebinding
        ([(b"host", b"127.0.0.1.evil.example:80")], 403),
        ([(b"host", b"evil.example@localhost:80/")], 200),  # a name and password: not a host
        ([(b"host", b"[::1")], 403),
        ([(b"host", b"\xff\xfe")], 403),
        ([(b"host", b"localhost:1"), (b"origin", b"http://localhost:2")], 403),
        ([(b"host", b"localhost:1"), (b"origin", b"https://localhost:1")], 403),
        ([(b"host", b"localhost:1"), (b"origin", b"http://evil.example")], 403),
        ([(b"host", b"localhost:1"), (b"origin", b"null")], 403),
        ([(b"host", b"localhost:1"), (b"origin", b"")], 403),
    ],
)
def test_foreign_host_or_origin_is_refused(headers, status):
    assert ask("GET", "/token/description", headers=headers)[0] == status
    posted = ask("POST", "/token/decoded/0", b"[1, 2]", headers=headers)[0]
    assert posted == status


def test_a_view_of_one_example_answers():
    view = VIEW._replace(x=VIEW.x[:1], codes=VIEW.codes[:1])
    assert ask("POST", "/token/decoded/0", b"[1, 2]", view=view)[0] == 200


@pytest.mark.parametrize(
    "method", ["HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "CONNECT", "X\r\n"]
)
@pytest.mark.parametrize("path", ["/token/", "/token/description", "/token/decoded/0"])
def test_other_methods_are_not_allowed(method, path):
    status, body = ask(method, path)
    read = method == "HEAD" and "decoded" not in path
    assert status == (200 if read else 405)
    assert read or method == "HEAD" or json.loads(body)["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/token/example/" + "9" * 5000,
        "/token/example/-1",
        "/token/example/+1",
        "/token/example/1_0",
        "/token/example/1.0",
        "/token/example/٣",
        "/token/unit/" + "9" * 18,
        "/token/unit/0x1",
        "/token/../secret",
        "/token/explorer.js/..",
        "/token/\x00",
        "/token/" + "a" * 5000,
        "/token/access.py",
    ],
)
def test_unknown_paths_and_indices_are_not_found(path):
    status, body = ask("GET", path)
    assert status == 404
    assert json.loads(body)["error"]


BAD_CODES = {
    "an integer of 400 digits": b"[1" + b"0" * 400 + b", 1]",
    "an integer of 5000 digits": b"[1" + b"0" * 5000 + b", 1]",
    "NaN": b"[NaN, 1]",
    "Infinity": b"[Infinity, 1]",
    "beyond float32": b"[1e200, 1]",
    "beyond float64": b"[1e999, 1]",
    "booleans": b"[true, false]",
    "text": b'["1", "2"]',
    "null": b"[null, 1]",
    "an object": b'{"0": 1}',
    "a number": b"1",
    "nothing": b"",
    "too few": b"[1]",
    "too many": b"[1, 2, 3]",
    "nested": b"[[1, 2]]",
    "ragged": b"[[1], 2]",
    "deep": b"[" * 100_000,
    "deep and closed": b"[" * 900 + b"]" * 900,
    "no JSON": b"[1, 2",
    "other bytes": b"\xff\xfe\x00",
    "UTF-16": "[1, 2".encode("utf-16"),
}


@pytest.mark.parametrize("body", BAD_CODES.values(), ids=BAD_CODES.keys())
@pytest.mark.parametrize("address", ["decoded", "repaired"])
def test_body_that_is_not_a_list_of_finite_numbers_is_refused(address, body):
    if body == b"[1, 2, 3]" and address == "repaired":
        body = b"[1, 2, 3, 4, 5]"
    status, answer = ask("POST", f"/token/{address}/0", body)
    assert status == 400
    assert json.loads(answer)["error"]


def test_integers_of_any_notation_are_accepted():
    status, answer = ask("POST", "/token/decoded/0", b"[2, -0]")
    assert (status, json.loads(answer)["x_hat"]) == (200, [2.0] * FEATURES)


@pytest.mark.parametrize("address", ["decoded/0", "uploaded"])
@pytest.mark.parametrize("declared", [True, False], ids=["Content-Length", "chunked"])
def test_body_is_not_read_beyond_the_limit(declared, address):
    chunk, taken = b" " * 2**16, []
    size = requests.MINIMUM_BODY_LIMIT + 2**20

    def chunks():
        for _ in range(size // len(chunk)):
            taken.append(len(chunk))
            yield chunk

    class Counted(list):
        def pop(self, _):
            return super().pop(0)

    headers = [*HOST, (b"content-length", str(size).encode())] if declared else HOST
    status, answer = ask("POST", f"/token/{address}", *chunks(), headers=headers)
    assert status == 413
    assert f"longer than {requests.MINIMUM_BODY_LIMIT} bytes" in json.loads(answer)["error"]


def test_incomplete_or_slow_body_is_abandoned(monkeypatch):
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.05)
    status, answer = ask("POST", "/token/decoded/0", b"[1,", stall=True)
    assert status == 408
    assert "took longer than 0.05 s" in json.loads(answer)["error"]
    assert ask("POST", "/token/decoded/0", b"[1,", disconnect=True)[0] == 400


def test_websockets_are_closed_and_lifespan_is_passed_on():
    (closed,), _ = ask("GET", "/token/", kind="websocket")
    assert closed["type"] == "websocket.close"
    sent = []

    async def live():
        messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

        async def receive():
            return messages.pop(0)

        async def send(message):
            sent.append(message["type"])

        await application(VIEW, "token")({"type": "lifespan", "state": {}}, receive, send)

    asyncio.run(live())
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


paths = st.text(max_size=12) | st.builds(
    "/token/{}{}".format,
    st.sampled_from(
        [
            "",
            "description",
            "map",
            "worst",
            "example/",
            "unit/",
            "coordinates/",
            "decoded/",
            "repaired/",
            "uploaded",
            "explorer.js",
            "//",
            "..",
        ]
    ),
    st.text(max_size=6) | st.integers(-2, 4).map(str) | st.integers().map(str),
)
numbers = st.integers() | st.floats() | st.sampled_from([1e308, 3.5e38, -1e-320, True, None, "1"])
bodies = (
    st.binary(max_size=40)
    | st.lists(numbers, max_size=6).map(lambda values: json.dumps(values).encode())
    | st.lists(st.floats(), min_size=UNITS, max_size=FEATURES).map(lambda v: json.dumps(v).encode())
    | st.recursive(numbers, lambda inner: st.lists(inner, max_size=4), max_leaves=8).map(
        lambda value: json.dumps(value).encode()
    )
)
headers = st.lists(
    st.tuples(
        st.sampled_from([b"host", b"origin", b"content-length", b"content-type", b"accept"]),
        st.sampled_from([b"127.0.0.1:80", b"http://127.0.0.1:80", b"localhost", b"-1"])
        | st.binary(max_size=12),
    ),
    max_size=4,
) | st.just(HOST)


@property_test(examples=150)
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "PUT", "CONNECT"])
    | st.text(max_size=5),
    path=paths,
    chunks=st.lists(bodies, min_size=1, max_size=3) | bodies.map(lambda body: [body]),
    headers=headers,
    disconnect=st.booleans(),
)
def test_random_requests_cause_no_server_error(method, path, chunks, headers, disconnect):
    status, _ = ask(method, path, *chunks, headers=headers, disconnect=disconnect)
    assert 200 <= status < 500


@pytest.fixture
def port(monkeypatch):
    """Port of a server with at most four connections of half a second each."""
    monkeypatch.setattr(serving, "MAX_CONNECTIONS", 4)
    monkeypatch.setattr(serving, "MAX_CONNECTION_SECONDS", 0.5)
    server = serving.server(application(VIEW, "token"))
    with serving.listen("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


def status_of(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/token/description")
        return connection.getresponse().status


HEAD = b"GET /token/description HTTP/1.1\r\nHost: 127.0.0.1"
POST = b"POST /token/decoded/0 HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.mark.parametrize(
    ("begun", "status"),
    [
        ([b"", HEAD] * 2, 503),
        ([POST + b"Content-Length: 9\r\n\r\n[1"], 200),
        ([POST + b"Transfer-Encoding: chunked\r\n\r\n"], 200),
    ],
    ids=["half a head", "half a body", "no chunk"],
)
def test_slow_clients_hold_limited_connections_for_limited_time(port, begun, status):
    with contextlib.ExitStack() as stack:
        for words in begun:
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            client.sendall(words)
        time.sleep(0.1)
        assert status_of(port) == status
        time.sleep(serving.MAX_CONNECTION_SECONDS)
        assert status_of(port) == 200
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""  # closed
