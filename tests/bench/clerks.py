"""The load client of `bench_portal_load`: ID administrators and issuers at the portal's pages, as one cheap process.

Arguments: host, port, the plan that `clerk_plan` wrote. Takes commands as lines of JSON on stdin (see `processes.Workers`):
`run`, with the number of `clerks` who work at once, their mean `think` time in seconds (0: none), the seconds of `warm_up` and
the `seconds` to measure. Prints a line of JSON when the measured time begins and one when it is over: the milliseconds of each
response by page, the errors, what was said to be done, and if `timeline` is asked for, each response with its moment. A clerk
loads what a browser loads: pages, where they lead, and pictures; static files are in its cache.
"""

import json
import random
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from siths_portal.demo.portraits import portrait_of
from siths_portal.lib.pages.named_buttons import ACT, BUTTON
from tests.bench.cheap_http import Response, Session

ARTICLE = "677"  # with photo, as `tests/e2e/walk.py`
PAUSE = 0.02
"""Seconds until a clerk whose errand failed begins another."""

_BOUNDARY = "bench-boundary"
_PICTURE = re.compile(rb'<img [^>]*?src="(/[^"]+)"')
_TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')
_INPUT = re.compile(rb"<input [^>]*>")
_VALUE = re.compile(rb' value="([^"]*)"')


class Unexpected(Exception):
    """A response that does not lead on. The text names the page and the status."""


class Over(Exception):
    """The run is over."""


@dataclass
class Run:
    """What the clerks of one run share: the times between which they are measured, and what was measured."""

    think: float
    begins: float
    ends: float
    times: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    """What was said to be done: `order` with its person, `revoke` with its card."""
    timeline: list[tuple[float, float, int]] = field(default_factory=list)
    """When each request was sent (CLOCK_MONOTONIC), the milliseconds until its response, and the status."""

    def add(self, page: str, started: float) -> None:
        """Records a response that is complete now, unless its request was sent before the measured time."""
        if started >= self.begins:
            self.times.setdefault(page, []).append((time.perf_counter() - started) * 1000)


@dataclass
class Clerk:
    """An ID administrator or issuer with a session, and the people whom the plan gives."""

    session: Session
    plan: dict[str, Any]
    photo: bytes
    chance: random.Random
    run: Run = field(default_factory=lambda: Run(0, 0, 0))
    token: str = ""
    pictures: set[str] = field(default_factory=set)

    def get(self, page: str, path: str) -> Response:
        """Opens a page and its pictures. Raises Unexpected unless it is there, Over when the run is."""
        response = self._timed(page, "GET", path)
        if response.status != 200:
            raise Unexpected(f"{page}: {response.status}")
        text = response.text
        if not self.token and (found := _TOKEN.search(text)):
            self.token = found[1].decode()
        for source in (each.decode() for each in _PICTURE.findall(text)):
            if source not in self.pictures and not source.startswith("/static/"):
                self.pictures.add(source)
                if (status := self._timed("picture", "GET", source).status) != 200:
                    raise Unexpected(f"picture of {page}: {status}")
        return response

    def post(self, page: str, path: str, fields: Mapping[str, str | list[str]], file: bytes = b"") -> str:
        """Sends a form and returns where it leads. Raises Unexpected if it is shown again, as when it is refused."""
        fields = {"csrfmiddlewaretoken": self.token, BUTTON: ACT, **fields}
        if file:
            body, content_type = multipart(fields, file), f"multipart/form-data; boundary={_BOUNDARY}"
        else:
            body, content_type = urlencode(fields, doseq=True).encode(), "application/x-www-form-urlencoded"
        response = self._timed(page, "POST", path, body, content_type)
        if response.status != 302:
            raise Unexpected(f"{page}: {response.status}")
        return response.location

    def change(self, page: str, path: str, fields: Mapping[str, str | list[str]]) -> Response:
        """Sends a form that is shown again with what it changes. Raises Unexpected if it is refused."""
        body = urlencode({"csrfmiddlewaretoken": self.token, **fields}, doseq=True).encode()
        response = self._timed(page, "POST", path, body, "application/x-www-form-urlencoded")
        if response.status != 200:
            raise Unexpected(f"{page}: {response.status}")
        return response

    def _timed(self, page: str, method: str, path: str, body: bytes = b"", content_type: str = "") -> Response:
        started = time.perf_counter()
        if started >= self.run.ends:
            raise Over
        response = self.session.request(method, path, body, content_type)
        self.run.add(page, started)
        self.run.timeline.append((started, (time.perf_counter() - started) * 1000, response.status))
        return response

    def think(self) -> None:
        """Reads, talks and types."""
        if self.run.think:
            pause = self.chance.expovariate(1 / self.run.think)
            time.sleep(max(0.0, min(pause, self.run.ends - time.perf_counter())))

    def somebody(self, kind: str = "people") -> dict[str, str]:
        """A random person of the clerk's scope who has a card, or a card that waits at the office if `kind` is `sent`."""
        return dict(self.chance.choice(self.plan[kind]))


