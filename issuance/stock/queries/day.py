"""What waits for those who keep stock: the lines of Dagen about bundles to receive and offices with few reserve cards."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.authz import Action, Actor, policy
from issuance.stock.queries import stock
from siths_portal.lib.pages.day import Line, Urgency

MOST = 5
"""At most this many bundles and offices have lines of their own."""


def lines(actor: Actor) -> Iterator[Line]:
    """Yields the lines. The page Reservkort has the bundles and offices that are not named."""
    if not policy.holds(actor, Action.KEEP_STOCK):
        return
    for bundle in stock.awaited_by(actor=actor)[:MOST]:
        count = ngettext("{n} reservkort till {office}", "{n} reservkort till {office}", bundle.left)
        yield Line(
            urgency=Urgency.THIS_WEEK,
            title=count.format(n=bundle.left, office=bundle.office),
            url=reverse("office_stock", args=[bundle.office_id]),
            text=_("Bunten är skickad. Ta emot den när den kommer, så att korten kan lämnas ut."),
            icon="envelope",
            action=_("Ta emot bunten"),
            action_url=reverse("stock_receive", args=[bundle.id]),
        )
    for office in stock.short_offices(actor=actor)[:MOST]:
        yield Line(
            urgency=Urgency.THIS_WEEK,
            title=_("Få reservkort på {office}").format(office=office.name),
            url=reverse("office_stock", args=[office.id]),
            text=_("Lagret har {n} kort, och gränsen är {least}.").format(n=office.figures.in_stock, least=office.figures.least),
            icon="cards",
            action=_("Visa lagret"),
        )
