"""What the pages of roles share: the log-in of now that changes need, and the frame of those on a person."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from authn.web import kept_form, require_recent_login
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.person_page.queries.person_view import PersonHead
from issuance.person_page.web.views import photo_url
from issuance.records.web.administration_frame import actor_of


def recent_login(request: HttpRequest) -> HttpResponse | None:
    """The way to a new log-in if the last one is too old for changing roles (security.md 0.3)."""
    return require_recent_login(request, dt.timedelta(seconds=settings.ROLES_LOGIN_MAX_AGE))


def kept(request: HttpRequest) -> dict[str, str]:
    """What was filled in here before a new log-in was asked for."""
    found = kept_form(request)
    return {name: str(found[name]) for name in found} if found else {}


def person_page(
    request: HttpRequest, template: str, head: PersonHead, context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page of `roles/frame.html`. That the person is shown is noted before (ADR 0080)."""
    disclosures.record(actor=actor_of(request), person_id=head.id, shown=Shown.PERSON)
    return render(request, template, {"head": head, "photo_url": photo_url(head), **context}, status=status)
