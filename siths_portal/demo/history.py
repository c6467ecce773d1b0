"""Loads a past month through the normal services, with the clock set to that time.

An earlier CA certified the cards of that time; the portal has only the serials of its certificates (CA `demo-bulk`).
"""

import datetime as dt
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import cycle, islice

from django.db.models import QuerySet

from billing.records.domain.periods import Month
from issuance.authz import Action, Actor, Role, system
from issuance.carriers.domain.kinds import CARD_PROFILES
from issuance.carriers.models import Carrier
from issuance.imports.services import migration
from issuance.offices.models import Office
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import ordering
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Post
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services.actors import actor_of_person
from issuance.suppliers.domain import Failed, Produced, Returned, Sent, SupplierReport
from issuance.suppliers.services import supplier_events, supplier_intake
from siths_portal.demo.cases import without_special
from siths_portal.demo.places import PLACES, Place
from siths_portal.lib import clock
from siths_portal.lib.errors import DomainError

BULK_CA = "demo-bulk"
ORDERS = 40
_ARTICLES = ("631", "689", "631", "631-REK")
_MIGRATED = {"Västra Götalandsregionen": 15, "Borås stad": 25, "Region Stockholm": 15, "Nacka närsjukhus": 5}
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
YEAR = dt.timedelta(days=365)


@dataclass(frozen=True)
class History:
    """The numbers of cards that were sent in the month, and that were in use before it."""

    sent: int
    in_use: int


def load_month(month: Month, say: Callable[[str], None]) -> History:
    """Adds the demo's cards in use, and `ORDERS` cards ordered and sent in `month`. A repeated call adds only missing ones.

    Orders read the directory and the person register live. Raises the services' errors; a repeated call then continues.
    """
    in_use = _cards_in_use(month)
    say(f"{in_use} kort i bruk sedan tidigare")
    sent = 0
    for number, place in enumerate(islice(cycle(PLACES), ORDERS)):
        sent += _card_of_the_month(month, number, place)
    say(f"{sent} kort skickade i {month}")
    return History(sent, in_use)


def _cards_in_use(month: Month) -> int:
    """Registers cards from before the portal that are active at the month's beginning. Returns the number of migrated cards."""
    cards: list[migration.MigratedCard] = []
    number = 0
    for place in PLACES:
        indexes = range(number, number + _MIGRATED.get(place.name, 0))
        number = indexes.stop
        serials = {f"9752{index:015}": index for index in indexes}
        known = set(Carrier.objects.filter(card_serial__in=serials).values_list("card_serial", flat=True))
        missing = {serial: index for serial, index in serials.items() if serial not in known}
        posts = without_card(Post.objects.filter(organisation__hsa_id=place.hsa_id))[: len(missing)]
        pairs = zip(posts, missing.items(), strict=False)
        cards += [_card_in_use(post, serial, month.start - (30 + 7 * index) * DAY) for post, (serial, index) in pairs]
    with clock.moved_to(month.start):
        migration.register_migrated_cards(actor=system("migration"), cards=cards, ca=BULK_CA)
    return Carrier.objects.filter(origin="migrated").count()


def _card_in_use(post: Post, serial: str, activated_at: dt.datetime) -> migration.MigratedCard:
    made_at = activated_at - 14 * DAY
    return migration.MigratedCard(
        post_id=post.id,
        article_code="631",
        card_serial=serial,
        valid_from=made_at,
        valid_to=made_at + 4 * YEAR,
        eid_valid_from=made_at,
        eid_valid_to=made_at + 2 * YEAR,
        activated_at=activated_at,
        certificate_serials=new_serials(),
        mifare_id=serial[-10:],
    )


