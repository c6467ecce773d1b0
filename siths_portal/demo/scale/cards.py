"""Two cards for each person, made before this portal: an earlier one that has ended, and a present one in any state.

Only the present card has certificates. They are serials without certificate bytes (CA `demo-bulk`).
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from uuid import UUID

from django.db import connection

from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.domain.kinds import HSA_PROFILES, PERSON_ID_PROFILES
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.orders.domain.items import CARD, ItemState
from issuance.orders.domain.order_states import OrderState
from issuance.orders.domain.puk_states import PukState
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.records.models.events import Event
from issuance.revocation.domain import RFC_5280, RevocationReason
from pki import service as pki
from siths_portal.demo.history import BULK_CA
from siths_portal.demo.logotypes import SUPPLIER
from siths_portal.demo.scale.ids import Dice, place_id, row_id
from siths_portal.demo.scale.people import EVENT, Loaded, Placed
from siths_portal.demo.scale.tree import customisation_number, organisation_id
from siths_portal.lib.database import bulk

DAY = dt.timedelta(days=1)
YEAR = dt.timedelta(days=365)
ACTOR = "system:migration"

_CARRIER = (
    "id", "state", "seq", "person_id", "organisation_id", "article_id", "card_serial", "mifare_id", "valid_from", "valid_to",
    "sent_at", "code_set_at", "activated_at", "ended_at", "revocation_reason", "created_at",
)  # fmt: skip
_EID = (
    "id", "state", "seq", "carrier_id", "post_id", "organisation_id", "hsa_id", "mail", "upn", "title", "valid_from",
    "valid_to", "activated_at", "ended_at", "revocation_reason", "created_at",
)  # fmt: skip
_ORDER = (
    "id", "state", "person_id", "organisation_id", "article_id", "office_id", "customisation_id", "supplier_ref",
    "ordered_by_ref", "idempotency_key", "content_sha256", "ordered_at", "accepted_at", "produced_at", "sent_at", "sent_on",
)  # fmt: skip
_ITEM = ("order_id", "number", "kind", "carrier_id", "eid_id", "state", "sent_on", "puk", "dispatched_at")
_CERTIFICATE = ("certificate_id", "carrier_id", "eid_id", "profile")

_STATES = (
    (880, CarrierState.ACTIVE),
    (900, CarrierState.ORDERED),
    (930, CarrierState.SENT),
    (935, CarrierState.ACTIVATED_UNSIGNED),
    (975, CarrierState.REVOKED),
    (1000, CarrierState.EXPIRED),
)
"""The distribution of the present card's state: upper limits in thousandths."""

_WAITING = frozenset({CarrierState.ORDERED, CarrierState.SENT, CarrierState.ACTIVATED_UNSIGNED})
_CERTIFIED = frozenset({CarrierState.ACTIVE, CarrierState.SENT, CarrierState.ACTIVATED_UNSIGNED, CarrierState.REVOKED})
_UNDERWAY = (OrderState.ACCEPTED, OrderState.IN_PRODUCTION, OrderState.PRODUCED)
_ARTICLES = ("631", "610", "677", "631-REK", "589", "689")
_REASONS = (RevocationReason.LOST_OR_STOLEN, RevocationReason.ASSIGNMENT_ENDED, RevocationReason.REPLACED)


@dataclass(frozen=True)
class Card:
    """A card. Times that have not occurred are None."""

    id: str
    serial: str
    state: CarrierState
    article: str
    made_at: dt.datetime
    years: int
    sent_at: dt.datetime | None = None
    code_set_at: dt.datetime | None = None
    activated_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    reason: str = ""

    @property
    def valid_to(self) -> dt.datetime:
        """The end of the card's validity."""
        return self.made_at + self.years * YEAR

    @property
    def eid_state(self) -> EidState:
        """The state of its eIDs."""
        return EidState.ORDERED if self.state in _WAITING else EidState(self.state.value)

    @property
    def eid_validity(self) -> tuple[dt.datetime | None, dt.datetime | None]:
        """The validity of its eIDs: two years, never past the card (rules/issuance 3.5). None if it has no certificates."""
        if self.state in (CarrierState.ORDERED, CarrierState.CANCELLED):
            return None, None
        return self.made_at, min(self.made_at + 2 * YEAR, self.valid_to)


@dataclass
class _Rows:
    """Rows of one batch of people, by table. `certified` pairs the input of `pki` with the columns of CarrierCertificate."""

    carriers: list[Any] = field(default_factory=list)
    eids: list[Any] = field(default_factory=list)
    orders: list[Any] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    certified: list[tuple[pki.SerialOnly, tuple[str, str | None, str]]] = field(default_factory=list)


