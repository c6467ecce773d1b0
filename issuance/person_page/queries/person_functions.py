"""The functions on the person's page. The state of the subject and the actor's rights decide whether one is on; if not, it has
a reason.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from issuance.activation.services import suspicions
from issuance.authz import Action, Actor, policy
from issuance.carriers.domain import carrier_states, kinds
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Carrier, Eid
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from issuance.people.models.persons import Person, Post

if TYPE_CHECKING:
    from issuance.person_page.queries.page_parts import CarrierView


def carrier_rights() -> list[Action]:
    """Returns the rights that functions of carriers need, each once."""
    needed = [right for function in _OF_CARRIER for right in kinds.rights(function)]
    return list(dict.fromkeys([*needed, Action.VIEW_RECEIPT, Action.VIEW_HISTORY]))


def order_rights() -> list[Action]:
    """Returns the rights that orders of a carrier need, each once."""
    return list({**kinds.rights(kinds.Function.ORDER), **kinds.rights(kinds.Function.HAND_OUT)})


class Group(Enum):
    """The purpose of a function, in the order of the function column."""

    ORDER = gettext_noop("Beställ")
    HELP = gettext_noop("Hjälp innehavaren")
    LOOK = gettext_noop("Se efter")


@dataclass(frozen=True)
class Place:
    """The group of a function, and its icon (a symbol of static/img/icons.svg)."""

    group: Group
    icon: str


_PLACES: Mapping[str, Place] = {
    "order_start": Place(Group.ORDER, "plus"),
    "order_cancel": Place(Group.ORDER, "cross"),
    "reserve_card": Place(Group.ORDER, "cards"),
    "order_remake": Place(Group.ORDER, "renew"),
    "activate": Place(Group.HELP, "key"),
    "unlock": Place(Group.HELP, "key"),
    "puk_letter": Place(Group.ORDER, "document"),
    "eid_order": Place(Group.ORDER, "plus"),
    "eid_renew": Place(Group.ORDER, "renew"),
    "eid_order_withdraw": Place(Group.ORDER, "cross"),
    "carrier_revoke": Place(Group.HELP, "ban"),
    "person_revoke": Place(Group.HELP, "ban"),
    "carrier_replace": Place(Group.HELP, "renew"),
    "eid_revoke": Place(Group.HELP, "ban"),
    "certificate": Place(Group.LOOK, "document"),
    "certificate_pem": Place(Group.LOOK, "download"),
    "receipt": Place(Group.LOOK, "document"),
    "person_history": Place(Group.LOOK, "history"),
    "carrier_history": Place(Group.LOOK, "history"),
    "eid_history": Place(Group.LOOK, "history"),
    "person_access_log": Place(Group.LOOK, "history"),
    "person_roles": Place(Group.LOOK, "people"),
}
"""The place of each function, by its URL name."""


@dataclass(frozen=True)
class Function:
    """A link or, with `post`, a button. `reason` explains why it is not `allowed`. `query` is added to the URL. `place` overrides
    that of its URL name. `note` stands below the name. `stop` is what stops a visit that the actor may else begin, a key of
    `suspicions.STOPS`.
    """

    name: str
    address: str
    subject: UUID
    allowed: bool = True
    reason: str = ""
    post: bool = False
    query: str = ""
    place: Place | None = None
    note: str = ""
    stop: str = ""

    @property
    def url(self) -> str:
        """Returns the URL of the function."""
        return f"{reverse(self.address, args=[self.subject])}{self.query}"

    @property
    def group(self) -> Group:
        """Returns the purpose of the function."""
        return (self.place or _PLACES[self.address]).group

    @property
    def icon(self) -> str:
        """Returns the icon of the function."""
        return (self.place or _PLACES[self.address]).icon


@dataclass(frozen=True)
class FunctionGroup:
    """The functions of one purpose, under its heading."""

    heading: str
    functions: tuple[Function, ...]


def grouped(functions: Iterable[Function]) -> list[FunctionGroup]:
    """Returns the functions by purpose, without purposes that have none."""
    offered = list(functions)
    # A purpose whose functions all have a note, as orders while a card is under way, is not the first.
    first = sorted(Group, key=lambda group: all(each.note for each in offered if each.group is group))
    groups = ((group, tuple(each for each in offered if each.group is group)) for group in first)
    return [FunctionGroup(_(group.value), found) for group, found in groups if found]


def of_person(actor: Actor, person: Person, posts: list[Post]) -> list[Function]:
    """Returns the page's own functions. `posts` are the person's current assignments that the actor sees, annotated with the
    rights of `order_rights`.
    """
    found = []
    for kind in kinds.all_kinds():
        if (rule := kind.rule(kinds.Function.ORDER)) and not kind.for_test_persons:  # which the same order offers
            order = Function(_(rule.label), "order_start", person.id, post=True)
            found.append(unless(order, _why_no_order(actor, rule.right, person, posts)))
        if rule := kind.rule(kinds.Function.HAND_OUT):
            reserve = Function(_(rule.label), "reserve_card", person.id)
            found.append(unless(reserve, _why_no_order(actor, rule.right, person, posts)))
    if policy.holds(actor, Action.ASSIGN_ROLE):
        roles = Function(_("Administrera behörighetsroller"), "person_roles", person.id)
        found.append(unless(roles, _why_no_roles(actor, person)))
    found.append(Function(_("Personens historik"), "person_history", person.id))
    if policy.holds(actor, Action.VIEW_ACCESS_LOG):
        log = Function(_("Vem har tittat"), "person_access_log", person.id)
        found.append(unless(log, "" if getattr(person, f"may_{Action.VIEW_ACCESS_LOG}") else no_right()))
    return found


def with_cards_under_way(functions: Iterable[Function], under_way: str) -> list[Function]:
    """Returns the functions; those that order a card say which card is `under_way` already, and come after the others."""
    offered = list(functions)
    orders = [each for each in offered if each.address == "order_start" and each.allowed] if under_way else []
    return [*(each for each in offered if each not in orders), *(replace(each, note=under_way) for each in orders)]


LOST_CARD_QUERY = "?orsak=forlorat"
"""The query of the page of revocation that proposes a lost card as the reason."""


def lost_card(person_id: UUID, carriers: Iterable["CarrierView"]) -> list[Function]:
    """Returns the function for a holder who has lost a card, from the functions of each card; empty without a valid card that
    has left the supplier.

    It leads to the revocation of the only card that the actor may revoke, or to the cards, of which the holder knows which.
    """
    cards = (carrier for carrier in carriers if carrier.is_card and carrier.state != CarrierState.ORDERED)
    revocations = [each for card in cards for each in card.functions if each.address == "carrier_revoke"]
    name, allowed = _("Spärra förlorat kort"), [each for each in revocations if each.allowed]
    if len(allowed) == 1:
        return [replace(allowed[0], name=name, query=LOST_CARD_QUERY)]
    if allowed:
        return [Function(name, "person", person_id, query="#kort", place=_PLACES["carrier_revoke"])]
    return [replace(each, name=name) for each in revocations[:1]]


def everything(person_id: UUID, carriers: Iterable[tuple[Iterable[Function], Iterable[Iterable[Function]]]]) -> list[Function]:
    """Returns the function that revokes everything of the person, from the functions of each carrier and of the eIDs on it; empty
    unless the actor may revoke more than one carrier, or eID on a carrier of others.
    """
    ways = 0
    for of_carrier, of_eids in carriers:
        if any(each.allowed for each in of_carrier if each.address == "carrier_revoke"):
            ways += 1
        else:
            ways += sum(each.allowed for functions in of_eids for each in functions if each.address == "eid_revoke")
    return [Function(_("Spärra allt för personen"), "person_revoke", person_id)] if ways > 1 else []


def _why_no_roles(actor: Actor, person: Person) -> str:
    if policy.is_own_matter(actor, Action.ASSIGN_ROLE, person.id):
        return _("Du kan inte ändra dina egna roller. Be din utgivare.")
    return "" if getattr(person, f"may_{Action.ASSIGN_ROLE}") else no_right()


def _why_no_order(actor: Actor, right: Action, person: Person, posts: list[Post]) -> str:
    if not policy.holds(actor, right):
        return dormant(actor, right) or no_right()
    if policy.is_own_matter(actor, right, person.id):
        return own_matter()
    if person.deceased:
        return _("Personen är avliden enligt personregistret.")
    if not posts:
        return _("Personen har inget aktuellt uppdrag i din organisation.")
    if not any(getattr(post, f"may_{right}") for post in posts):
        return _("Din roll gäller inte i den organisation där personen har sitt uppdrag.")
    return ""


def of_carrier(
    actor: Actor, carrier: Carrier, order: CardOrder | None, *, may_remove: bool, revocation_waits: bool
) -> list[Function]:
    """Returns the functions of a carrier annotated with the rights of `carrier_rights` and with its `document_stop`."""
    found = []
    state = CarrierState(carrier.state)
    for function, rule in (kinds.kind_of(carrier.kind).functions or {}).items():
        if state in rule.states:
            address, why_off = _OF_CARRIER[function]
            link = Function(_(rule.label_in(state)), address, carrier.id, post=function is kinds.Function.REPLACE)
            found.append(_unless_stopped(unless(link, why_off(actor, carrier, rule, revocation_waits)), carrier))
    if carrier.state == CarrierState.ORDERED and order is not None:
        remove = Function(_("Ta bort beställning"), "order_cancel", order.id)
        found.append(unless(remove, _why_not_removed(order, may_remove=may_remove)))
    found.append(unless(Function(_("Visa elektronisk kvittens"), "receipt", carrier.id), _why_no_receipt(carrier)))
    found.append(Function(_("Historik"), "carrier_history", carrier.id))
    return found


def remake(order: CardOrder) -> Function | None:
    """Returns the function that has the returned card of an order made again, if the actor may change the order; `order` is
    annotated with that right.
    """
    may_change = getattr(order, f"may_{Action.REMOVE_ORDER}")
    return Function(_("Gör om kortet"), "order_remake", order.id) if may_change else None


def of_eid(eid: Eid) -> list[Function]:
    """Returns the functions of an eID annotated with the right to revoke it."""
    found = []
    if eid.state in (EidState.ORDERED, EidState.ACTIVE):
        found.append(unless(Function(_("Spärra SITHS eID"), "eid_revoke", eid.id), why_no_right(eid, Action.REVOKE_EID)))
    return [*found, Function(_("Historik för SITHS eID"), "eid_history", eid.id)]


def _why_not_activated(actor: Actor, carrier: Carrier, rule: kinds.FunctionRule, revocation_waits: bool) -> str:
    if reason := why_no_right(carrier, rule.right):
        return dormant(actor, rule.right) or reason
    if policy.is_own_matter(actor, rule.right, carrier.holder_id):
        return own_matter()
    if reason := rule.reason_in(CarrierState(carrier.state)):
        return _(reason)
    return _("En spärr väntar på beslut. Avslås den kan kortet aktiveras.") if revocation_waits else ""


def _why_not_unlocked(actor: Actor, carrier: Carrier, rule: kinds.FunctionRule, revocation_waits: bool) -> str:
    """Why the card is not unlocked at a visit, or by letter. The PUK of an earlier portal's card is not in this one."""
    if reason := why_no_right(carrier, rule.right):
        return dormant(actor, rule.right) or reason
    if policy.is_own_matter(actor, rule.right, carrier.holder_id):
        return own_matter()
    if carrier.puk_secret_id is None:
        return _("Portalen har inte kortets upplåsningskod (PUK).")
    return _("En spärr väntar på beslut. Avslås den kan kortet låsas upp.") if revocation_waits else ""


