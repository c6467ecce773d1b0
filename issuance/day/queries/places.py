"""What waits for those who set up areas and organisations, and for master data administrators: the lines of Dagen, and overviews
of their cards.
"""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.administration.queries import next_steps, readiness
from issuance.authz import Action, Actor, policy
from issuance.customisations.queries import customisation_requests
from issuance.day.queries import cards, counted_lines, counting, outcome, overview
from issuance.roles.queries import role_holders, role_requests
from siths_portal.lib.pages.day import Line, Overview, Urgency


def lines(actor: Actor) -> Iterator[Line | Overview]:
    """Yields the lines about areas and organisations, then those about cards, and for those who give roles and order cards the
    overviews of the outcome and of the cards that wait. An area that is not set up has no cards.
    """
    unfinished = next_steps.unfinished_of_issuer(actor)
    if unfinished:
        yield Line(
            urgency=Urgency.TODAY,
            title=unfinished.name,
            url=reverse("area", args=[unfinished.id]),
            text=_("Det finns steg kvar att göra i utgivningsområdet innan kort kan beställas."),
            icon="list",
            action=_("Visa stegen"),
        )
    yield from _decisions(actor)
    if policy.holds(actor, Action.ASSIGN_ROLE) and (count := role_holders.to_follow_up(actor=actor)):
        yield Line(
            urgency=Urgency.THIS_WEEK,
            title=ngettext("{n} rollinnehavare att följa upp", "{n} rollinnehavare att följa upp", count).format(n=_many(count)),
            url=f"{reverse('role_holders')}?visa=folj-upp",
            text=_("Utbildning eller personkontroll saknas eller går ut, eller så har uppdraget upphört i HSA-katalogen."),
            icon="people",
            action=_("Visa dem"),
        )
    if not unfinished:
        in_charge = policy.holds(actor, Action.ASSIGN_ROLE) and policy.holds(actor, Action.ORDER_ORDINARY_CARD)
        counted = counting.counted(actor, in_charge=in_charge)
        yield from cards.lines(actor, counted.unsigned)
        yield from counted_lines.lines(counted)
        if in_charge:
            if found := outcome.overview(counted.days):
                yield found
            yield overview.of(counted)


def _many(count: int) -> str:
    return str(count) if count < role_holders.MOST else _("Minst {n}").format(n=count)


def _decisions(actor: Actor) -> Iterator[Line]:
    if count := role_requests.count_to_decide(actor=actor):
        yield Line(
            urgency=Urgency.TODAY,
            title=ngettext("{n} begärd roll väntar på ditt beslut", "{n} begärda roller väntar på ditt beslut", count).format(
                n=count
            ),
            url=reverse("role_requests"),
            text=_("En annan person har begärt rollen. Den gäller först när du har godkänt den."),
            icon="people",
            action=_("Visa begärda roller"),
        )
    if policy.holds(actor, Action.VERIFY_CUSTOMISATION) and (count := readiness.to_verify(actor=actor)):
        yield Line(
            urgency=Urgency.THIS_WEEK,
            title=ngettext("{n} kortanpassning att verifiera", "{n} kortanpassningar att verifiera", count).format(n=count),
            url=f"{reverse('customisations')}?status=waiting",
            text=_("Kort kan inte beställas med den förrän du har verifierat den."),
            icon="cards",
            action=_("Visa kortanpassningarna"),
        )
    if policy.holds(actor, Action.CREATE_ORGANISATION) and (count := customisation_requests.waiting(actor=actor)):
        yield Line(
            urgency=Urgency.THIS_WEEK,
            title=ngettext("{n} önskemål om kortanpassning", "{n} önskemål om kortanpassning", count).format(n=count),
            url=reverse("customisations"),
            text=_("Organisationer har bett om egna kortanpassningar."),
            icon="cards",
            action=_("Visa kortanpassningarna"),
        )
