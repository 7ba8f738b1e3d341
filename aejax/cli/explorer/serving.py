"""HTTP server of the explorer, with a limited number and duration of connections."""

import asyncio
import socket

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 64
"""Number of simultaneous connections from which requests receive status 503."""

MAX_CONNECTION_SECONDS = 60.0
"""Time after which a connection is closed, whatever its client does."""


def server(application: ASGIApp) -> uvicorn.Server:
    """Make a server for the browser of one machine.

    Each connection carries one request, so that a slow client occupies one connection for a bounded
    time.

    Args:
        application: ASGI application for scopes of type http.

    Returns:
        The server, to be run on a listening socket.
    """
    configuration = uvicorn.Config(
        application,
        loop="asyncio",
        http=_TimedConnection,
        ws="none",
        lifespan="off",
        log_level="warning",
        limit_concurrency=MAX_CONNECTIONS,
        headers=[("Connection", "close")],
    )
    return uvicorn.Server(configuration)


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Args:
        host: address of an interface.
        port: port, or 0 for a free port.

    Returns:
        The socket.

    Raises:
        OSError: the port is not available.
    """
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise OSError(
            f"port {port} is not available ({error.strerror}): --port 0 selects a free one"
        ) from error


class _TimedConnection(H11Protocol):
    """A connection that is closed after a fixed time."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self.loop.call_later(MAX_CONNECTION_SECONDS, transport.abort)
