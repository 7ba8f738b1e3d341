"""Access control of the explorer: token, loopback host (against DNS rebinding), same origin."""

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_NAMES = {"127.0.0.1", "localhost", "::1"}
"""Host names of the loopback interface; any other name may be due to DNS rebinding."""

REFUSAL = "Refused: open the address that `aejax explore` printed, including its token.\n"


def restrict_access(application: ASGIApp, token: str) -> ASGIApp:
    """Restrict an application to the requests of its own page.

    Args:
        application: ASGI application for scopes of type http and lifespan.
        token: secret first segment of every path.

    Returns:
        The application. It refuses with status 403: a path without the token, a `Host` that is not
        the loopback interface (DNS rebinding), and an `Origin` other than that host (cross-site
        requests). Websockets are closed.
    """

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http" or _allowed(scope, token):
            await application(scope, receive, send)
        else:
            await PlainTextResponse(REFUSAL, status_code=403)(scope, receive, send)

    return guard


def _allowed(scope: Scope, token: str) -> bool:
    given = scope["path"].split("/")[1:2]
    headers = Headers(scope=scope)
    host, origin = headers.get("host", ""), headers.get("origin")
    return (
        bool(given)
        and hmac.compare_digest(given[0].encode(errors="replace"), token.encode())
        and _host_name(f"//{host}") in LOOPBACK_NAMES
        and (origin is None or origin == f"http://{host}")
    )


def _host_name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:  # brackets without an address
        return None
