"""The identity provider as a separate process: OpenID Connect over HTTP, with pages like the eID app's (rules/authn 1).

A test person without an activated card logs in from a list; one with a card uses the card and its code. Names, numbers and codes
are only in form bodies, so that no URL or log contains them.
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.template import Context, Engine

from siths_portal.simulators import http_server
from siths_portal.simulators.card import CardError
from siths_portal.simulators.idp_cards import CardRefused, Cards, SeenCard
from siths_portal.simulators.idp_people import LOA2, TRANSPORT_ACR, Person, numbers, people
from siths_portal.simulators.idp_provider import File, Provider, Request, RequestInvalid, RequestRefused, TokenError

PAGES = Path(__file__).resolve().parent / "idp_pages"
FILES = {
    "/app.css": (PAGES.parent / "eid_app_pages" / "eid_app.css", "text/css; charset=utf-8"),
    "/idp.css": (PAGES / "idp.css", "text/css; charset=utf-8"),
}
BODY_LIMIT = 32 * 1024
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    # Not no-referrer, with which browsers would send `Origin: null` with this provider's own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
CARD_SAYS = {
    "wrong-code": "Fel kod. Försök igen: efter tre fel spärras koden.",
    "code-blocked": "Koden är spärrad efter tre fel. Be din ID-administratör om hjälp att låsa upp kortet.",
    "absent": "Kortet finns inte längre i läsaren. Sätt i det och försök igen.",
}
_STEP = re.compile(r"/legitimera/(?P<token>[A-Za-z0-9_-]{22})(?P<rest>(?:/[a-z]+)?)")
_MOST_SHOWN = 40


class Mistake(Exception):
    """The person's input cannot be used; the message says what to do."""


class App:
    """The shared state of the handlers."""

    def __init__(self, provider: Provider, people_file: Path, cards: Cards) -> None:
        self.provider = provider
        self.cards = cards
        self._people = File(people_file, people)
        self._numbers = File(people_file.parent.parent / "directory" / "people.json", numbers)
        self._engine = Engine(dirs=[str(PAGES)])

    def page(self, name: str, **values: Any) -> bytes:
        """Returns a page with escaped values."""
        return self._engine.get_template(f"{name}.html").render(Context({"issuer": self.provider.issuer, **values})).encode()

    def step(self, request: Request, problem: str = "", words: str = "", group: str = "") -> bytes:
        """Returns the page of the request's present step."""
        ready = self._usable(request)
        if request.person is not None:
            return self.page("posts", request=request, problem=problem)
        if card := next((card for card in ready if card.serial == request.card), None):
            return self.page("code", request=request, card=card, problem=problem)
        everyone = self._people.value()
        asked = [one for one in everyone if group in ("", one.group)]
        found = [one for one in asked if all(word in _text(one) for word in words.casefold().split())]
        shown: dict[str, list[tuple[Person, SeenCard | None]]] = {}
        for one in found[:_MOST_SHOWN]:
            shown.setdefault(one.group, []).append((one, self._has_card(one, ready)))
        return self.page(
            "people",
            request=request,
            groups=shown.items(),
            number=min(len(found), _MOST_SHOWN),
            more=max(len(found) - _MOST_SHOWN, 0),
            everyone=everyone,
            choices=list(dict.fromkeys(one.group for one in everyone)),
            words=words,
            group=group,
            cards=ready,
            problem=problem,
        )

    def _usable(self, request: Request) -> list[SeenCard]:
        """Returns the cards that can be used for the request: blank ones only if it asks for such a log-in."""
        blank = TRANSPORT_ACR in request.acr_values
        return [card for card in self.cards.seen() if card.ready and (blank or not card.is_blank)]

    @staticmethod
    def _has_card(person: Person, ready: list[SeenCard]) -> SeenCard | None:
        own = [card for card in ready if card.personnummer == person.personnummer]
        return next((card for card in own if not card.device), None)

    def choose_person(self, request: Request, key: str) -> None:
        """Logs a test person in without a card, or continues to the card if the person has one. Raises Mistake."""
        person = next((one for one in self._people.value() if one.key == key), None)
        if person is None:
            raise Mistake("Välj en av testpersonerna.")
        card = self._has_card(person, [card for card in self.cards.seen() if card.ready])
        if card is not None:
            request.card = card.serial
            return
        self._authenticated(request, person, ("test",))

    def choose_card(self, request: Request, serial: str) -> None:
        """Selects the card; the next step is its code. Raises Mistake."""
        if not any(card.serial == serial for card in self._usable(request)):
            raise Mistake("Välj ett av korten i läsaren.")
        request.card = serial

    def enter_code(self, request: Request, code: str) -> None:
        """Authenticates the holder with the card and its code. Raises Mistake."""
        if not re.fullmatch(r"[0-9]{6,8}", code):
            raise Mistake("Koden är 6–8 siffror.")
        try:
            seen = self.cards.prove(request.card, code)
        except CardError as error:
            raise Mistake(CARD_SAYS.get(error.code, "Kortet svarar inte som det ska. Försök igen.")) from None
        except CardRefused as error:
            raise Mistake(str(error)) from None
        request.proved = "" if seen.device else seen.serial
        if seen.is_blank:
            self._authenticated(request, Person("", "", "", (), acr=TRANSPORT_ACR), ("sc", "pin"))
            return
        number = seen.personnummer or self._numbers.value().get(seen.hsa_id.casefold(), "")
        if not number:
            raise Mistake("Katalogen har inget person-id för kortets tjänste-id. Kontakta din ID-administratör.")
        known = next((one for one in self._people.value() if one.personnummer == number), None)
        posts = ((seen.hsa_id, ""),) if seen.hsa_id else ()
        holder = known or Person(seen.given_name, seen.surname, number, posts)
        if seen.acr == LOA2:
            holder = replace(holder, acr=LOA2)
        self._authenticated(request, holder, ("hwk", "pin") if seen.device else ("sc", "pin"))

    @staticmethod
    def _authenticated(request: Request, person: Person, amr: tuple[str, ...]) -> None:
        request.person, request.amr, request.auth_time = person, amr, int(time.time())

    @staticmethod
    def is_choosing(request: Request) -> bool:
        """Returns whether the person must still choose one of several HSA-ids here."""
        return request.person is not None and len(request.person.posts) > 1 and not request.person.defer_choice


