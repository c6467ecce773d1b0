"""What waits for finance persons because a document does not arrive: a line of Dagen."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.delivery.queries.deliveries import ACTION, refused_count
from issuance.authz import Actor, policy
from siths_portal.lib.pages.day import Line, Urgency


def lines(actor: Actor) -> Iterator[Line]:
    """Yields the number of documents that the access point or the receiver refuses."""
    if not policy.holds(actor, ACTION):
        return
    if count := refused_count():
        yield Line(
            urgency=Urgency.TODAY,
            title=ngettext("{n} faktura kommer inte fram", "{n} fakturor kommer inte fram", count).format(n=count),
            url=f"{reverse('invoice_deliveries')}?status=nekade",
            text=_("Accesspunkten eller mottagaren tar inte emot dem."),
            icon="warning",
            action=_("Visa vilka"),
        )
