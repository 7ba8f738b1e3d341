"""The explorer's addresses: the page, and the numbers that it asks for, behind a token."""

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
from aejax.cli.explorer.access import guarded
from aejax.cli.explorer.views import View

PAGE = {
    "/": ("cli/explorer/page/index.html", "text/html"),
    "/explorer.js": ("cli/explorer/page/explorer.js", "text/javascript"),
    "/explorer.css": ("cli/explorer/page/explorer.css", "text/css"),
    "/report.css": ("report/report.css", "text/css"),
}
"""Address -> file of the package, and its media type."""

MINIMUM_BODY_LIMIT = 2**20
"""Bytes that every request's body may have."""

BYTES_PER_NUMBER = 64
"""Bytes of a body for each number of an example or a code: JavaScript writes at most 25."""

BODY_SECONDS = 30.0
"""Time that a body may take to arrive."""


def application(view: View, token: str) -> ASGIApp:
    """The explorer as an ASGI application.

    Args:
        view: what is looked at.
        token: the first part of every address; without it everything is refused.

    Returns:
        The application: the page at /TOKEN/, and beneath it the functions of `views`. Errors come
        as {"error": …} with status 400; 404 for what does not exist, 405 for another method, 408
        for a body that does not arrive in time, 413 for one that is too long. What `guarded`
        refuses comes with status 403.
    """
    post = partial(Route, methods=["POST"])
    routes = [
        Route("/description", _answering(lambda _: views.description(view))),
        Route("/example/{number}", _answering(partial(_numbered, views.example, view))),
        Route("/unit/{number}", _answering(partial(_numbered, views.unit, view))),
        post("/decoded/{number}", _answering(partial(_posted, views.decoded, view))),
        post("/repaired/{number}", _answering(partial(_posted, views.repaired, view))),
        *(Route(address, partial(_file, *file)) for address, file in PAGE.items()),
    ]
    errors = {HTTPException: _refused}
    inner = Starlette(routes=[Mount(f"/{token}", routes=routes)], exception_handlers=errors)
    return guarded(inner, token)


def _answering(
    answer: Callable[[Request], Any],
) -> Callable[[Request], Awaitable[Response]]:
    """An address that answers in JSON, also where what it was asked makes no sense."""

    async def respond(request: Request) -> Response:
        try:
            found = answer(request)
            return JSONResponse(await found if isinstance(found, Awaitable) else found)
        except views.Unknown as error:
            raise HTTPException(404, str(error)) from error
        except (ValueError, RecursionError) as error:
            raise HTTPException(400, str(error)) from error

    return respond


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _numbered(show: Callable[[View, int], Any], view: View, request: Request) -> Any:
    return show(view, _number(request))


async def _posted(show: Callable[[View, int, Any], Any], view: View, request: Request) -> Any:
    numbers = max(view.codes[0].size, view.x[0].size)
    body = await _body(request, max(MINIMUM_BODY_LIMIT, BYTES_PER_NUMBER * numbers))
    # As float64 at once, so that an integer of any length is a number, perhaps an infinite one.
    return show(view, _number(request), json.loads(body, parse_int=float))


def _number(request: Request) -> int:
    """The index in the address; 404 for what is none, or beyond every array."""
    text = request.path_params["number"]
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise HTTPException(404, "an index is a whole number of at most 18 digits, from 0")
    return int(text)


async def _body(request: Request, limit: int) -> bytes:
    """The request's body, of which no more than the limit is ever held."""
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
        raise HTTPException(400, "the body was not sent to its end") from error
    return bytes(body)


async def _file(name: str, media_type: str, _: Request) -> Response:
    text = files("aejax").joinpath(name).read_text(encoding="utf-8")
    return Response(text, media_type=media_type)
