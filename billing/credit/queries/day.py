"""What waits for finance administrators: requests to credit that another person made."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _

from billing.credit.queries import requests
from billing.credit.services import crediting
from issuance.authz import Actor, policy
from siths_portal.lib.pages.day import Line, Urgency

_MOST = 5


def lines(actor: Actor) -> Iterator[Line]:
    """Yields a line for each request that the actor may approve, the oldest first."""
    if not policy.holds(actor, crediting.ACTION):
        return
    for each in requests.waiting(actor).select_related("invoice")[:_MOST]:
        yield Line(
            urgency=Urgency.THIS_WEEK,
            title=_("Kreditering av faktura {number} väntar på godkännande").format(number=each.invoice.number),
            url=reverse("credit_request", args=[each.pk]),
            text=_("En annan person har begärt krediteringen."),
            icon="return",
            action=_("Granska krediteringen"),
        )