def multipart(fields: Mapping[str, str | list[str]], file: bytes) -> bytes:
    """A form with a photo."""
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="'
    parts = [f'{head}{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    photo = f'{head}file"; filename="foto.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'.encode()
    return b"".join([*parts, photo, file, f"\r\n--{_BOUNDARY}--\r\n".encode()])


def values(response: Response, name: str) -> list[str]:
    """The values of the page's fields of that name. Raises Unexpected if there is no such field."""
    fields = [found for found in _INPUT.findall(response.text) if f' name="{name}"'.encode() in found]
    given = [match[1].decode() for match in map(_VALUE.search, fields) if match]
    if not given:
        raise Unexpected(f"no field {name}")
    return given


def value(response: Response, name: str) -> str:
    """The first of `values`."""
    return values(response, name)[0]


def search(clerk: Clerk, kind: str, **typed: str) -> str:
    """From the search page to where the search leads."""
    clerk.get("search page", "/sok/")
    clerk.think()
    return clerk.post(f"search by {kind}", "/sok/", {"sok": "1", **typed})


def find(clerk: Clerk, number: str) -> None:
    """Finds a person by personnummer and opens the person's page."""
    clerk.get("person page", search(clerk, "personnummer", text=number))
    clerk.think()


def question(clerk: Clerk) -> None:
    """Somebody asks about a card: the person's page and its history."""
    one = clerk.somebody()
    find(clerk, one["number"])
    clerk.get("history of a person", f"/sok/person/{one['person']}/historik/")
    clerk.think()


def hand_out(clerk: Clerk) -> None:
    """A card is scanned to be handed out: the person's page, and the identification page of the activation."""
    one = clerk.somebody("sent")
    clerk.get("person page", search(clerk, "card serial", text=one["serial"]))
    clerk.think()
    clerk.get("identification page", f"/sok/barare/{one['carrier']}/aktivera/")
    clerk.think()


def by_name(clerk: Clerk) -> None:
    """Somebody without a number at hand: the hits by name, and the page of the right one."""
    one = clerk.somebody()
    found = search(clerk, "name", name=one["name"])
    if "/traffar/" in found:
        clerk.get("hits of a search", found)
        clerk.think()
        found = f"/sok/person/{one['person']}/"
    clerk.get("person page", found)
    clerk.think()


def order(clerk: Clerk) -> None:
    """A card for somebody, most often without one: each choice is sent as the page's script sends it."""
    if not clerk.plan["orders"]:
        raise Unexpected("nobody is left to order for: load more people")
    one = clerk.plan["orders"].pop()
    find(clerk, one["number"])
    address = clerk.post("order: begin", f"/sok/person/{one['person']}/nytt-kort/", {})
    page = clerk.get("order page", address)
    clerk.think()
    answers: dict[str, str | list[str]] = {"post": one["post"], "article": ARTICLE, "delivery": "letter"}
    page = clerk.change("order: choice", address, {**answers, "version": value(page, "version"), "valj": "1"})
    clerk.think()
    upload = {"version": value(page, "version"), "valj": "foto", **answers}
    address = clerk.post("order: upload of a photo", f"{address}foto/hamta/", upload, clerk.photo)
    page = clerk.get("order page", address)
    clerk.think()
    answers |= {"photo": value(page, "photo"), "office": value(page, "office")}
    page = clerk.change("order: choice", address, {**answers, "version": value(page, "version"), "valj": "1"})
    clerk.think()
    fields = {**answers, "version": value(page, "version")}
    if b' name="another_card"' in page.text:
        fields |= {"another_card": "on", "beside": values(page, "beside")}
    sent = clerk.post("order: send", address, fields)
    clerk.run.done.append(f"order {one['person']}")
    clerk.get("sent order", sent)
    clerk.think()


def revoke(clerk: Clerk) -> None:
    """A lost card is revoked at its holder's visit."""
    if not clerk.plan["revocations"]:
        question(clerk)  # an officer may not revoke more within an hour
        return
    one = clerk.plan["revocations"].pop()
    find(clerk, one["number"])
    form = f"/sok/barare/{one['carrier']}/sparra/"
    page = clerk.get("revocation form", form)
    clerk.think()
    fields = {"reason": "lost_or_stolen", "requester": "holder", "channel": "visit"}
    fields["received_at"] = value(page, "received_at")
    fields["confirm"] = one["serial"][-4:]
    clerk.think()
    done = clerk.post("revocation: confirm", form, fields)
    clerk.run.done.append(f"revoke {one['carrier']}")
    clerk.get("revoked page", done)
    clerk.think()


def waiting(clerk: Clerk) -> None:
    """The revocations that wait for a second officer."""
    clerk.get("list of held revocations", "/sok/sparrar-som-vantar/")
    clerk.think()


def holders(clerk: Clerk) -> None:
    """The card holders of the issuer's organisation: all, those with a card to fetch, and those whose card ends soon."""
    address = f"/administrera/organisation/{clerk.plan['organisation']}/innehavare/"
    for query in ("", "?status=sent", "?inom=90"):
        clerk.get("list of card holders", address + query)
        clerk.think()


def overview(clerk: Clerk) -> None:
    """The overview of Administrera, and an organisation."""
    clerk.get("Administrera, overview", "/administrera/")
    clerk.think()
    clerk.get("organisation page", f"/administrera/organisation/{clerk.plan['organisation']}/")
    clerk.think()


def role_holders(clerk: Clerk) -> None:
    """The role holders of the area."""
    clerk.get("list of role holders", "/administrera/rollinnehavare/")
    clerk.think()


Errands = tuple[tuple[int, Callable[[Clerk], None]], ...]

DAYS: dict[str, Errands] = {
    "id_administrator": ((25, order), (25, hand_out), (30, question), (15, by_name), (5, revoke), (5, waiting)),
    "issuer": ((30, overview), (25, holders), (15, role_holders), (25, question), (5, by_name)),
}
"""Errands of a day by role, with how often each comes.

An ID administrator has 50 cards a day (security rule S47, and 7.4 of the specification): 25 orders and 25 cards to hand out. The
pages of these and of a revocation are those that the end-to-end tests visit (`tests/e2e/walk.py`: find, order, begin_activation,
revoke). The other errands are assumed, as many again that lead to no card, and so is the day of an issuer, whose pages are those
of Administrera. An activation ends at the identification page, since what follows needs a card in a reader.
"""


def work(clerks: list[Clerk], run: Run, days: Mapping[str, Errands]) -> None:
    """Lets these clerks take turns, an errand of their role's day each, until the run is over."""
    for clerk in cycle(clerks):
        clerk.run = run
        weights, errands = zip(*days[clerk.plan["role"]], strict=True)
        try:
            clerk.think()
            clerk.chance.choices(errands, weights)[0](clerk)
        except Over:
            return
        except (Unexpected, OSError, ValueError) as error:
            run.errors.append(f"{type(error).__name__}: {error}")
            time.sleep(PAUSE)


def measured(clerks: list[Clerk], command: dict[str, Any], days: Mapping[str, Errands]) -> dict[str, Any]:
    """What one run found. Prints a line when the measured time begins."""
    count, now = command["clerks"], time.perf_counter()
    run = Run(command["think"], now + command["warm_up"], now + command["warm_up"] + command["seconds"])
    # With think time each clerk works; without, all take turns, so that nobody searches more than a person may in an hour.
    shares = [[clerk] for clerk in clerks[:count]] if run.think else [clerks[number::count] for number in range(count)]
    threads = [threading.Thread(target=work, args=(share, run, days)) for share in shares]
    for thread in threads:
        thread.start()
    time.sleep(max(0.0, run.begins - time.perf_counter()))
    print(json.dumps({"begins": True}), flush=True)
    time.sleep(max(0.0, run.ends - time.perf_counter()))
    for thread in threads:
        thread.join()
    timeline = run.timeline if command.get("timeline") else []
    return {"times": run.times, "errors": run.errors, "done": run.done, "timeline": timeline}


def main(host: str, port: int, file: Path, days: Mapping[str, Errands] = DAYS) -> None:
    """Carries out commands until the input closes."""
    plan, photo = json.loads(file.read_bytes()), portrait_of(5)
    clerks = [
        Clerk(Session((host, port), {plan["cookie"]: one["session"]}), one, photo, random.Random(number))
        for number, one in enumerate(plan["clerks"])
    ]
    threading.stack_size(256 * 1024)
    print(json.dumps({"clerks": len(clerks)}), flush=True)
    for line in sys.stdin:
        print(json.dumps(measured(clerks, json.loads(line), days)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
