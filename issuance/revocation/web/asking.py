"""What the pages of revocation share: the check of a request, and the notices about a second officer's decision."""

import datetime as dt
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from issuance.authz import Actor
from issuance.revocation.queries.held_revocations import HeldNotice
from issuance.revocation.services import revocation
from issuance.revocation.services.revocation import RevocationRequest
from issuance.revocation.web.forms import RevocationForm
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid

HELD = gettext_lazy(
    "Spärren är inte gjord. Du har spärrat för så många personer den senaste timmen att en kollega måste godkänna den. "
    "Begäran är sparad med sin tid. Är det bråttom: ring en kollega nu."
)


def checked(actor: Actor, since: dt.datetime | None, form: RevocationForm) -> dict[str, Any] | None:
    """Returns the request's fields, or None, with the errors on the form, if they do not meet the rules."""
    form.is_valid()
    given = form.request()
    try:
        revocation.check(actor=actor, request=RevocationRequest(**given), since=since)
    except Invalid as error:
        form.take_beside(error)
    return None if form.errors else given


def with_link(text: object) -> str:
    """Returns the text with a link to the waiting revocations."""
    return format_html('{} <a class="ds-link" href="{}">{}</a>', text, reverse("held_revocations"), _("Visa spärrar som väntar"))


def waits_already(notice: HeldNotice) -> str:
    """Returns why the same request is not made again: its requester and its time."""
    at = f"{notice.requested_at.astimezone(clock.STOCKHOLM):%Y-%m-%d %H:%M}"
    text = _("Begäran skickades inte. {who} begärde samma spärr {at}, och den väntar på en kollegas beslut.")
    return with_link(text.format(who=notice.requested_by, at=at))
