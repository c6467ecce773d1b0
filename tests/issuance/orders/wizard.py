"""A clerk at the order wizard, over Django's test client: forms are sent as a browser without script sends them."""

import re
from html.parser import HTMLParser
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.urls import reverse

from issuance.orders.models.drafts import OrderDraft
from issuance.people.models.persons import Person, Post
from tests.portal import portal_client


def _is_sent(values: dict[str, str]) -> bool:
    """True for an input of the form around it that a browser would send."""
    picked = values.get("type") not in ("radio", "checkbox") or "checked" in values
    return picked and "form" not in values and bool(values.get("name"))


class _Forms(HTMLParser):
    """The forms of a page: action, and the fields as they stand, also those that name their form."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self.inside: dict[str, Any] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.inside = {"id": values.get("id", ""), "action": values.get("action", ""), "fields": {}}
            self.forms.append(self.inside)
        elif tag == "input" and self.inside is not None and _is_sent(values):
            self.inside["fields"][values["name"]] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = None


def forms_of(response: HttpResponse) -> list[dict[str, Any]]:
    parser = _Forms()
    parser.feed(response.content.decode())
    return parser.forms


def text_of(response: HttpResponse) -> str:
    """The page's words: no markup, single spaces."""
    body = re.sub(r"<(script|style|svg).*?</\1>", " ", response.content.decode(), flags=re.S).replace("<wbr>", "")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def portrait_file(content: bytes, name: str = "foto.jpg") -> SimpleUploadedFile:
    """A file as a browser sends it."""
    return SimpleUploadedFile(name, content, "image/jpeg")


class Clerk:
    """Somebody logged in, and the page in front of him."""

    def __init__(self, world: Any, actor: Any = None, post: Post | None = None) -> None:
        self.world, self.actor = world, actor or world.officer()
        self.client = portal_client(Person.objects.get(pk=self.actor.person_id))
        self.post = post or world.post(given_name="Elva", surname="Tolvansson")
        self.page: Any = None

    @property
    def draft(self) -> OrderDraft:
        return OrderDraft.objects.filter(person=self.post.person_id, owner_ref=self.actor.ref).latest("created_at")

    @property
    def step(self) -> str:
        """The part of the page's address that names its step."""
        return str(self.page.request["PATH_INFO"].rstrip("/").rsplit("/", 1)[-1])

    def start(self) -> "Clerk":
        self.page = self.client.post(reverse("order_start", args=[self.post.person_id]), follow=True)
        return self

    def open(self, name: str, query: str = "") -> Any:
        self.page = self.client.get(reverse(name, args=[self.draft.id]) + query, follow=True)
        return self.page

    def send(self, action: str = "", **given: Any) -> Any:
        """Sends the page's form of this address, by default the step's last, with what is filled in."""
        forms = [form for form in forms_of(self.page) if "/bestallning/" in form["action"] and not form["id"]]
        wanted = [form for form in forms if not action or form["action"].endswith(action)][-1]
        self.page = self.client.post(wanted["action"], wanted["fields"] | given, follow=True)
        return self.page

    def upload(self, content: bytes, name: str = "foto.jpg") -> Any:
        """By the button Hämta fotografi, which sends the step's form to an address of its own."""
        form = [each for each in forms_of(self.page) if each["action"].endswith("/foto/") and not each["id"]][-1]
        fetch = re.search(r'formaction="([^"]+)"', self.page.content.decode())
        assert fetch
        self.page = self.client.post(fetch[1], form["fields"] | {"file": portrait_file(content, name)}, follow=True)
        return self.page

    def until(self, step: str, article: str = "631", content: bytes = b"") -> "Clerk":
        """Answers from the start until `step` is in front."""
        self.start()
        answers: dict[str, Any] = {
            "organisation": lambda: self.send(post=self.post.id),
            "artikel": lambda: self.send(article=article),
            "foto": lambda: (self.upload(content), self.send()),
            "kontor": lambda: self.send(office=self.world.office.id),
            "granska": lambda: None,
        }
        while self.step != step:
            before = self.step
            answers[before]()
            assert self.step != before, text_of(self.page)
        return self
