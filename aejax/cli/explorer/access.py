"""Who may use the explorer: pages that it served itself, on this machine, with the token."""

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_NAMES = {"127.0.0.1", "localhost", "::1"}
"""Host names by which a browser reaches this machine; any other was given to its address."""

REFUSAL = "Refused: open the address that `aejax explore` printed, token and all.\n"


def guarded(application: ASGIApp, token: str) -> ASGIApp:
    """An application that refuses every request but those of its own page.

    Args:
        application: for scopes of type http and lifespan.
        token: the first part of every address.

    Returns:
        The application. Refused with status 403: an address without the token, a `Host` that is not
        this machine (DNS rebinding), an `Origin` that is not that host (another site's page).
        Websockets are closed.
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
    except ValueError:  # brackets that hold no address
        return None