def _why_no_letter(actor: Actor, carrier: Carrier, rule: kinds.FunctionRule, revocation_waits: bool) -> str:
    if reason := _why_not_unlocked(actor, carrier, rule, revocation_waits):
        return reason
    return _("Ett PUK-brev är redan beställt.") if carrier.letter_under_way else ""  # type: ignore[attr-defined]


def _why_not_revoked(_actor: Actor, carrier: Carrier, rule: kinds.FunctionRule, _revocation_waits: bool) -> str:
    return why_no_right(carrier, rule.right)


def _why_not_replaced(actor: Actor, carrier: Carrier, rule: kinds.FunctionRule, _revocation_waits: bool) -> str:
    if reason := why_no_right(carrier, rule.right):
        return reason
    order = kinds.kind_of(carrier.kind).rule(kinds.Function.ORDER)
    if order is None or not policy.holds(actor, order.right):
        return (dormant(actor, order.right) if order else "") or no_right()
    if policy.is_own_matter(actor, order.right, carrier.holder_id):
        return own_matter()
    return _("Ett nytt kort är redan beställt i stället för det här.") if carrier.is_being_replaced else ""  # type: ignore[attr-defined]


_OF_CARRIER = {
    kinds.Function.ACTIVATE: ("activate", _why_not_activated),
    kinds.Function.UNLOCK: ("unlock", _why_not_unlocked),
    kinds.Function.ORDER_PUK_LETTER: ("puk_letter", _why_no_letter),
    kinds.Function.REVOKE: ("carrier_revoke", _why_not_revoked),
    kinds.Function.REPLACE: ("carrier_replace", _why_not_replaced),
}
"""For each function of a carrier: its URL name, and the function that explains why it is off."""

