"""The SITHS eID app as web pages of another origin: card reader, code, receipt and signature, step by step.

The app uses only `/api/eidapp/v1/` of the portal and does not know who is logged in there. Codes come in form bodies and go to
the card. Codes, PUK and start code are never in a URL, a log line or a file.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from django.template import Context, Engine

from siths_portal.simulators import http_server
from siths_portal.simulators.card import Card
from siths_portal.simulators.eid_app_errors import EidAppError
from siths_portal.simulators.eid_app_phones import Phones
from siths_portal.simulators.eid_app_tasks import EXPIRED, Mistake, Reader, Task, Tasks, problems, unlock_with_letter

PAGES = Path(__file__).resolve().parent / "eid_app_pages"
BODY_LIMIT = 4096
LETTER, MOBILE = "/las-upp", "/mobilt"
"""The paths of the page that unlocks a card with the PUK of a letter, and of the app on a phone or tablet."""

FILES = {"/eid_app.css": "text/css; charset=utf-8", "/eid_app.js": "text/javascript; charset=utf-8"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; font-src 'self'; script-src 'self'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    # Not no-referrer, with which browsers would send `Origin: null` with this app's own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
HEADINGS = {"cancelled": "Avbrutet", "expired": "Tiden gick ut", "refused": "Ärendet går inte att slutföra"}
_STEP = re.compile(r"/steg/(?P<token>[A-Za-z0-9_-]{22})(?P<rest>(?:/[a-z.-]+)?)")
_STOCKHOLM = ZoneInfo("Europe/Stockholm")


def sections(terms: str) -> list[tuple[str, str]]:
    """Returns the sections of the terms as heading and text. A heading is a line that begins with `==`."""
    first, *rest = f"\n{terms}".split("\n== ")
    parted = [part.partition("\n") for part in rest]
    return [("", first.strip()), *((heading.strip(), text.strip()) for heading, _, text in parted)]


class App:
    """The shared state of the handlers: the reader, the tasks and the page templates."""

    def __init__(self, portal_url: str, cards: Path, own_url: str = "") -> None:
        self.reader = Reader(cards)
        self.phones = Phones(cards.parent / "devices", own_url)
        self.tasks = Tasks(portal_url.rstrip("/"), own_url.rstrip("/"))
        self._engine = Engine(dirs=[str(PAGES)])

    def page(self, name: str, /, **values: Any) -> bytes:
        """Returns a page with escaped values."""
        return self._engine.get_template(f"{name}.html").render(Context(values)).encode()

    def letter(self, error: Mistake | None = None, *, chosen: str = "", done: str = "") -> bytes:
        """Returns the page that unlocks a card with the PUK of a letter, or its result for the card that ends with `done`."""
        found = list(problems(error)) if error else []
        return self.page("letter", cards=self.reader.cards(), chosen=chosen, problems=found, wrong=dict(found), done=done)

    def mobile(self, problem: tuple[str, str] | None = None, **values: str) -> bytes:
        """Returns the app's page on a phone, which gets a mobile eID, or its result for the device `done`."""
        found = [problem] if problem else []
        return self.page("mobile", devices=self.phones.devices(), problems=found, wrong=dict(found), **values)

    def step(self, task: Task, error: EidAppError | Mistake | None = None, chosen: str = "") -> bytes:
        """Returns the page of the task's present step, with an error if there is one."""
        found = list(problems(error)) if error else []
        opened = task.opened
        return self.page(
            task.page,
            task=task,
            cards=self.reader.cards() if task.page == "card" else [],
            chosen=chosen,
            problems=found if not task.ended else [],
            wrong=dict(found),
            texts=opened.texts if opened else {},
            terms=sections(opened.texts.get("terms", "")) if opened else [],
            until=opened.expires_at.astimezone(_STOCKHOLM).strftime("%H:%M") if opened else "",
            heading=HEADINGS.get(task.ended, ""),
        )


