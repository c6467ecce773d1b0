"""English on Mina sidor: no text lacks it, the files agree, and the visitor's choice decides."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as live_settings
from django.test import Client

from siths_portal.dev import catalogue
from tests.issuance.minasidor.mina import holder_client
from tests.issuance.minasidor.texts import messages

PO = catalogue.LOCALE / "en" / "LC_MESSAGES" / "django.po"
_FIELD = re.compile(r"%\(\w+\)[sd]|\{\w+\}")


def english() -> dict[tuple[str, ...], tuple[str, ...]]:
    return dict(catalogue.entries(PO.read_text()))


def test_no_text_of_mina_sidor_lacks_english() -> None:
    found = english()
    assert {message: where for message, where in messages().items() if not all(found.get(message, ("",)))} == {}
    assert len(messages()) > 250, "the search finds the texts"


def test_the_catalogue_has_nothing_else() -> None:
    assert set(english()) - {("",)} - set(messages()) == set()


def test_each_translation_has_the_fields_of_its_text() -> None:
    for ids, found in english().items():
        allowed = set(_FIELD.findall(" ".join(ids))) | ({"%(total)s"} if len(ids) == 2 else set())
        assert all(set(_FIELD.findall(text)) <= allowed for text in found), ids
        if len(ids) == 1:
            assert set(_FIELD.findall(found[0])) == allowed, ids


def test_the_compiled_catalogue_is_that_of_its_source() -> None:
    assert PO.with_suffix(".mo").read_bytes() == catalogue.compiled(PO.read_text())


@pytest.mark.django_db(transaction=True)
class TestChoice:
    def test_a_visitor_chooses_english_and_swedish_again(self, mina: None) -> None:
        client = Client()
        assert 'lang="sv"' in client.get("/", headers={"Accept-Language": "en"}).content.decode()
        answer = client.post("/sprak/", {"sprak": "en", "next": "/hjalp/"})
        assert (answer.status_code, answer["Location"]) == (302, "/hjalp/")
        cookie = answer.cookies[live_settings.LANGUAGE_COOKIE_NAME]
        assert (cookie.value, cookie["httponly"], cookie["samesite"]) == ("en", True, "Lax")
        page = client.get("/hjalp/")
        assert (page["Content-Language"], "<h1>Help</h1>" in page.content.decode()) == ("en", True)
        assert '<html lang="en"' in page.content.decode()
        client.post("/sprak/", {"sprak": "sv", "next": "/"})
        assert "<h1>Hjälp</h1>" in client.get("/hjalp/").content.decode()

    @pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", "hjalp", "/\\evil.example"])
    def test_it_leads_nowhere_else_and_an_unknown_language_is_none(self, mina: None, back: str) -> None:
        answer = Client().post("/sprak/", {"sprak": "de", "next": back})
        assert (answer["Location"], live_settings.LANGUAGE_COOKIE_NAME in answer.cookies) == ("/", False)

    def test_a_holders_pages_have_no_swedish_left(self, holding: Any) -> None:
        client = holder_client(holding.person)
        client.cookies[live_settings.LANGUAGE_COOKIE_NAME] = "en"
        paths = [
            "/",
            "/hjalp/",
            "/sparra/",
            "/vem-har-tittat/",
            "/installningar/",
            "/testa/",
            "/finns-inte/",
            f"/kort/{uuid4()}/",
        ]
        paths += [f"/kort/{holding.active.pk}/", f"/sparra/kort/{holding.active.pk}/"]
        for path in paths:
            text = re.sub(r"<[^>]*>", " ", client.get(path).content.decode())
            for name in (live_settings.ENVIRONMENT_NAME, "På svenska"):
                text = text.replace(name, "")
            assert not re.search(r"[åäöÅÄÖ]|\b(och|eller|inte|kort|till)\b", text), (path, re.findall(r".*[åäö].*", text))