@lru_cache(maxsize=10_000)
def _stamp(moment: dt.datetime | None) -> str | None:
    """Returns the time in COPY's format. Cached, since cards' times are whole days before now and so often repeat."""
    return None if moment is None else moment.isoformat()


def write_cards(people: Iterable[Loaded], now: dt.datetime) -> None:
    """Inserts the cards of these people, with their eIDs, orders, certificates and events, in the caller's transaction."""
    rows = _Rows()
    for one in people:
        _add(rows, one, _earlier(one, now), now.isoformat(), certified=False)
        card = _present(one, now)
        _add(rows, one, card, now.isoformat(), certified=card.state in _CERTIFIED)
    bulk.insert_values(Carrier, _CARRIER, rows.carriers, like=Carrier(origin="migrated"))
    bulk.insert_values(Eid, _EID, rows.eids, like=Eid())
    bulk.insert_values(CardOrder, _ORDER, rows.orders, like=CardOrder())
    bulk.insert_values(OrderItem, _ITEM, rows.items, like=OrderItem())
    bulk.insert_values(Event, EVENT, rows.events, like=Event())
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    # Revoked ones last: they lock the CA's row until the end of the transaction, and other processes wait for it.
    for revoked in (False, True):
        chosen = [each for each in rows.certified if (each[0].revoked_at is not None) is revoked]
        ids = pki.plan_serial_only((row for row, _ in chosen), ca=BULK_CA, actor_ref=ACTOR)
        kept = ((id_, *ours) for id_, (_, ours) in zip(ids, chosen, strict=True))
        bulk.insert_values(CarrierCertificate, _CERTIFICATE, kept, like=CarrierCertificate())


def _earlier(one: Loaded, now: dt.datetime) -> Card:
    """Returns the person's earlier card, five to six years old."""
    dice = Dice(f"earlier:{one.index}")
    id_, article = row_id("earlier", one.index), _ARTICLES[dice.roll(len(_ARTICLES))]
    made, lot = now - 5 * YEAR - dice.roll(365) * DAY, dice.roll(100)
    if lot < 5:
        return Card(id_, "", CarrierState.CANCELLED, article, made, 4, ended_at=made + DAY)
    serial, activated = f"975280{one.index:013}", made + 14 * DAY
    if lot < 15:
        reason = _REASONS[dice.roll(len(_REASONS))].value
        ended = made + (30 + dice.roll(1200)) * DAY
        return Card(id_, serial, CarrierState.REVOKED, article, made, 4, made + 2 * DAY, activated, activated, ended, reason)
    return Card(id_, serial, CarrierState.EXPIRED, article, made, 4, made + 2 * DAY, activated, activated, made + 4 * YEAR)


def _present(one: Loaded, now: dt.datetime) -> Card:
    """Returns the person's present card. It waits for less than the time limits, and was not sent in an unbilled month."""
    dice = Dice(f"present:{one.index}")
    id_, article = row_id("present", one.index), _ARTICLES[dice.roll(len(_ARTICLES))]
    lot = dice.roll(1000)
    state = next(state for end, state in _STATES if lot < end)
    serial = f"975281{one.index:013}"
    ago = dice.roll(60) * DAY
    if state is CarrierState.ORDERED:
        return Card(id_, "", state, article, now - dice.roll(10) * DAY, 4)
    if state is CarrierState.SENT:
        return Card(id_, serial, state, article, now - ago - 2 * DAY, 4, now - ago)
    if state is CarrierState.ACTIVATED_UNSIGNED:
        return Card(id_, serial, state, article, now - ago - 2 * DAY, 4, now - ago, now - dice.roll(3) * DAY)
    made = now - (105 + dice.roll(615)) * DAY
    if state is CarrierState.EXPIRED:
        made -= 1400 * DAY
    activated = made + 14 * DAY
    if state is CarrierState.REVOKED:
        reason = _REASONS[dice.roll(len(_REASONS))].value
        return Card(id_, serial, state, article, made, 4, made + 2 * DAY, activated, activated, now - ago, reason)
    ended = made + 4 * YEAR if state is CarrierState.EXPIRED else None
    return Card(id_, serial, state, article, made, 4, made + 2 * DAY, activated, activated, ended)


