"""The grading page's server side: lets graders in, hands out their pile, and writes every mark before it says so."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, cast

from pydantic import Field, ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from evalkit.desk import Desk
from evalkit.errors import InfrastructureError, IntegrityError, UsageError
from evalkit.strict import StrictModel
from evalkit.web.entrance import STAY_S, Entrance
from evalkit.web.guard import Guard, cookie_of
from evalkit.web.page import asset, grading_page, message_page
from evalkit.web.pile_data import pile_data, sitting_data
from evalkit.web.sent_mark import SHORT, SentMark
from evalkit.web.turnout import Turnout

CSRF_HEADER = "x-evalkit-csrf"


class _SentMarks(StrictModel):
    tab: Annotated[str, SHORT]
    marks: Annotated[tuple[SentMark, ...], Field(max_length=100, strict=False)]


class GradingApp:
    """One desk, served. `on_change` is called after every mark; `on_end` once everybody has handed in."""

    def __init__(
        self, desk: Desk, entrance: Entrance, on_change: Callable[[], None], on_end: Callable[[], None]
    ) -> None:
        self.desk, self.entrance, self.turnout = desk, entrance, Turnout(desk)
        self._on_change, self._on_end = on_change, on_end
        self._newest_tab: dict[str, str] = {}

    def asgi(self, port: int) -> Starlette:
        """The app as it is served on a port of this machine."""
        routes = [
            Route("/", self._page), Route("/login", self._login), Route("/grade.css", _style),
            Route("/grade.js", _script), Route("/favicon.ico", _no_icon), Route("/api/pile", self._pile),
            Route("/api/sitting/{number:int}", self._sitting), Route("/api/marks", self._marks, methods=["POST"]),
            Route("/api/ask", self._ask, methods=["POST"]), Route("/api/hand-in", self._hand_in, methods=["POST"]),
        ]  # fmt: skip
        hosts = [f"127.0.0.1:{port}", f"localhost:{port}"]
        return Starlette(routes=routes, middleware=[Middleware(cast("Any", Guard), hosts=hosts)])

    async def _login(self, request: Request) -> Response:
        if request.method != "GET" or "sec-purpose" in request.headers:
            return Response(status_code=503)  # a look ahead by the browser must not use the link up
        if self._who(request) is None and self.entrance.overrun():
            return HTMLResponse(message_page("Too many tries", "Wait a minute, then open your link again."), 429)
        cookie = self.entrance.exchange(request.query_params.get("t", ""))
        if cookie is None:
            return RedirectResponse("/", 303) if self._who(request) else _outside()
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self.entrance.cookie_name, cookie, max_age=STAY_S, path="/", httponly=True, samesite="strict")
        return answer

    def _who(self, request: Request) -> str | None:
        return self.entrance.who(cookie_of(request.headers, self.entrance.cookie_name))

    async def _page(self, request: Request) -> Response:
        grader = self._who(request)
        return _outside() if grader is None else HTMLResponse(grading_page(self.entrance.csrf(grader)))

    def _refused(self, request: Request) -> Response | None:
        """None for a grader's own page; a write, and a read too, needs both the cookie and what belongs to it."""
        grader = self._who(request)
        if grader is None:
            return JSONResponse({"error": "not signed in"}, 401)
        sent = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(sent.encode(), self.entrance.csrf(grader).encode()):
            return JSONResponse({"error": "signed in by another link"}, 403)
        return None

    async def _pile(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused is not None:
            return refused
        grader = str(self._who(request))
        self._newest_tab[grader] = request.query_params.get("tab", "")
        state = {"open": self.desk.is_open, "handed_in": self.turnout.has_handed_in(grader)}
        return JSONResponse({**pile_data(self.desk, grader), **state})

    async def _sitting(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused is not None:
            return refused
        sittings = self.desk.pile(str(self._who(request))).sittings
        number = request.path_params["number"]
        if number >= len(sittings):
            return JSONResponse({"error": "no such item"}, 404)
        return JSONResponse(sitting_data(sittings[number]))

    async def _marks(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused is not None:
            return refused
        try:
            sent = _SentMarks.model_validate_json(await request.body())
        except ValidationError:
            return JSONResponse({"error": "these are no marks"}, 400)
        grader = str(self._who(request))
        try:
            answer = self._take(grader, sent)
        except InfrastructureError as error:
            return JSONResponse({"error": str(error)}, 503)
        self._newest_tab.setdefault(grader, sent.tab)
        self._on_change()
        return JSONResponse({**answer, "newest": self._newest_tab[grader] == sent.tab})

    def _take(self, grader: str, sent: _SentMarks) -> dict[str, Any]:
        taken: list[str] = []
        refused: list[dict[str, str]] = []
        for mark in sent.marks:
            try:
                self.desk.take(grader, mark.mark())
            except UsageError as error:
                refused.append({"nonce": mark.nonce, "why": str(error)})
            except IntegrityError as error:
                return {"taken": taken, "refused": refused, "closed": str(error)}
            else:
                taken.append(mark.nonce)
        return {"taken": taken, "refused": refused, "closed": None}

    async def _ask(self, request: Request) -> Response:
        """The last question's answers, which name the models: to whoever has graded everything, and to nobody else."""
        refused = self._refused(request)
        if refused is not None:
            return refused
        try:
            return JSONResponse({"authors": self.desk.ask_who_wrote(str(self._who(request)))})
        except UsageError as error:
            return JSONResponse({"error": str(error)}, 409)

    async def _hand_in(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused is not None:
            return refused
        if not self.turnout.hand_in(str(self._who(request))):
            return JSONResponse({"error": "there is something left"}, 409)
        self._on_change()
        if self.turnout.all_in():
            self._on_end()
        return JSONResponse({"all_in": self.turnout.all_in()})


def _outside() -> Response:
    text = (
        "Open the link that was printed for you. It works once; Enter in the terminal where `evalkit grade` runs prints"
        " a new one."
    )
    return HTMLResponse(message_page("This page needs your own link", text), 401)


def _served(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    async def serve(_: Request) -> Response:
        return Response(asset(name), media_type=kind)

    return serve


_style, _script = _served("grade.css", "text/css"), _served("grade.js", "text/javascript")


async def _no_icon(_: Request) -> Response:
    return Response(status_code=204)
