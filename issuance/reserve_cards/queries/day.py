"""The lines of Dagen about reserve cards that wait for a second officer."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.authz import Actor
from issuance.people.queries import officers
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.reserve_cards.queries import reserve_cards
from siths_portal.lib import clock
from siths_portal.lib.pages.day import Line, Urgency

FEW = 3
"""At most this many hand-outs have lines of their own; the queue has the others."""


def lines(actor: Actor) -> Iterator[Line]:
    """Yields a line for each hand-out of which the actor can be the second officer, the one that has waited longest first, and
    one for those beyond FEW.
    """
    rows = reserve_cards.to_check(actor=actor)
    found = list(rows[: FEW + 1])
    names = officers.names(actor, {row.officer_ref for row in found[:FEW]})
    for row in found[:FEW]:
        yield _line(row, names.get(row.officer_ref, officers.unknown()))
    if len(found) > FEW:
        more = rows.count() - FEW
        title = ngettext("{n} reservkort till väntar på en andra person", "{n} reservkort till väntar på en andra person", more)
        yield Line(
            urgency=Urgency.TODAY,
            title=title.format(n=more),
            url=reverse("reserve_cards_waiting"),
            text=_("En kollega har identifierat innehavaren. Du kontrollerar själv och skriver under."),
            icon="people",
            action=_("Visa kön"),
            is_reserve=True,
            tab="stock",
            count=more,
        )


def _line(row: ReserveCardIssue, officer: str) -> Line:
    person, since = row.person, row.waiting_since or row.created_at
    until = row.waiting_until or since
    text = _("Reservkort på tillitsnivå 3. {officer} har identifierat personen. Du kan vara andra person till kl. {until}.")
    return Line(
        urgency=Urgency.TODAY,
        title=_("Skyddad person") if person.is_protected else f"{person.given_name_in_use} {person.surname}",
        url=reverse("person", args=[row.person_id]),
        text=text.format(officer=officer, until=f"{until.astimezone(clock.STOCKHOLM):%H:%M}"),
        icon="people",
        action=_("Kontrollera"),
        action_url=reverse("reserve_card_approve", args=[row.pk]),
        tag=_("Väntar sedan {n} min").format(n=int((clock.now() - since).total_seconds() // 60)),
        tag_kind="waits",
        persons=(row.person_id,),
        is_protected=person.is_protected,
        is_reserve=True,
        tab="stock",
    )
