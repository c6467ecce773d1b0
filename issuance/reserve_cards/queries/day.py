"""The line of Dagen about reserve cards that wait for a second officer."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.authz import Actor
from issuance.reserve_cards.queries import reserve_cards
from siths_portal.lib.pages.day import Line, Urgency


def lines(actor: Actor) -> Iterator[Line]:
    """Yields a line if the actor can be the second officer of a hand-out. It names nobody."""
    count = reserve_cards.to_check(actor=actor)
    if count:
        title = ngettext("{n} reservkort väntar på en andra person", "{n} reservkort väntar på en andra person", count)
        yield Line(
            urgency=Urgency.TODAY,
            title=title.format(n=count),
            url=reverse("reserve_cards_waiting"),
            text=_("En kollega har identifierat innehavaren. Du kontrollerar själv och skriver under."),
            icon="cards",
            action=_("Kontrollera"),
            tab="stock",
            count=count,
        )