def _card_of_the_month(month: Month, number: int, place: Place) -> bool:
    """Orders and dispatches one card within the month. Returns whether it is sent."""
    ordered_at = month.start + (number * 24 // ORDERS) * DAY + 9 * HOUR
    key = f"demo-history-{month.first_day:%Y-%m}-{number:02}"
    order = CardOrder.objects.filter(idempotency_key=key).first()
    if order is None:
        order = _order(place, number, key, ordered_at)
    if order is None:
        return False
    serial, registered = f"9752{month.first_day:%Y%m}{number:09}", _registered_mail_id(order, number)
    return make(order, serial, ordered_at, registered_mail_id=registered)


def make(
    order: CardOrder, serial: str, ordered_at: dt.datetime, *, until: OrderState = OrderState.SENT, registered_mail_id: str = ""
) -> bool:
    """Has the earlier supplier make the ordered card and send it two days after `ordered_at`, or stop when the order is `until`.
    Returns whether it is.
    """
    steps: list[tuple[OrderState, dt.timedelta, Callable[[], object]]] = [
        (OrderState.QUEUED, HOUR, lambda: supplier_intake.accept(client_ref=order.supplier_ref, order_id=order.id)),
        (OrderState.ACCEPTED, DAY, lambda: _bind(order, serial)),
        (OrderState.IN_PRODUCTION, DAY + HOUR, lambda: _report(order, Produced(serial[-10:], no_puk=True))),
        (OrderState.PRODUCED, 2 * DAY, lambda: _report(order, Sent(clock.today(), registered_mail_id))),
    ]
    for state, later, act in steps:
        if order.state == state != until:
            with clock.moved_to(ordered_at + later):
                try:
                    act()
                except DomainError:  # the running supplier has already processed the order
                    return False
            order.refresh_from_db()
    return order.state == until


def _order(place: Place, number: int, key: str, ordered_at: dt.datetime) -> CardOrder | None:
    organisation = Organisation.objects.get(hsa_id=place.hsa_id)
    actor = officer(organisation)
    post = without_card(Post.objects.visible_to(actor, Action.ORDER_ORDINARY_CARD).filter(organisation=organisation)).first()
    if post is None:
        return None
    office = Office.objects.get(office_number=place.offices[number % len(place.offices)])
    with clock.moved_to(ordered_at):
        return ordering.submit_order(
            actor=actor,
            post_id=post.id,
            article_code=_ARTICLES[number % len(_ARTICLES)],
            office_id=office.id,
            idempotency_key=key,
        )


def officer(organisation: Organisation) -> Actor:
    """Returns the organisation's first ID administrator."""
    grants = RoleGrant.objects.filter(role=Role.ID_ADMINISTRATOR.value, organisation=organisation, valid_to=None)
    return actor_of_person(grants.order_by("protected_persons", "id")[0].person_id)


def without_card(posts: QuerySet[Post]) -> QuerySet[Post]:
    """Returns the assignments of people who may get a card and have no card and no role, in a fixed order."""
    return (
        without_special(posts)
        .filter(
            ended_at=None,
            person__deceased=False,
            person__is_protected=False,
            person__identifiers__kind="personnummer",
            person__identifiers__valid_to=None,
            person__carriers=None,
            person__role_grants=None,
        )
        .order_by("hsa_id")
    )


def _bind(order: CardOrder, serial: str) -> None:
    migration.bind_externally_certified_card(
        client_ref=order.supplier_ref, order_id=order.id, card_serial=serial, certificate_serials=new_serials(), ca=BULK_CA
    )


def _report(order: CardOrder, event: SupplierReport) -> None:
    supplier_events.register_event(client_ref=order.supplier_ref, order_id=order.id, event=event)


def report_returned(order: CardOrder) -> None:
    """Has the earlier supplier report that the card came back."""
    _report(order, Returned("not-collected"))


def report_failed(order: CardOrder) -> None:
    """Has the earlier supplier report that the card could not be made."""
    _report(order, Failed("chip-defect"))


def _registered_mail_id(order: CardOrder, number: int) -> str:
    return f"LA00R{number:06}SE" if order.article_id.endswith("-REK") else ""


def new_serials(profiles: Iterable[str] = CARD_PROFILES) -> Mapping[str, str]:
    """Returns random certificate serials of the profiles, in the form of the earlier CA."""
    return {profile: "01" + secrets.token_hex(15).upper() for profile in profiles}