class Handler(http_server.Handler):
    """Serves the pages."""

    server_version = "eid-app-simulator"
    body_limit = BODY_LIMIT
    common_headers = HEADERS
    app: App
    origins: frozenset[str]

    def get(self) -> None:
        """Sends pages and files. Changes nothing."""
        path = urlsplit(self.path).path
        if not self._is_own_host():
            self._lost(400, "Fel adress", "Appen svarar bara på sin egen adress.")
        elif path in FILES:
            self._answer(200, (PAGES / path[1:]).read_bytes(), FILES[path])
        elif path == http_server.FONT:
            self.send_font()
        elif path == "/":
            self._answer(200, self.app.page("start"))
        elif path == LETTER:
            self._answer(200, self.app.letter())
        elif path == MOBILE:
            self._answer(200, self.app.mobile())
        elif (found := _STEP.fullmatch(path)) and found["rest"] in ("", "/kvittens.pdf"):
            self._get_step(found["token"], found["rest"])
        else:
            self._lost(404, "Sidan finns inte", "Börja om från portalens sida.")

    def refuse_body(self, status: int) -> None:
        """Shows a page with a link back."""
        self._lost(status, "Begäran går inte att tolka", "Gå tillbaka och försök igen.")

    def post(self, body: bytes) -> None:
        """Handles the forms of the steps. Each redirects, or shows its page again with the error."""
        # Refuses other host names (DNS rebinding) and forms of other origins.
        if not self._is_own_host() or self.headers.get("Origin") not in self.origins:
            self._lost(403, "Appen tog inte emot formuläret", "Det kom inte från appens egen sida.")
            return
        form = {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True).items()}
        path = urlsplit(self.path).path
        if path == "/oppna":
            self._open(form.get("handle", ""))
        elif path == LETTER:
            self._unlock_with_letter(form)
        elif path == MOBILE:
            self._enrol(form)
        elif found := _STEP.fullmatch(path):
            self._post_step(found["token"], found["rest"], form)
        else:
            self._lost(404, "Sidan finns inte", "Börja om från portalens sida.")

    # --- the steps -------------------------------------------------------------------------------------------------------

    def _open(self, handle: str) -> None:
        if handle.startswith("mob."):
            self._answer(200, self.app.mobile(handle=handle))
            return
        try:
            task = self.app.tasks.open(handle)
        except EidAppError as error:
            self._answer(422, self.app.page("start", problems=[("handle", error.message)]))
            return
        self._redirect(f"/steg/{task.token}")

    def _enrol(self, form: dict[str, str]) -> None:
        given = {name: form.get(name, "").strip() for name in ("handle", "device", "name")}
        try:
            done = self.app.phones.enrol(**given, code=form.get("code", ""), again=form.get("again", ""))
        except (EidAppError, Mistake) as error:
            problem = next(iter(problems(error)))
            self._answer(422, self.app.mobile(problem, **given))
        else:
            self._answer(200, self.app.mobile(done=done))

    def _unlock_with_letter(self, form: dict[str, str]) -> None:
        serial = form.get("card", "")
        try:
            card = self._card(serial)
            unlock_with_letter(card, form.get("puk", ""), form.get("code", ""), form.get("again", ""))
        except Mistake as error:
            self._answer(422, self.app.letter(error, chosen=serial))
        else:
            self._answer(200, self.app.letter(done=serial[-4:]))

    def _get_step(self, token: str, rest: str) -> None:
        task = self.app.tasks.find(token)
        if task is None:
            self._gone()
        elif not rest:
            self._answer(200, self.app.step(task))
        elif opened := task.opened:
            self._answer(200, opened.pdf, "application/pdf", {"Content-Disposition": 'inline; filename="kvittens.pdf"'})
        else:
            self._lost(404, "Kvittensen visas inte längre", "Den finns hos ID-administratören.")

    def _post_step(self, token: str, rest: str, form: dict[str, str]) -> None:
        acts: dict[str, Callable[[Task], None]] = {
            "/kort": lambda task: self._insert(task, form.get("card", "")),
            "/kod": lambda task: task.choose_code(form.get("code", ""), form.get("again", ""), form.get("envelope", "")),
            "/kod-vald": lambda task: task.report_code(),
            "/skriv-under": lambda task: task.sign(form.get("code", "")),
            "/avbryt": lambda task: task.cancel(),
        }
        task = self.app.tasks.find(token)
        if rest not in acts:
            self._lost(404, "Sidan finns inte", "Börja om från portalens sida.")
        elif task is None:
            self._gone()
        else:
            try:
                acts[rest](task)
            except (EidAppError, Mistake) as error:
                self._answer(422, self.app.step(task, error, chosen=form.get("card", "")))
            else:
                self._redirect(f"/steg/{task.token}")

    def _insert(self, task: Task, serial: str) -> None:
        card = self._card(serial)
        task.insert(card, next(seen for seen in self.app.reader.cards() if seen.serial == serial))

    def _card(self, serial: str) -> Card:
        """Returns the card in the reader. Raises Mistake."""
        card = self.app.reader.card(serial)
        if card is None:
            raise Mistake(**{"": "Välj ett av korten i läsaren."})
        return card

    def _gone(self) -> None:
        self._lost(410, "Ärendet är slut", f"{EXPIRED} Om appen har startats om: gör likadant, du fortsätter där du var.")

    # --- HTTP --------------------------------------------------------------------------------------------------------

    def _is_own_host(self) -> bool:
        return any(origin.partition("://")[2] == self.headers.get("Host") for origin in self.origins)

    def _lost(self, status: int, heading: str, text: str) -> None:
        self._answer(status, self.app.page("lost", heading=heading, text=text, start=status == 404))

    def _redirect(self, path: str) -> None:
        self._answer(303, b"", headers={"Location": path})

    def _answer(
        self, status: int, content: bytes, media_type: str = "text/html; charset=utf-8", headers: dict[str, str] | None = None
    ) -> None:
        self.send(status, content, media_type, headers)

    def known_path(self, path: str) -> str:
        """Returns the path without the step's token."""
        if found := _STEP.fullmatch(path):
            return f"/steg/-{found['rest']}"
        return path if path in ("/", "/oppna", LETTER, http_server.FONT, MOBILE, *FILES) else "-"


class Server(http_server.Server):
    """The app's server; `port` 0 takes a free one.

    Serves `http://localhost:<port>`, `http://127.0.0.1:<port>` and `origin` only. `own_url` is the origin of Mina sidor.
    """

    def __init__(self, host: str, port: int, *, portal_url: str, cards: Path, origin: str = "", own_url: str = "") -> None:
        super().__init__(host, port, Handler)
        self.share(app=App(portal_url, cards, own_url), origins=self.own_origins() | ({origin} if origin else set()))
