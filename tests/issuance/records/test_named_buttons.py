"""Forms act on a named button only; Enter, which a card scanner sends, shows the page again (docs/adr/0284)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.http import QueryDict
from django.urls import reverse

from issuance.activation.models import Identification
from issuance.authz import Role
from siths_portal.lib.pages import named_buttons
from tests.issuance.activated import sent_card
from tests.issuance.organisations.test_pages import client_of
from tests.pressing import ENTER

TEMPLATES = Path(settings.BASE_DIR) / "templates"
FORM = re.compile(r"<form\b[^>]*>.*?(?=</form>|\Z)", re.DOTALL)
SUBMIT = re.compile(r"<button\b(?![^>]*type=\"button\")[^>]*>")
SENT_ELSEWHERE = "authn/log_out_there.html"
"""Its form goes to the identity provider, which knows no button of ours."""


def templates() -> Iterator[tuple[str, str]]:
    for path in sorted(TEMPLATES.rglob("*.html")):
        yield str(path.relative_to(TEMPLATES)), re.sub(r"{% comment %}.*?{% endcomment %}", "", path.read_text(), flags=re.DOTALL)


def posted_forms() -> Iterator[tuple[str, str]]:
    for name, text in templates():
        for form in FORM.findall(text):
            if 'method="post"' in form.split(">")[0] and "{{ endpoint }}" not in form:
                yield name, form


def test_every_posted_form_begins_with_the_button_that_changes_nothing_or_only_searches() -> None:
    found = list(posted_forms())
    assert len(found) > 60
    for name, form in found:
        inside = form.partition(">")[2].strip()
        if inside.startswith("{% changes"):
            continue
        assert inside.startswith("{% csrf_token %}"), name
        names = re.findall(r'<button[^>]* name="([^"]*)"', form) + re.findall(r'type="hidden" name="(sok)"', form)
        searched = "search_field.html" in form or 'id="filter"' in form
        assert searched or (names and set(names) <= named_buttons.SEARCHES), name


def test_every_button_of_a_posted_form_is_named() -> None:
    known = {named_buttons.BUTTON} | named_buttons.SEARCHES | named_buttons.OTHERS | named_buttons.AGAIN
    for name, text in templates():
        posts = 'method="get"' not in text and name != SENT_ELSEWHERE
        for button in SUBMIT.findall(text) if posts else []:
            named = re.search(r' name="(\w+)"', button)
            assert "{% act %}" in button or "{% firstof name" in button or (named and named[1] in known), (name, button)
        for hidden in re.findall(r'<input type="hidden"[^>]* name="(\w+)"', text):
            assert hidden not in named_buttons.OTHERS | {named_buttons.BUTTON}, (name, hidden)


def test_no_button_link_or_choice_has_the_focus_at_load() -> None:
    for name, text in templates():
        for tag in re.findall(r"<(\w+)(?=[^<>]*\sautofocus)", re.sub(r"{[{%].*?[%}]}", "", text)):
            assert tag not in ("button", "a", "summary", "select"), (name, tag)
        assert not re.search(r'<input[^>]*type="(radio|checkbox)"[^>]*autofocus', text), name


@pytest.mark.parametrize("sent", [{}, ENTER, {"gor": ""}, {"gor": "annat"}, {"identity_document": "passport"}])
def test_what_no_button_sent_is_not_pressed(sent: dict[str, str]) -> None:
    data = QueryDict(mutable=True)
    data.update(sent)
    assert not named_buttons.pressed(data)


@pytest.mark.usefixtures("demo_pki")
def test_a_scan_on_the_page_of_identification_identifies_nobody(world: Any) -> None:
    """A digit of the serial chooses a document, and Enter sends the form: so the history said that the holder was identified."""
    address = reverse("activate", args=[sent_card(world).carrier.pk])
    response = client_of(world.officer()).post(address, {"identity_document": "passport", **ENTER})
    assert response.status_code == 200
    assert not Identification.objects.exists()
    assert re.search(r'value="passport"[^>]* checked', response.content.decode()), "what was chosen stays chosen"
    assert 'class="ds-error-summary"' not in response.content.decode()


def test_what_was_typed_is_shown_again_unjudged(world: Any) -> None:
    client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
    page = client.post(reverse("office_new", args=[world.area.pk]), {"name": "Nytt kontor", "invoice_comment": "", **ENTER})
    assert page.status_code == 200
    assert 'value="Nytt kontor"' in page.content.decode()
    assert "ds-error-summary" not in page.content.decode()


def test_a_form_without_a_page_of_its_own_leads_back(world: Any) -> None:
    client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
    address = reverse("office_reopen", args=[world.office.pk])
    page = reverse("office", args=[world.office.pk])
    assert client.post(address, ENTER, headers={"Referer": f"http://testserver{page}"}).url == page
    assert client.post(address, ENTER, headers={"Referer": "https://evil.example/x"}).url == "/"
    assert client.post(address, ENTER).url == "/"
