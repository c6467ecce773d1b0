"""The list of requests to credit."""

from django.http import HttpRequest
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as translated
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from billing.credit.queries import requests
from billing.credit.queries.requests import RequestRow
from issuance.authz import Actor
from siths_portal.lib.lists import Column, Empty, Key, Kind, List, Source, Tag

_KINDS = {"waiting": "due", "approved": "active", "withdrawn": "info"}


def state_tag(state: str) -> Tag:
    """Returns the tag of a request's state."""
    texts = {
        "waiting": translated("Väntar på godkännande"),
        "approved": translated("Godkänd"),
        "withdrawn": translated("Tillbakatagen"),
    }
    return Tag(_KINDS[state], texts[state])


class CreditList(List[RequestRow]):
    """All requests to credit, the newest first."""

    counted_as = ngettext_lazy("{n} kreditering", "{n} krediteringar")
    columns = (
        Column(
            key="faktura",
            heading=_("Faktura"),
            value="number",
            row_header=True,
            link=lambda row: reverse("credit_request", args=[row.id]),
        ),
        Column(key="kund", heading=_("Kund"), value="customer", css="name"),
        Column(key="skal", heading=_("Skäl"), value="reason"),
        Column(key="begard", heading=_("Begärd"), value="requested_at", kind=Kind.MOMENT),
        Column(key="status", heading=_("Status"), kind=Kind.TAG, value=lambda row: state_tag(row.state)),
        Column(
            key="kreditfaktura",
            heading=_("Kreditfaktura"),
            value="credit_note",
            css="nowrap",
            link=lambda row: reverse("invoice", args=[row.credit_note]) if row.credit_note else "",
        ),
    )
    caption = _("Krediteringar, den senast begärda först")
    caption_hidden = True
    table_id = "krediteringar"
    by = (Key("-requested_at", nullable=False),)
    count_to = 0
    empty = Empty(
        _("Inga krediteringar än"),
        _("Öppna en faktura och välj Kreditera rader för att rätta den."),
        reverse_lazy("invoices"),
        _("Visa fakturor"),
    )

    def __init__(self, request: HttpRequest, actor: Actor) -> None:
        super().__init__(request)
        self.actor = actor

    def rows(self) -> Source[RequestRow]:
        """See `List`."""
        return requests.rows(self.actor)
