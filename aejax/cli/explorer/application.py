"""The explorer's addresses: the page, and the numbers that it asks for, behind a token."""

import hmac
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from aejax.cli.explorer import views
from aejax.cli.explorer.views import View

PAGE = Path(__file__).parent / "page"


def application(view: View, token: str) -> ASGIApp:
    """The explorer as an ASGI application.

    Args:
        view: what is looked at.
        token: the first part of every address; without it everything is refused.

    Returns:
        The application: the page at /TOKEN/, and beneath it the functions of `views`, whose errors
        come as {"error": …} with status 400 or, for what does not exist, 404.
    """
    routes = [
        Route("/description", _answering(lambda _: views.description(view))),
        Route("/example/{number:int}", _answering(partial(_numbered, views.example, view))),
        Route("/unit/{number:int}", _answering(partial(_numbered, views.unit, view))),
        Route(
            "/decoded/{number:int}",
            _answering(partial(_posted, views.decoded, view)),
            methods=["POST"],
        ),
        Route(
            "/repaired/{number:int}",
            _answering(partial(_posted, views.repaired, view)),
            methods=["POST"],
        ),
        Route("/report.css", _style),
        Mount("/", StaticFiles(directory=PAGE, html=True)),
    ]
    return _guarded(Starlette(routes=[Mount(f"/{token}", routes=routes)]), token)


def _guarded(application: ASGIApp, token: str) -> ASGIApp:
    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        given = scope["path"].split("/")[1]
        if hmac.compare_digest(given.encode(), token.encode()):
            await application(scope, receive, send)
        else:
            words = "Refused: open the address that `aejax explore` printed, token and all.\n"
            await PlainTextResponse(words, status_code=403)(scope, receive, send)

    return guard


def _answering(
    answer: Callable[[Request], Any],
) -> Callable[[Request], Awaitable[Response]]:
    """An address that answers in JSON, also where what it was asked makes no sense."""

    async def respond(request: Request) -> Response:
        try:
            found = answer(request)
            return JSONResponse(await found if isinstance(found, Awaitable) else found)
        except views.Unknown as error:
            return JSONResponse({"error": str(error)}, status_code=404)
        except (ValueError, RecursionError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    return respond


def _numbered(show: Callable[[View, int], Any], view: View, request: Request) -> Any:
    return show(view, request.path_params["number"])


async def _posted(show: Callable[[View, int, Any], Any], view: View, request: Request) -> Any:
    return show(view, request.path_params["number"], await request.json())


async def _style(_: Request) -> Response:
    style = files("aejax").joinpath("report.css").read_text(encoding="utf-8")
    return Response(style, media_type="text/css")
