"""HTTP routes of the explorer: the page and its data, below a secret token."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from aejax.cli.explorer import views
from aejax.cli.explorer.access import restrict_access
from aejax.cli.explorer.explored_run import View
from aejax.cli.explorer.json_values import UnknownIndexError
from aejax.cli.explorer.latent_map import coordinates, latent_map, prior_sample, worst

PAGE = {
    "/": ("cli/explorer/page/index.html", "text/html"),
    "/explorer.js": ("cli/explorer/page/explorer.js", "text/javascript"),
    "/latent_map.js": ("cli/explorer/page/latent_map.js", "text/javascript"),
    "/feature_bars.js": ("cli/explorer/page/feature_bars.js", "text/javascript"),
    "/explorer.css": ("cli/explorer/page/explorer.css", "text/css"),
    "/report.css": ("report/report.css", "text/css"),
}
"""File of the package and its media type, by route."""

MINIMUM_BODY_LIMIT = 2**20
"""Minimum over all requests of the maximum body size, in bytes."""

BYTES_PER_NUMBER = 64
"""Bytes of a body allowed per scalar of an example or a code; JavaScript writes at most 25."""

BODY_SECONDS = 30.0
"""Timeout of receiving a body."""


def application(view: View, token: str) -> ASGIApp:
    """Make the ASGI application of the explorer.

    Args:
        view: run and examples.
        token: secret first segment of every path.

    Returns:
        The application: the page at /TOKEN/, and below it the functions of `views` and
        `latent_map`. Errors are {"error": …} with status 400 (invalid values), 404 (unknown path
        or index), 405 (method), 408 (body not received in time) or 413 (body too large). Requests
        that `restrict_access` refuses have status 403.
    """
    post = partial(Route, methods=["POST"])
    routes = [
        Route("/description", _json_endpoint(lambda _: views.description(view))),
        Route("/map", _json_endpoint(lambda _: latent_map(view))),
        Route("/worst", _json_endpoint(lambda _: worst(view))),
        Route("/coordinates/{number}", _json_endpoint(partial(_get_view, coordinates, view))),
        Route("/prior/{number}", _json_endpoint(partial(_get_view, prior_sample, view))),
        Route("/example/{number}", _json_endpoint(partial(_get_view, views.example, view))),
        Route("/unit/{number}", _json_endpoint(partial(_get_view, views.unit, view))),
        post("/decoded/{number}", _json_endpoint(partial(_post_view, views.decoded, view))),
        post("/repaired/{number}", _json_endpoint(partial(_post_view, views.repaired, view))),
        post("/uploaded", _json_endpoint(partial(_uploaded, view))),
        *(Route(address, partial(_file, *file)) for address, file in PAGE.items()),
    ]
    errors = {HTTPException: _error_response}
    inner = Starlette(routes=[Mount(f"/{token}", routes=routes)], exception_handlers=errors)
    return restrict_access(inner, token)


def _json_endpoint(
    answer: Callable[[Request], Any],
) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint that returns JSON and converts errors to HTTP statuses."""

    async def respond(request: Request) -> Response:
        try:
            found = answer(request)
            return JSONResponse(await found if isinstance(found, Awaitable) else found)
        except UnknownIndexError as error:
            raise HTTPException(404, str(error)) from error
        except (ValueError, RecursionError) as error:
            raise HTTPException(400, str(error)) from error

    return respond


async def _error_response(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _get_view(show: Callable[[View, int], Any], view: View, request: Request) -> Any:
    return show(view, _index(request))


async def _post_view(show: Callable[[View, int, Any], Any], view: View, request: Request) -> Any:
    body = await _body(request, _body_limit(view))
    # Integers are parsed as floats, so that an integer of any length is valid, possibly infinite.
    return show(view, _index(request), json.loads(body, parse_int=float))


async def _uploaded(view: View, request: Request) -> Any:
    return views.uploaded(view, await _body(request, _body_limit(view)))


def _body_limit(view: View) -> int:
    """Maximum size in bytes of a code, an example or an image in a body."""
    size = max(view.codes[0].size, view.x[0].size)
    return max(MINIMUM_BODY_LIMIT, BYTES_PER_NUMBER * size)


def _index(request: Request) -> int:
    """Index in the path; status 404 if it is not an index of any array."""
    text = request.path_params["number"]
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise HTTPException(404, "an index is a non-negative integer of at most 18 digits")
    return int(text)


async def _body(request: Request, limit: int) -> bytes:
    """Receive the body of a request, reading at most `limit` bytes plus one chunk."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise HTTPException(413, f"the body is longer than {limit} bytes")
    except TimeoutError as error:
        raise HTTPException(408, f"the body took longer than {BODY_SECONDS:g} s") from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the body was sent incompletely") from error
    return bytes(body)


async def _file(name: str, media_type: str, _: Request) -> Response:
    text = files("aejax").joinpath(name).read_text(encoding="utf-8")
    return Response(text, media_type=media_type)
