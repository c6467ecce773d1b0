"""Dagen, and the lists that its lines lead to."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from issuance.authz import Action, Actor, policy
from issuance.day.queries import cards, delivery, recent
from issuance.day.web.eid_lists import EndingList, ToFetchList
from issuance.day.web.lists import OrderList, SentList, UnsignedList, WorkList
from issuance.people.services import disclosures
from issuance.records.web.frame import Section, actor_of, render_page
from issuance.roles.queries import own_training
from siths_portal.lib import clock
from siths_portal.lib.pages import day as work

DAY = Section("day", Action.VIEW)
"""Dagen, the first page of every role."""


@require_safe
def day(request: HttpRequest) -> HttpResponse:
    """Shows what waits for the user, and the search to those who work with it. The middleware refuses people without a role."""
    actor = actor_of(request)
    lines, overviews = work.found_for(actor)
    desk = works_at_desk(actor)
    own = recent.own_day(actor) if desk else recent.OwnDay()
    if named := {person_id for line in lines for person_id in line.persons} | {each.person_id for each in own.recent}:
        disclosures.record_work(actor=actor, what="day", person_ids=named)
    first = lines[0] if lines and not desk else None
    context = {
        "date": capfirst(date_format(clock.today(), "l j F")),
        "waiting": work.remember(request, lines),
        "groups": list(work.grouped(lines[1:] if first else lines)),
        "first": first,
        "desk": desk,
        "figures": own.figures,
        "overviews": overviews,
        "delivery": delivery.told(actor) if desk else None,
        "places_beside": any(each.places or each.offices for each in overviews),
        "recent": own.recent,
        "may_extend": desk and policy.holds(actor, Action.EXTENDED_SEARCH),
        "training": own_training.notice(actor),
    }
    return render_page(request, DAY, "day/day.html", context)


def works_at_desk(actor: Actor) -> bool:
    """Returns whether the search is what the user does most: they see persons and give nobody roles."""
    return policy.holds(actor, Action.VIEW) and not policy.holds(actor, Action.ASSIGN_ROLE)


@require_safe
@DAY.requires(Action.ACTIVATE_ORDINARY_CARD)
def sent(request: HttpRequest) -> HttpResponseBase:
    """Lists the cards that are sent and not activated. Raises Forbidden."""
    found = SentList(request)
    soon = found.count_within(cards.SOON)
    lead = ngettext("{n} kort spärras inom {days} dagar.", "{n} kort spärras inom {days} dagar.", soon).format(
        n=cards.number(soon), days=cards.SOON
    )
    lead = lead if soon else _("Inget kort spärras inom {days} dagar.").format(days=cards.SOON)
    note = _("Ett kort som inte aktiveras i tid spärras natten efter den sista dagen.")
    return _list(request, found, SentList.caption, lead, note)


@require_safe
@DAY.requires(Action.ACTIVATE_ORDINARY_CARD)
def unsigned(request: HttpRequest) -> HttpResponseBase:
    """Lists the cards whose receipt is not signed. Raises Forbidden."""
    lead = _("Innehavarna har valt kod men inte skrivit under kvittensen. Kortet spärras natten efter den sista dagen.")
    return _list(request, UnsignedList(request), UnsignedList.caption, lead)


@require_safe
@DAY.requires(Action.ORDER_ORDINARY_CARD)
def orders(request: HttpRequest) -> HttpResponseBase:
    """Lists the orders that failed or came back. Raises Forbidden."""
    lead = _("Gör om ett kort som kom i retur, eller öppna personen och beställ ett nytt kort eller PUK-brev om det behövs.")
    return _list(request, OrderList(request), OrderList.caption, lead)


@require_safe
@DAY.requires(Action.ORDER_ORDINARY_CARD)
def ending(request: HttpRequest) -> HttpResponseBase:
    """Lists the eIDs that end soon. Raises Forbidden."""
    lead = _("De slutar gälla inom {n} dagar. Öppna personen för att uppdatera SITHS eID:t eller beställa ett nytt kort.")
    return _list(request, EndingList(request), EndingList.caption, lead.format(n=cards.ENDING_DAYS))


@require_safe
@DAY.requires(Action.ORDER_EID)
def to_fetch(request: HttpRequest) -> HttpResponseBase:
    """Lists the ordered eIDs that wait for their holders. Raises Forbidden."""
    lead = _("Innehavarna hämtar dem på Mina sidor med kortet. Öppna personen för att ta bort en beställning.")
    return _list(request, ToFetchList(request), ToFetchList.caption, lead)


def _list(
    request: HttpRequest, found: WorkList, heading: str | Promise, lead: str | Promise, note: str | Promise = ""
) -> HttpResponseBase:
    return found.answer(
        lambda shown: render_page(
            request,
            DAY,
            "day/list.html",
            {"list": shown, "form": shown.form, "lead": lead, "list_note": note},
            heading=str(heading),
            status=shown.status,
        )
    )