_VISITS = frozenset({"activate", "unlock"})
"""The functions that a suspected or false document stops (rules/issuance 5.9)."""


def _unless_stopped(function: Function, carrier: Carrier) -> Function:
    stop: str | None = carrier.document_stop  # type: ignore[attr-defined]
    if not stop or not function.allowed or function.address not in _VISITS:
        return function
    return replace(function, allowed=False, reason=_(suspicions.STOPS[stop]), stop=stop)


def _why_not_removed(order: CardOrder, *, may_remove: bool) -> str:
    if not may_remove:
        return no_right()
    if order.state != OrderState.QUEUED:
        return _("Kortleverantören har tagit emot beställningen. Spärra kortet i stället.")
    return ""


def _why_no_receipt(carrier: Carrier) -> str:
    if reason := why_no_right(carrier, Action.VIEW_RECEIPT):
        return reason
    if carrier.receipt_id is not None:
        return ""
    if carrier.origin == "migrated":
        return _("Kortet är från den tidigare portalen. Kvittensen finns i den portalens arkiv.")
    if carrier.state in carrier_states.INVALID:
        return _("Kortet kvitterades aldrig.")
    if kinds.kind_of(carrier.kind).active_on_delivery:
        return _("Testkort är aktiva vid leveransen och kvitteras inte.")
    return _("Kvittensen finns när innehavaren har skrivit under vid aktiveringen.")


def why_no_right(row: Carrier | Eid, action: Action) -> str:
    """Returns why the actor may not do `action` to a row that is annotated with its rights, or an empty text."""
    return "" if getattr(row, f"may_{action}") else no_right()


def no_right() -> str:
    """Returns the reason that no role of the actor allows the function here."""
    return _("Din behörighetsroll tillåter inte åtgärden här.")


def dormant(actor: Actor, action: Action) -> str:
    """Returns the reason that the actor's training or person check is overdue, or an empty text."""
    return _(policy.OVERDUE) if policy.is_dormant(actor, action) else ""


def own_matter() -> str:
    """Returns the reason that nobody does this for themself."""
    return _("Du kan inte göra det här för dig själv. Be en annan ID-administratör.")


def unless(function: Function, reason: str) -> Function:
    """Returns the function, off for `reason` unless that is empty."""
    return replace(function, allowed=not reason, reason=reason)