def _add(rows: _Rows, one: Loaded, card: Card, now: str, *, certified: bool) -> None:
    first = one.posts[0]
    rows.carriers.append((
        card.id, card.state.value, 1, one.id, organisation_id(first.place), card.article, card.serial, card.serial[-10:],
        *map(_stamp, (card.made_at, card.valid_to, card.sent_at, card.code_set_at, card.activated_at, card.ended_at)),
        card.reason, now,
    ))  # fmt: skip
    facts = {"from": None, "to": card.state.value, "card_serial": card.serial, "person": one.id}
    rows.events.append((now, ACTOR, "carrier.migrated", "carrier", card.id, 1, facts))
    # A second assignment has an eID on the present card only.
    posts = one.posts if certified else one.posts[:1]
    eids = [_add_eid(rows, card, post, row_id(f"eid {card.id} {number}", one.index), now) for number, post in enumerate(posts)]
    _add_order(rows, one, card, eids[0])
    if certified:
        pairs: list[tuple[str | None, str, Placed]] = [
            (eid, profile, post) for eid, post in zip(eids, posts, strict=True) for profile in HSA_PROFILES
        ]
        pairs += [(None, profile, first) for profile in PERSON_ID_PROFILES]
        rows.certified += _certificates(one, card, pairs)


def _add_eid(rows: _Rows, card: Card, post: Placed, id_: str, now: str) -> str:
    organisation, (valid_from, valid_to) = organisation_id(post.place), card.eid_validity
    times = map(_stamp, (valid_from, valid_to, card.activated_at, card.ended_at))
    rows.eids.append((
        id_, card.eid_state.value, 1, card.id, post.id, organisation, post.hsa_id, post.mail, post.upn, post.title, *times,
        card.reason, now,
    ))  # fmt: skip
    facts = {"from": None, "to": card.eid_state.value, "hsa_id": post.hsa_id, "carrier": card.id}
    rows.events.append((now, ACTOR, "eid.migrated", "eid", id_, 1, facts))
    return id_


def _add_order(rows: _Rows, one: Loaded, card: Card, eid: str) -> None:
    """Adds the order of an ordered, active or cancelled card. Orders of other cards are not kept."""
    made, index = card.made_at, one.index
    accepted, produced, sent = made, made + DAY, made + 2 * DAY
    times: tuple[dt.datetime | None, ...]
    if card.state is CarrierState.ORDERED:
        state = _UNDERWAY[index % len(_UNDERWAY)]
        times = (accepted, produced if state is OrderState.PRODUCED else None, None)
    elif card.state is CarrierState.ACTIVE:
        state, times = OrderState.SENT, (accepted, produced, sent)
    elif card.state is CarrierState.CANCELLED:
        state, times = OrderState.CANCELLED, (None, None, None)
    else:
        return
    place, key = one.posts[0].place, f"demo-scale-{card.id}"
    order_id = row_id(f"order {card.id}", index)
    sent_on = times[2].date() if times[2] else None
    item = ItemState.WAITING if state is OrderState.ACCEPTED else ItemState(state.value)
    puk = PukState.NONE.value if times[1] else ""
    rows.items.append((order_id, 1, CARD.code, card.id, eid, item.value, sent_on, puk, _stamp(times[2])))
    rows.orders.append((
        order_id, state.value, one.id, organisation_id(place), card.article,
        place_id("office", place.offices[index % len(place.offices)]), place_id("customisation", customisation_number(place)),
        SUPPLIER, ACTOR, key, "", _stamp(made - DAY), *map(_stamp, times), sent_on,
    ))  # fmt: skip


def _certificates(
    one: Loaded, card: Card, pairs: list[tuple[str | None, str, Placed]]
) -> Iterator[tuple[pki.SerialOnly, tuple[str, str | None, str]]]:
    valid_from, valid_to = card.eid_validity
    if valid_from is None or valid_to is None:
        return
    ref = carrier_ref(UUID(card.id))
    revoked = {"revoked_at": card.ended_at, "reason": RFC_5280[RevocationReason(card.reason)]} if card.reason else {}
    for number, (eid, profile, post) in enumerate(pairs):
        row = pki.SerialOnly(
            serial="01" + blake2b(f"{card.serial}:{number}".encode(), digest_size=15).hexdigest().upper(),
            not_before=valid_from,
            not_after=valid_to,
            subject_ref=f"person:{one.id}",
            carrier_ref=ref,
            unit_ref=f"organisation:{organisation_id(post.place)}",
            **revoked,  # type: ignore[arg-type]
        )
        yield row, (card.id, eid, profile)
