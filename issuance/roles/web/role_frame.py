"""Shared parts of role pages: values kept over a new login, and the frame of pages about a person."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from authn.web import kept_form
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.person_page.queries.page_parts import PersonHead
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.records.web.persons import photo_url


def kept(request: HttpRequest) -> dict[str, str]:
    """Returns the values that the user had typed on this page before a new login was required."""
    found = kept_form(request)
    return {name: str(found[name]) for name in found} if found else {}


def person_page(
    request: HttpRequest, template: str, head: PersonHead, context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    """Renders a page of `roles/frame.html` after recording that the person is shown (ADR 0080)."""
    disclosures.record(actor=actor_of(request), person_id=head.id, shown=Shown.PERSON)
    return render_page(request, SEARCH, template, {"head": head, "photo_url": photo_url(head), **context}, status=status)
