"""What waits in customer data: requests for a second finance administrator, and data that a customer's issuer should confirm."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.customers.queries.customers import requests_waiting
from billing.customers.services import confirmations
from issuance.authz import Action, Actor, policy
from siths_portal.lib.pages.day import Line, Urgency


def lines(actor: Actor) -> Iterator[Line]:
    """Yields a line for each request by somebody else, and one for customer data to confirm."""
    if policy.holds(actor, Action.MANAGE_BILLING):
        for request, name in requests_waiting():
            if request.requested_by != actor.ref:
                yield Line(
                    urgency=Urgency.THIS_WEEK,
                    title=_("Ny elektronisk adress för {customer} väntar på beslut").format(customer=name),
                    url=reverse("customer", args=[request.party_id]),
                    text=_("En kollega har begärt den. Fakturorna går till den gamla adressen tills du har godkänt."),
                    icon="invoice",
                    action=_("Granska begäran"),
                )
    if policy.holds(actor, Action.CONFIRM_CUSTOMER):
        unconfirmed = [each for each in confirmations.own(actor) if getattr(each, "confirmation", None) is None]
        if unconfirmed:
            count = len(unconfirmed)
            yield Line(
                urgency=Urgency.LATER,
                title=ngettext("Bekräfta kunduppgifterna", "Bekräfta kunduppgifterna för {n} kunder", count).format(n=count),
                url=reverse("customer_own"),
                text=_("Fakturan skickas med uppgifterna. Stämmer de inte kan fakturan bli avvisad."),
                icon="invoice",
                action=_("Läs och bekräfta"),
            )
