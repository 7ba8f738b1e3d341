"""The explorer's server: few connections at a time, and none of them for long."""

import asyncio
import socket

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS = 64
"""Connections at a time from which on a request is answered with status 503."""

CONNECTION_SECONDS = 60.0
"""Time after which a connection is closed, whether or not its client has sent or read anything."""


def server(application: ASGIApp) -> uvicorn.Server:
    """A server for one machine's browser.

    Each connection carries one request, so that a slow client holds one of few connections, for a
    bounded time, whatever it does.

    Args:
        application: for scopes of type http.

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
        limit_concurrency=CONNECTIONS,
        headers=[("Connection", "close")],
    )
    return uvicorn.Server(configuration)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Args:
        host: address of an interface.
        port: 0 takes any that is free.

    Returns:
        The socket.

    Raises:
        OSError: the port cannot be had.
    """
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise OSError(
            f"port {port} cannot be had ({error.strerror}): --port 0 takes any"
        ) from error


class _TimedConnection(H11Protocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self.loop.call_later(CONNECTION_SECONDS, transport.abort)
