"""A clerk at the page of an order, over Django's test client: forms are sent as a browser without script sends them."""

import re
from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.urls import reverse
from lxml import html

from issuance.orders.models.drafts import OrderDraft
from issuance.people.models.persons import Person, Post
from tests.portal import portal_client


def _is_sent(values: Mapping[str, str]) -> bool:
    """True for an input of the form around it that a browser would send."""
    picked = values.get("type") not in ("radio", "checkbox") or "checked" in values
    return picked and "form" not in values and bool(values.get("name"))


def forms_of(response: HttpResponse) -> list[dict[str, Any]]:
    """The forms of a page: id, action, and the fields as they stand; those that name their form are left out."""
    page = html.fromstring(response.content, parser=html.HTMLParser(encoding="utf-8"))
    return [
        {
            "id": form.get("id", ""),
            "action": form.get("action", ""),
            "fields": {each.get("name"): each.get("value", "") for each in form.iter("input") if _is_sent(each.attrib)},
        }
        for form in page.iter("form")
    ]


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
    def address(self) -> str:
        """The page's address."""
        return reverse("order", args=[self.draft.id])

    @property
    def is_done(self) -> bool:
        """Whether the page says that the card is ordered."""
        return bool(self.page.request["PATH_INFO"] == reverse("order_done", args=[self.draft.id]))

    @property
    def form(self) -> dict[str, Any]:
        """The page's form, with the fields as they stand."""
        return next(form for form in forms_of(self.page) if form["id"] == "bestallning")

    @property
    def answers(self) -> dict[str, str]:
        """What stands chosen."""
        return {
            name: self.form["fields"][name] for name in ("post", "article", "delivery", "office") if name in self.form["fields"]
        }

    def start(self) -> "Clerk":
        self.page = self.client.post(reverse("order_start", args=[self.post.person_id]), follow=True)
        return self

    def open(self, query: str = "") -> Any:
        self.page = self.client.get(self.address + query, follow=True)
        return self.page

    def send(self, **given: Any) -> Any:
        """Presses Beställ kortet, with what is filled in."""
        self.page = self.client.post(self.form["action"], self.form["fields"] | given, follow=True)
        return self.page

    def choose(self, **given: Any) -> Any:
        """Changes answers, as the page's script sends them and its button without script."""
        return self.send(**given, valj="1")

    def upload(self, content: bytes, name: str = "foto.jpg") -> Any:
        """By the button Hämta fotografi, which sends the form to an address of its own."""
        fetch = re.search(r'formaction="([^"]+/hamta/)"', self.page.content.decode())
        assert fetch
        file = {"file": portrait_file(content, name), "valj": "foto"}
        self.page = self.client.post(fetch[1], self.form["fields"] | file, follow=True)
        return self.page

    def fill(self, article: str = "631", content: bytes = b"") -> "Clerk":
        """Answers everything from the start; `article` is a code."""
        self.start()
        self.choose(post=self.post.id)
        number, _, registered = article.partition("-")
        self.choose(article=number, delivery="registered_mail" if registered else "letter", office=self.world.office.id)
        if content:
            self.upload(content)
        return self