def _text(person: Person) -> str:
    return f"{person.name} {person.role} {person.group} {' '.join(unit for _hsa_id, unit in person.posts)}".casefold()


class Handler(http_server.Handler):
    """Serves the protocol and the pages."""

    server_version = "idp-simulator"
    body_limit = BODY_LIMIT
    common_headers = HEADERS
    app: App
    origins: frozenset[str]

    def get(self) -> None:
        """Serves metadata, keys, the start of a log-in, and its pages."""
        parts = urlsplit(self.path)
        if parts.path == "/.well-known/openid-configuration":
            self._json(200, self.app.provider.metadata())
        elif parts.path == "/jwks.json":
            self._json(200, self.app.provider.jwks())
        elif parts.path in FILES:
            path, media_type = FILES[parts.path]
            self._answer(200, path.read_bytes(), media_type)
        elif parts.path == http_server.FONT:
            self.send_font()
        elif parts.path == "/authorize":
            self._authorize(_form(parts.query))
        elif parts.path == "/logout":
            self._log_out(_form(parts.query))
        elif found := _STEP.fullmatch(parts.path):
            self._show(found["token"])
        else:
            self._lost(404, "Sidan finns inte", "Börja om från tjänsten som du ville logga in i.")

    def refuse_body(self, status: int) -> None:
        """Shows a page with a link back."""
        self._lost(status, "Begäran går inte att tolka", "Gå tillbaka och försök igen.")

    def post(self, body: bytes) -> None:
        """Serves the token endpoint, the log-out, and the pages' forms."""
        form = _form(body.decode("utf-8", "replace"))
        path = urlsplit(self.path).path
        if path == "/token":
            self._token(form)
        elif path == "/logout":
            self._log_out(form)
        elif self.headers.get("Origin") not in self.origins:
            self._lost(403, "Formuläret togs inte emot", "Det kom inte från inloggningstjänstens egen sida.")
        elif found := _STEP.fullmatch(path):
            self._step(found["token"], found["rest"], form)
        else:
            self._lost(404, "Sidan finns inte", "Börja om från tjänsten som du ville logga in i.")

    # --- the protocol ----------------------------------------------------------------------------------------------------

    def _authorize(self, query: dict[str, str]) -> None:
        try:
            request = self.app.provider.begin(query)
        except RequestInvalid:
            self._lost(400, "Tjänsten är inte ansluten", "Adressen som du kom från är inte registrerad här. Logga inte in.")
        except RequestRefused as refused:
            self._redirect(refused.url)
        else:
            self._redirect(f"/legitimera/{request.token}")

    def _token(self, form: dict[str, str]) -> None:
        try:
            self._json(200, self.app.provider.tokens(form))
        except TokenError as error:
            self._json(401 if error.error == "invalid_client" else 400, {"error": error.error})

    def _log_out(self, form: dict[str, str]) -> None:
        if back := self.app.provider.logged_out(form):
            self._redirect(back)
        else:
            self._answer(200, self.app.page("logged_out"))

    # --- the pages -------------------------------------------------------------------------------------------------------

    def _show(self, token: str) -> None:
        request = self.app.provider.find(token)
        if request is None:
            self._gone()
        else:
            self._page(200, request)

    def _step(self, token: str, rest: str, form: dict[str, str]) -> None:
        request = self.app.provider.find(token)
        if request is None:
            self._gone()
            return
        acts: dict[str, Callable[[], None]] = {
            "/person": lambda: self.app.choose_person(request, form.get("person", "")),
            "/kort": lambda: self.app.choose_card(request, form.get("card", "")),
            "/kod": lambda: self.app.enter_code(request, form.get("code", "")),
            "/byt": lambda: setattr(request, "card", ""),
        }
        if rest == "/avbryt":
            self._redirect(self.app.provider.cancel(request))
        elif rest == "/uppdrag" and request.person is not None:
            self._choose_post(request, form.get("post", ""))
        elif rest == "/sok":
            self._page(200, request, words=form.get("words", "")[:100], group=form.get("group", "")[:100])
        elif rest in acts and request.person is None:
            try:
                acts[rest]()
            except Mistake as mistake:
                self._page(422, request, problem=str(mistake))
                return
            self._go_on(request)
        else:
            self._redirect(f"/legitimera/{token}")

    def _go_on(self, request: Request) -> None:
        person = request.person
        if person is None or self.app.is_choosing(request):
            self._redirect(f"/legitimera/{request.token}")
        else:
            self._redirect(self.app.provider.finish(request, person.posts[0][0] if len(person.posts) == 1 else ""))

    def _choose_post(self, request: Request, hsa_id: str) -> None:
        if request.person and any(hsa_id == own for own, _unit in request.person.posts):
            self._redirect(self.app.provider.finish(request, hsa_id))
        else:
            self._page(422, request, problem="Välj ett uppdrag.")

    def _page(self, status: int, request: Request, *, problem: str = "", words: str = "", group: str = "") -> None:
        parts = urlsplit(request.redirect_uri)
        self._answer(status, self.app.step(request, problem, words, group), leads_to=f"{parts.scheme}://{parts.netloc}")

    def _gone(self) -> None:
        self._lost(
            410, "Inloggningen är slut", "Den tog för lång tid eller är redan klar. Gå tillbaka till tjänsten och logga in igen."
        )

    def _lost(self, status: int, heading: str, text: str) -> None:
        self._answer(status, self.app.page("lost", heading=heading, text=text))

    # --- the wire --------------------------------------------------------------------------------------------------------

    def _redirect(self, url: str) -> None:
        self._answer(303, b"", headers={"Location": url})

    def _json(self, status: int, body: dict[str, Any]) -> None:
        self._answer(status, json.dumps(body).encode(), "application/json")

    def _answer(
        self,
        status: int,
        content: bytes,
        media_type: str = "text/html; charset=utf-8",
        headers: dict[str, str] | None = None,
        *,
        leads_to: str = "",
    ) -> None:
        policy = (
            f"default-src 'none'; style-src 'self'; font-src 'self'; img-src data:; form-action 'self' {leads_to}; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        self.send(status, content, media_type, {"Content-Security-Policy": policy, **(headers or {})})

    def known_path(self, path: str) -> str:
        """Returns the path without the log-in's token."""
        if found := _STEP.fullmatch(path):
            return f"/legitimera/-{found['rest']}"
        plain = ("/authorize", "/token", "/logout", "/jwks.json", "/.well-known/openid-configuration", http_server.FONT, *FILES)
        return path if path in plain else "-"


def _form(text: str) -> dict[str, str]:
    """Returns the first value of each field. Forms of this provider never repeat a field."""
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}


class Server(http_server.Server):
    """The provider's server; `port` 0 takes a free one. `issuer` is `http://localhost:<port>` unless given."""

    def __init__(self, host: str, port: int, *, folder: Path, cards: Path, trust: Path, issuer: str = "") -> None:
        super().__init__(host, port, Handler)
        provider = Provider(issuer or f"http://localhost:{self.server_port}", folder)
        app = App(provider, folder / "people.json", Cards(cards, trust))
        self.share(app=app, origins=self.own_origins() | {provider.issuer})
