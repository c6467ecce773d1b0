"""The one thing that a person's page waits for, and the stages of its errand.

`RULES` declares which state leads to which act, the most urgent first. An act is only proposed to an actor who may do it: what a
carrier waits for comes from the functions of its kind, the rest from the functions of the person.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_noop as _

from issuance.activation.services import suspicions
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.domain.kinds import Need
from issuance.orders.domain.order_states import OrderState
from issuance.person_page.queries import person_functions
from issuance.person_page.queries.page_parts import CarrierView, EidView, PersonView
from issuance.person_page.queries.person_functions import Function
from issuance.records.domain import wording
from issuance.records.queries import words
from siths_portal.lib import clock
from siths_portal.lib.pages.dates import in_words

UNDELIVERED_DAYS = 90
"""Days for which the page proposes a new order after a card that never reached its holder."""

_UNDER_WAY = frozenset({CarrierState.ORDERED, CarrierState.SENT, CarrierState.RESERVED, CarrierState.ACTIVATED_UNSIGNED})

_BRINGS: Mapping[Need, str] = {
    Need.ENVELOPE_CODE: _("kuvertet med koden"),
    Need.DEVICE: _("telefonen"),
    Need.VISIT: _("en giltig svensk id-handling"),
}
"""What the holder brings besides the carrier, for each need of an activation."""


@dataclass(frozen=True)
class Stage:
    """A stage of the errand: `state` is done, now, stop or later (`components/track.html`)."""

    state: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class NextStep:
    """An act that the page proposes: `errand` above its `heading`, why and until when, its button and one other way out.

    `carrier` is the carrier that it concerns, which the page draws beside it.
    """

    errand: str
    heading: str
    text: str
    url: str
    action: str
    post: bool = False
    carrier: CarrierView | None = None
    other: Function | None = None
    other_text: str = ""
    stages: tuple[Stage, ...] = ()


class Rule(Protocol):
    """A rule that yields acts for a page, the most urgent first."""

    def steps(self, page: PersonView) -> Iterator[NextStep]:
        """Yields the acts that the rule proposes for `page`."""


def next_step(page: PersonView) -> NextStep | None:
    """Returns the most urgent act that the actor may do, or None. For a deceased person only revocations are proposed."""
    rules = (DeceasedRule(),) if page.head.deceased else RULES
    return next((step for rule in rules for step in rule.steps(page)), None)


class DeceasedRule:
    """The revocation of what a deceased person has: of the one carrier, or of everything."""

    def steps(self, page: PersonView) -> Iterator[NextStep]:
        """See `Rule`."""
        ways = [(carrier, each) for carrier in page.carriers for each in carrier.offered if each.address == "carrier_revoke"]
        possessions = ((carrier.functions, (eid.functions for eid in carrier.eids)) for carrier in page.carriers)
        errand = gettext("Avliden enligt personregistret")
        for everything in person_functions.everything(page.head.id, possessions):
            heading = gettext("Spärra allt som {name} har").format(name=_name_in_use(page))
            text = gettext("Personen har avlidit, men har mer än ett giltigt kort eller SITHS eID.")
            yield NextStep(errand, heading, text, everything.url, everything.name)
        for carrier, act in ways:
            name = gettext("kortet som slutar på {last}").format(last=carrier.last) if carrier.last else carrier.name
            heading = gettext("Spärra {name}").format(name=name)
            text = gettext("Personen har avlidit, men har ett giltigt kort. Spärren kan inte hävas.")
            yield NextStep(errand, heading, text, act.url, act.name, carrier=carrier)


@dataclass(frozen=True)
class CarrierRule:
    """The act that carriers in `states` wait for, if `applies`: the function of their kind with the URL name `address`.

    The texts may name `last` (the last four digits), `name` (of the holder), `brings` and `day`.
    """

    states: frozenset[CarrierState]
    heading: str
    text: str
    address: str = "activate"
    applies: Callable[[CarrierView], bool] = lambda _carrier: True

    def steps(self, page: PersonView) -> Iterator[NextStep]:
        """See `Rule`."""
        waiting = [each for each in page.carriers if each.state in self.states and self.applies(each)]
        for carrier in sorted(waiting, key=_days_left):
            act = next((each for each in carrier.offered if each.address == self.address), None)
            if act is not None:
                yield self._step(page, carrier, act)

    def _step(self, page: PersonView, carrier: CarrierView, act: Function) -> NextStep:
        given = {
            "last": carrier.last,
            "name": _name_in_use(page),
            "brings": _brings(carrier.code),
            "day": in_words(carrier.activate_by or carrier.sign_by),
        }
        other = next((each for each in carrier.offered if each.address == "carrier_replace" and each is not act), None)
        undelivered = carrier.state == CarrierState.SENT
        return NextStep(
            errand=gettext("Kortbyte") if _replaced(page, carrier) else carrier.kind,
            heading=gettext(self.heading).format(**given),
            text=gettext(self.text).format(**given),
            url=act.url,
            action=act.name,
            post=act.post,
            carrier=carrier,
            other=other,
            other_text=gettext("Kortet har inte kommit fram") if undelivered else other.name if other else "",
            stages=tuple(_stages(page, carrier)),
        )


@dataclass(frozen=True)
class StoppedRule:
    """A carrier on which a suspected or false document stops one of the `visits` (URL names): why, and what happens next.

    `stop` is a key of `suspicions.STOPS`. The act is the function with the URL name `address`, or else the page of the visit,
    which says what the officer does.
    """

    stop: str
    visits: frozenset[str]
    heading: str
    text: str
    action: str
    address: str = ""

    def steps(self, page: PersonView) -> Iterator[NextStep]:
        """See `Rule`."""
        for carrier in page.carriers:
            visit = next((each for each in carrier.refused if each.stop == self.stop and each.address in self.visits), None)
            act = next((each for each in carrier.offered if each.address == self.address), None) if self.address else visit
            if visit is None or act is None:
                continue
            stages = _stages(page, carrier) if carrier.state in _UNDER_WAY and not self.address else ()
            yield NextStep(
                errand=carrier.kind,
                heading=gettext(self.heading).format(last=carrier.last),
                text=gettext(self.text),
                url=act.url,
                action=gettext(self.action),
                carrier=carrier,
                stages=tuple(replace(each, state="stop") if each.state == "now" else each for each in stages),
            )


@dataclass(frozen=True)
class UndeliveredRule:
    """A new order for a person whose newest card came back or could not be made. One that came back can be made again by the
    same order.
    """

    texts: Mapping[str, str]

    def steps(self, page: PersonView) -> Iterator[NextStep]:
        """See `Rule`."""
        found, order = page.undelivered, _ordinary_order(page)
        if found is None or order is None or found.state not in self.texts or found.ended_on is None:
            return
        if page.drafts or found.ended_on < clock.today() - dt.timedelta(days=UNDELIVERED_DAYS):
            return
        text = gettext(self.texts[found.state]).format(day=in_words(found.ended_on))
        errand = wording.label(words.ORDER_STATE, found.state)
        if found.remake is not None:
            heading = gettext("Gör om kortet som kom i retur")
            new = gettext("Beställ ett annat kort")
            yield NextStep(errand, heading, text, found.remake.url, found.remake.name, other=order, other_text=new)
            return
        yield NextStep(errand, gettext("Beställ ett nytt kort"), text, order.url, gettext("Beställ nytt kort"), post=True)


class DraftRule:
    """An order that the actor has begun and may still send."""

    def steps(self, page: PersonView) -> Iterator[NextStep]:
        """See `Rule`."""
        for draft in page.drafts if _ordinary_order(page) is not None else ():
            what = " · ".join(each for each in (gettext("Påbörjad beställning"), draft.organisation, draft.article) if each)
            at = in_words(draft.updated_at)
            text = gettext("Beställningen är sparad men inte skickad. Du ändrade den senast {at}.").format(at=at)
            heading = gettext("Fortsätt beställningen")
            yield NextStep(what, heading, text, draft.url, heading)


@dataclass(frozen=True)
class _End:
    """A carrier in use, or an eID on it, that ends soon."""

    days: int
    carrier: CarrierView
    eid: EidView | None = None

    @property
    def day(self) -> dt.date | None:
        """Returns the last day."""
        return self.eid.valid_to if self.eid else self.carrier.valid_to

    @property
    def renewal(self) -> Function | None:
        """Returns the function that renews the eID, if it is on and the card lasts longer than the eID."""
        lasts = self.eid and self.carrier.valid_to and self.eid.valid_to and self.carrier.valid_to > self.eid.valid_to
        offered = self.eid.functions if self.eid and lasts else ()
        return next((each for each in offered if each.address == "eid_renew" and each.allowed), None)


class EndingRule:
    """A new card before the one in use ends, or a renewed eID before one on it does. Not if another card is under way."""

    def steps(self, page: PersonView) -> Iterator[NextStep]:
        """See `Rule`."""
        order = _ordinary_order(page)
        if order is None or any(each.state in _UNDER_WAY for each in page.carriers):
            return
        for end in sorted(_ends(page), key=lambda each: (each.days, each.eid is not None)):
            ends = ngettext("går ut om {days} dag", "går ut om {days} dagar", end.days).format(days=end.days)
            ends = ends if end.days > 0 else gettext("går ut i dag")
            what = (
                gettext("SITHS eID i {organisation}").format(organisation=end.eid.organisation) if end.eid else end.carrier.name
            )
            renew = end.renewal
            yield NextStep(
                errand=f"{what} {ends}",
                heading=gettext("Uppdatera SITHS eID:t") if renew else gettext("Beställ ett nytt kort"),
                text=_ending_text(end).format(name=_name_in_use(page), last=end.carrier.last, day=in_words(end.day)),
                url=renew.url if renew else order.url,
                action=gettext("Uppdatera SITHS eID") if renew else gettext("Beställ nytt kort"),
                post=renew is None,
                carrier=end.carrier,
            )


def _ending_text(end: _End) -> str:
    if end.renewal:
        return gettext("SITHS eID:t på kortet som slutar på {last} gäller till {day}. Beställ ett nytt, som {name} hämtar.")
    if end.eid:
        return gettext("SITHS eID:t på kortet som slutar på {last} gäller till {day}. {name} får ett nytt med ett nytt kort.")
    return gettext("Kortet som slutar på {last} gäller till {day}. {name} behöver ett nytt kort innan dess.")


def _ends(page: PersonView) -> Iterator[_End]:
    """Yields carriers in use and eIDs that end soon and have no lasting counterpart in the same organisation. Reserve cards are
    not among them: they are handed out for a short time.
    """
    in_use = [each for each in page.carriers if each.state == CarrierState.ACTIVE and not _is_handed_out(each)]
    lasting = {each.organisation for each in in_use if each.expires_in is None}
    eids = [(carrier, eid) for carrier in in_use for eid in carrier.eids if eid.state == EidState.ACTIVE]
    lasting_eids = {eid.organisation for _carrier, eid in eids if eid.expires_in is None}
    fetched_soon = {order.organisation for order in page.eid_orders}
    for carrier in in_use:
        if carrier.expires_in is not None and carrier.organisation not in lasting:
            yield _End(carrier.expires_in, carrier)
    for carrier, eid in eids:
        if eid.expires_in is not None and eid.organisation not in lasting_eids | fetched_soon:
            yield _End(eid.expires_in, carrier, eid)


def _is_handed_out(carrier: CarrierView) -> bool:
    return kinds.Function.HAND_OUT in (kinds.kind_of(carrier.code).functions or {})


def _days_left(carrier: CarrierView) -> int:
    return min((days for days in (carrier.activation_days, carrier.signing_days) if days is not None), default=0)


def _time_left(carrier: CarrierView) -> str:
    """Returns how long the holder has for the stage that comes now; empty if it has no last day."""
    if carrier.activation_days is None and carrier.signing_days is None:
        return ""
    days = _days_left(carrier)
    return ngettext("{days} dag kvar", "{days} dagar kvar", days).format(days=days) if days else gettext("sista dagen i dag")


def _name_in_use(page: PersonView) -> str:
    return page.head.given_name_in_use or page.head.given_names


def _brings(kind: str) -> str:
    """Returns what the holder brings to an activation, as "kortet och en giltig svensk id-handling"."""
    needs = kinds.kind_of(kind).activation
    things = [gettext("kortet"), *(gettext(text) for need, text in _BRINGS.items() if need in needs)]
    things = things[1:] if Need.DEVICE in needs else things
    return gettext("{first} och {last}").format(first=", ".join(things[:-1]), last=things[-1]) if things[1:] else things[0]


def _ordinary_order(page: PersonView) -> Function | None:
    """Returns the function that orders a card for the person, if it is on."""
    return next((each for each in page.functions if each.address == "order_start" and each.allowed), None)


def _replaced(page: PersonView, carrier: CarrierView) -> CarrierView | None:
    """Returns the carrier in use that `carrier` replaces: by its order, or else the only one of its kind and organisation."""
    if named := _named(carrier):
        return next((each for each in page.carriers if each.id == named and each.state == CarrierState.ACTIVE), None)
    same = [each for each in page.carriers if (each.code, each.organisation) == (carrier.code, carrier.organisation)]
    in_use = [each for each in same if each.state == CarrierState.ACTIVE]
    return in_use[0] if len(in_use) == 1 else None


def _named(carrier: CarrierView) -> UUID | None:
    """Returns the carrier that the order of `carrier` replaces."""
    return carrier.order.replaced if carrier.order else None


def _stages(page: PersonView, carrier: CarrierView) -> Iterator[Stage]:
    """Yields the stages from the order, or from the hand-out of a card in stock, to the signed receipt, and to the revocation of
    the card that is replaced.
    """
    left = _time_left(carrier)
    order, has_code = carrier.order, carrier.state == CarrierState.ACTIVATED_UNSIGNED
    if _is_handed_out(carrier):
        yield Stage("done", gettext("Knutet till innehavaren"))
    else:
        yield Stage("done", gettext("Kortet beställt"), in_words(wording.day(order.ordered_at)) if order else "")
        yield Stage("done", gettext("Skickat till innehavaren"), in_words(order.sent_on) if order else "")
    yield Stage(
        "done" if has_code else "now", gettext("Kod vald") if has_code else gettext("Aktivera kortet"), "" if has_code else left
    )
    if Need.SIGNED_RECEIPT in kinds.kind_of(carrier.code).activation:
        yield Stage("now" if has_code else "later", gettext("Skriv under kvittensen"), left if has_code else "")
    if old := _replaced(page, carrier):
        text = gettext("Det gamla kortet spärras automatiskt") if _named(carrier) else gettext("Spärra det gamla kortet")
        yield Stage("later", text, gettext("slutar på {last}").format(last=old.last))


_WAITING = frozenset({CarrierState.ACTIVATED_UNSIGNED, CarrierState.SENT})

RULES: tuple[Rule, ...] = (
    StoppedRule(
        suspicions.FALSE_DOCUMENT,
        frozenset({"activate", "unlock"}),
        _("Spärra kortet som slutar på {last}"),
        _("Id-handlingen vid ett tidigare besök var falsk. Kortet kan inte aktiveras eller låsas upp."),
        _("Spärra kort"),
        address="carrier_revoke",
    ),
    StoppedRule(
        suspicions.SUSPECTED,
        frozenset({"activate"}),
        _("Vänta med att aktivera kortet som slutar på {last}"),
        _(
            "En misstanke om falsk id-handling utreds. Ansvarig utgivare ser den på Dagen och bedömer den. "
            "Var handlingen inte falsk kan kortet aktiveras. Var den falsk spärras kortet."
        ),
        _("Se vad du gör så länge"),
    ),
    StoppedRule(
        suspicions.SUSPECTED,
        frozenset({"unlock"}),
        _("Vänta med att låsa upp kortet som slutar på {last}"),
        _(
            "En misstanke om falsk id-handling utreds. Ansvarig utgivare ser den på Dagen och bedömer den. "
            "Var handlingen inte falsk kan kortet låsas upp. Var den falsk spärras kortet."
        ),
        _("Se vad du gör så länge"),
    ),
    CarrierRule(
        _WAITING,
        _("Ersätt kortet som slutar på {last}"),
        _("Kortet går inte att aktivera. Beställ ett nytt åt {name}. Då spärras det här."),
        address="carrier_replace",
        applies=lambda carrier: carrier.help is not None and carrier.help.is_beyond_help,
    ),
    CarrierRule(
        frozenset({CarrierState.ACTIVATED_UNSIGNED}),
        _("Slutför aktiveringen av kortet som slutar på {last}"),
        _(
            "Innehavaren kan välja en ny kod vid aktiveringen. "
            "Är kvittensen inte underskriven senast {day} spärras kortet automatiskt."
        ),
        applies=lambda carrier: carrier.code_blocked,
    ),
    CarrierRule(
        frozenset({CarrierState.ACTIVATED_UNSIGNED}),
        _("Slutför aktiveringen av kortet som slutar på {last}"),
        _(
            "Innehavaren har valt legitimeringskod men inte skrivit under kvittensen. "
            "Är den inte underskriven senast {day} spärras kortet automatiskt."
        ),
    ),
    CarrierRule(
        frozenset({CarrierState.SENT}),
        _("Aktivera det nya kortet som slutar på {last}"),
        _("{name} ska ha med sig {brings}. Kortet ska aktiveras senast {day}. Därefter spärras det automatiskt."),
    ),
    CarrierRule(
        frozenset({CarrierState.RESERVED}),
        _("Aktivera kortet som slutar på {last}"),
        _("{name} ska ha med sig {brings}."),
    ),
    UndeliveredRule(
        {
            OrderState.RETURNED: _("Kortet spärrades {day}. Kontrollera innehavarens folkbokföringsadress innan du beställer."),
            OrderState.FAILED: _("Kortleverantören kunde inte tillverka kortet. Beställningen avslutades {day}."),
        }
    ),
    DraftRule(),
    EndingRule(),
)
"""The rules, the most urgent first."""
