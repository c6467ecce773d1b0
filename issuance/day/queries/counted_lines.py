"""The lines of Dagen that are made of what was counted: one thing names whose it is, and each says since or until when."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from issuance.activation.queries import day as suspected_documents
from issuance.day.queries import cards
from issuance.day.queries.counting import ENDING, FAILED, RETURNED, SUSPECTED, TO_FETCH, Counted, First, Sent
from issuance.people.queries import naming
from issuance.records.domain import wording
from issuance.register_care.queries import day as register_care
from siths_portal.lib import clock
from siths_portal.lib.pages.dates import in_words, weekday_in_words
from siths_portal.lib.pages.day import Line, Urgency


def lines(counted: Counted) -> Iterator[Line]:
    """Yields a line for each number of what was counted."""
    suspected = counted.first.get(SUSPECTED)
    yield from suspected_documents.lines_of(counted.numbers.get(SUSPECTED, 0), suspected.at if suspected else None)
    for urgency in Urgency:
        if found := [each for each in counted.sent if cards.urgency_of(each.days_left) is urgency]:
            yield _sent(urgency, found)
    for of_kind in (_returned, _failed):
        yield from of_kind(counted)
    yield from register_care.lines_of(counted.register_care)
    for of_kind in (_to_fetch, _ending):
        yield from of_kind(counted)


_WITHIN = {Urgency.TODAY: "?inom=0", Urgency.THIS_WEEK: f"?inom={cards.SOON}", Urgency.LATER: ""}


def _sent(urgency: Urgency, sent: Sequence[Sent]) -> Line:
    """Returns the line of the sent cards of an urgency, of which the first is revoked first."""
    first, count = sent[0], len(sent)
    list_url = reverse("day_sent") + _WITHIN[urgency]
    since, last_day = in_words(wording.day(first.sent_at)), _after(first.days_left)
    if count == 1:
        subject = naming.read(first.about)
        text = _("{card} skickades {since} och är inte aktiverat. Sista dagen är {day}.")
        card = _("Kortet som slutar på {last}").format(last=subject.last) if subject.last else _("Kortet")
        return Line(
            **cards.named(subject),
            urgency=urgency,
            text=text.format(card=card, since=since, day=in_words(last_day)),
            icon="card",
            action=_("Visa kortet"),
            action_url=list_url,
            tag="" if urgency is Urgency.LATER else cards.revoked_in(first.days_left),
        )
    titles = {
        Urgency.TODAY: _("{n} kort spärras i kväll"),
        Urgency.THIS_WEEK: _("{n} kort spärras senast {day}"),
        Urgency.LATER: _("{n} skickade kort har mer än {days} dagar kvar"),
    }
    texts = {
        Urgency.TODAY: _("De skickades {since} eller senare och är inte aktiverade. I dag är sista dagen."),
        Urgency.THIS_WEEK: _("Det första skickades {since} och spärras {first}. Påminn innehavarna."),
        Urgency.LATER: _("Innehavarna har inte aktiverat dem än. Det första skickades {since} och spärras {first}."),
    }
    last = weekday_in_words(_after(sent[-1].days_left))
    return Line(
        urgency=urgency,
        title=titles[urgency].format(n=cards.number(count), days=cards.SOON, day=last),
        url=list_url,
        text=texts[urgency].format(since=since, first=in_words(last_day)),
        icon="card",
        action=_("Visa korten"),
    )


def _after(days: int) -> dt.date:
    return clock.today() + dt.timedelta(days=days)


def _counted(counted: Counted, kind: str) -> tuple[int, First | None]:
    """Returns how many rows of the kind there are, and the first of them."""
    return counted.numbers.get(kind, 0), counted.first.get(kind)


def _returned(counted: Counted) -> Iterator[Line]:
    count, first = _counted(counted, RETURNED)
    if first is None:
        return
    of_one = {
        **cards.named(first.subject),
        "text": _("Brevet med kortet eller PUK har kommit i retur. Beställt {day}. Kontrollera adressen och gör om det."),
        "action": _("Visa beställningen"),
        "tag": _("I retur"),
        "tag_kind": "returned",
    }
    of_many = {
        "title": _("{n} brev har kommit i retur").format(n=cards.number(count)),
        "url": _orders(RETURNED),
        "text": _("Posten kunde inte lämna ut dem. Det första är beställt {day}. Kontrollera adresserna och gör om korten."),
        "action": _("Visa beställningarna"),
    }
    yield _ordered(of_one if count == 1 else of_many, first, Urgency.THIS_WEEK, "return", _orders(RETURNED))


def _failed(counted: Counted) -> Iterator[Line]:
    count, first = _counted(counted, FAILED)
    if first is None:
        return
    of_one = {
        **cards.named(first.subject),
        "text": _("Kortleverantören kunde inte tillverka kortet som beställdes {day}. Beställ ett nytt."),
        "action": _("Visa beställningen"),
        "tag": _("Misslyckades"),
        "tag_kind": "failed",
    }
    of_many = {
        "title": _("{n} beställningar misslyckades").format(n=cards.number(count)),
        "url": _orders(FAILED),
        "text": _("Kortleverantören kunde inte tillverka korten. Det första beställdes {day}. Beställ nya."),
        "action": _("Visa beställningarna"),
    }
    yield _ordered(of_one if count == 1 else of_many, first, Urgency.THIS_WEEK, "warning", _orders(FAILED))


def _orders(state: str) -> str:
    return f"{reverse('day_orders')}?status={state}"


def _ordered(fields: dict[str, Any], first: First, urgency: Urgency, icon: str, list_url: str) -> Line:
    fields["text"] = fields["text"].format(day=in_words(wording.day(first.at)))
    return Line(**fields, urgency=urgency, icon=icon, action_url=list_url)


def _to_fetch(counted: Counted) -> Iterator[Line]:
    """Yields a line for the eIDs that wait for their holders, as urgent as the one whose time ends first."""
    count, first = _counted(counted, TO_FETCH)
    if first is None:
        return
    last_day = wording.last_day(first.at)
    of_one = {
        **cards.named(first.subject),
        "text": _("SITHS eID:t väntar på att hämtas på Mina sidor senast {day}. Därefter måste det beställas igen."),
    }
    of_many = {
        "title": _("{n} SITHS eID väntar på att hämtas").format(n=cards.number(count)),
        "url": reverse("day_to_fetch"),
        "text": _("Innehavarna hämtar dem på Mina sidor, det första senast {day}. Därefter måste de beställas igen."),
    }
    urgency = Urgency.THIS_WEEK if cards.days_left(last_day) <= cards.SOON else Urgency.LATER
    yield _eids(of_one if count == 1 else of_many, last_day, urgency, "hourglass", reverse("day_to_fetch"))


def _ending(counted: Counted) -> Iterator[Line]:
    count, first = _counted(counted, ENDING)
    if first is None:
        return
    last_day = wording.last_day(first.at)
    of_one = {
        **cards.named(first.subject),
        "text": _("SITHS eID:t slutar gälla {day}. Uppdatera det eller beställ ett nytt kort i tid."),
    }
    title = _("{n} SITHS eID slutar gälla inom {days} dagar")
    of_many = {
        "title": title.format(n=cards.number(count), days=cards.ENDING_DAYS),
        "url": reverse("day_ending"),
        # Beyond the number that is counted, the first one need not be among those that were read.
        "text": _("Det första slutar gälla {day}. Uppdatera dem eller beställ nya kort i tid.")
        if count <= cards.MOST
        else _("Uppdatera dem eller beställ nya kort i tid."),
    }
    yield _eids(of_one if count == 1 else of_many, last_day, Urgency.LATER, "renew", reverse("day_ending"))


def _eids(fields: dict[str, Any], last_day: dt.date | None, urgency: Urgency, icon: str, list_url: str) -> Line:
    fields["text"] = fields["text"].format(day=in_words(last_day))
    return Line(**fields, urgency=urgency, icon=icon, action=_("Visa listan"), action_url=list_url)
