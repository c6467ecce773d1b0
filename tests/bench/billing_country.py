"""A country to invoice: regions and municipalities that pay, organisations below them, eIDs in use, and cards sent in a month.

All rows go through the constraints, foreign keys and triggers of the tables of `issuance`.
"""

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, batched
from typing import Any
from uuid import UUID

from issuance.articles.models import SubscriptionFee
from issuance.articles.services.articles import register_article
from issuance.carriers.models import Carrier, Eid
from issuance.customisations.models import CardCustomisation
from issuance.offices.models import Office
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.tree import child_path, segment
from issuance.people.models.persons import Person, Post
from issuance.records.domain.ids import luhn_check_digit
from issuance.records.models.events import Event
from siths_portal.demo.places import ARTICLES, FEE_SINCE, SETUP
from siths_portal.demo.scale.ids import Dice, place_id, row_id
from siths_portal.lib.database import bulk

WHOLE = 550_000
"""The subscriptions of Sweden. A smaller country has as much less of everything."""

REGIONS, MUNICIPALITIES, OTHERS, CARDS = 21, 290, 2_000, 40_000
ORDERED = ("631", "610", "677", "631-REK")
PEOPLE_OF_AN_OFFICE = 250
SUPPLIER = "bench-supplier"
_CHUNK = 20_000
_STRIDE = 104_729  # a prime, so that consecutive people get different organisations
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Top:
    """A topmost organisation: `area` is the number of the one that pays, itself for a region or a municipality."""

    number: int
    name: str
    area: int
    share: int

    @property
    def organisation_number(self) -> str:
        """Ten digits with the check digit."""
        nine = f"2990{self.number:05}"
        return nine + luhn_check_digit(nine)


@dataclass(frozen=True)
class Country:
    """So many people with an eID each, and in proportion what else there is."""

    persons: int

    def _part(self, whole: int) -> int:
        return max(2, round(whole * self.persons / WHOLE))

    @property
    def payers(self) -> int:
        """How many organisations get an invoice."""
        return self._part(REGIONS) + self._part(MUNICIPALITIES)

    @property
    def cards(self) -> int:
        """How many cards are sent in a month."""
        return self._part(CARDS)

    @cached_property
    def tops(self) -> list[Top]:
        """The organisations: regions, municipalities, and others below them in turns, more below the large ones."""
        regions = self._part(REGIONS)
        found = [Top(number, f"Region Prov {number + 1}", number, 60_000 // (1 + number // 2)) for number in range(regions)]
        for index in range(self._part(MUNICIPALITIES)):
            found.append(Top(len(found), f"Provkommun {index + 1}", len(found), 1_600 // (1 + index // 40)))
        for index in range(self._part(OTHERS)):
            area = index % len(found[: self.payers]) if index % 3 else index // 3 % regions
            found.append(Top(len(found), f"Provvård {index + 1} AB", area, 35))
        return found

    @cached_property
    def offices(self) -> list[range]:
        """The numbers of the offices of each payer."""
        total, first, found = sum(top.share for top in self.tops), 0, []
        for top in self.tops[: self.payers]:
            count = max(2, round(top.share * self.persons / total / PEOPLE_OF_AN_OFFICE))
            found.append(range(first, first + count))
            first += count
        return found

    def top_of(self, person: int) -> Top:
        """The organisation of a person."""
        ends = self._ends
        return self.tops[bisect_right(ends, person * _STRIDE % ends[-1])]

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(top.share for top in self.tops))

    # --- rows ---------------------------------------------------------------------------------------------------------

    @staticmethod
    def register_articles() -> None:
        """The articles of the demo."""
        for article in ARTICLES:
            register_article(actor=SETUP, article=article)

    def insert(self, since: dt.datetime) -> None:
        """The organisations and offices, and the people, whose eIDs are valid from `since` on for two years."""
        self._insert_places(since)
        for numbers in batched(range(self.persons), _CHUNK, strict=False):
            self._insert_people(numbers, since)

    def _insert_places(self, now: dt.datetime) -> None:
        areas = [self._area(top, now) for top in self.tops[: self.payers]]
        organisations = [self._organisation(top, areas[top.area], now) for top in self.tops]
        bulk.insert(areas)
        bulk.insert(organisations)
        for area, row in zip(areas, organisations, strict=False):
            area.issuing_organisation = row
        IssuingArea.objects.bulk_update(areas, ["issuing_organisation"])
        bulk.insert(SubscriptionFee(organisation=row, charged=True, valid_from=FEE_SINCE) for row in organisations)
        bulk.insert(self._office(number, area) for area, numbers in enumerate(self.offices) for number in numbers)
        bulk.insert(
            [
                CardCustomisation(
                    id=place_id("customisation", 0), customisation_id="7830000000", name="Prov", issuer_number="2000",
                    back_text="Upphittat kort", supplier_ref=SUPPLIER, verified_at=now, verified_by_ref=SETUP.ref,
                )
            ]
        )  # fmt: skip

    def _area(self, top: Top, now: dt.datetime) -> IssuingArea:
        id_ = UUID(place_id("area", top.number))
        path = f"/{segment('a', id_)}/"
        return IssuingArea(id=id_, name=top.name, invoice_reference=f"93{top.number:05}", scope_path=path, created_at=now)

    def _organisation(self, top: Top, area: IssuingArea, now: dt.datetime) -> Organisation:
        row = Organisation(
            id=UUID(place_id("organisation", top.number)), area=area, hsa_id=f"TST{top.organisation_number}-1000",
            organisation_number=top.organisation_number, name=top.name, created_at=now,
        )  # fmt: skip
        row.scope_path = child_path(area, row)
        return row

    def _office(self, number: int, area: int) -> Office:
        return Office(
            id=place_id("office", number), area_id=place_id("area", area), office_number=f"558{number:07}",
            name=f"Kortkontor {number + 1}", invoice_comment=f"Kontor {number + 1}",
        )  # fmt: skip

    def _insert_people(self, numbers: tuple[int, ...], since: dt.datetime) -> None:
        stamp, ends = since.isoformat(), (since + 730 * _DAY).isoformat()
        rows: dict[Any, list[Any]] = {Person: [], Post: [], Carrier: [], Eid: []}
        for number in numbers:
            place, name = place_id("organisation", self.top_of(number).number), f"Provsson{number % 997}"
            person, post, carrier, hsa_id = row_id("person", number), row_id("post", number), row_id("card", number), _hsa(number)
            rows[Person].append((person, "Prov", "Prov", name, f"{name} Prov", True, stamp))
            rows[Post].append((post, hsa_id, person, place, stamp))
            card = (carrier, "active", 1, person, place, ORDERED[0], f"975281{number:013}", stamp, ends, stamp, stamp)
            rows[Carrier].append(card)
            rows[Eid].append((row_id("eid", number), "active", 1, carrier, post, place, hsa_id, stamp, ends, stamp, stamp))
        bulk.insert_values(Person, _PERSON, rows[Person], like=Person())
        bulk.insert_values(Post, _POST, rows[Post], like=Post())
        bulk.insert_values(Carrier, _CARRIER, rows[Carrier], like=Carrier(origin="migrated"))
        bulk.insert_values(Eid, _EID, rows[Eid], like=Eid())

    def insert_sent(self, month: int, start: dt.datetime, days: int) -> None:
        """The month's sent cards: each a new card of one of the people, ordered at an office of the payer, with its event."""
        for numbers in batched(range(self.cards), _CHUNK, strict=False):
            sent = list(self._sent(numbers, month, start, days))
            bulk.insert_values(Carrier, _CARRIER[:-1], [each[0] for each in sent], like=Carrier(origin="migrated"))
            bulk.insert_values(Eid, _EID_ORDERED, [each[1] for each in sent], like=Eid())
            bulk.insert_values(CardOrder, _ORDER, [each[2] for each in sent], like=CardOrder())
            bulk.insert_values(OrderItem, _ITEM, [each[3] for each in sent], like=OrderItem())
            bulk.insert_values(Event, _EVENT, [each[4] for each in sent], like=Event())

    def _sent(self, numbers: tuple[int, ...], month: int, start: dt.datetime, days: int) -> Iterator[tuple[Any, ...]]:
        for number in numbers:
            key = month * CARDS + number
            dice, person = Dice(f"sent:{key}"), number * 13 % self.persons
            top = self.top_of(person)
            sent_at = start + dt.timedelta(seconds=dice.roll(days * 86_400 - 1))
            offices = self.offices[top.area]
            office, article = place_id("office", offices[dice.roll(len(offices))]), ORDERED[dice.roll(len(ORDERED))]
            at, made, ordered = (moment.isoformat() for moment in (sent_at, sent_at - _DAY, sent_at - 3 * _DAY))
            ends, place = (sent_at + 1400 * _DAY).isoformat(), place_id("organisation", top.number)
            carrier, eid, order = (row_id(f"sent {kind}", key) for kind in ("card", "eid", "order"))
            holder = row_id("person", person)
            yield (
                (carrier, "sent", 1, holder, place, article, f"97528{month % 10}9{key:012}", made, ends, ordered),
                (eid, "ordered", 1, carrier, row_id("post", person), place, _hsa(person), ordered),
                (
                    order, "sent", holder, place, article, office, place_id("customisation", 0), SUPPLIER, SETUP.ref,
                    f"bench-{key}", ordered, ordered, made, at, sent_at.date(),
                ),
                (order, 1, "card", carrier, eid, "sent", sent_at.date(), "none", at),
                (at, f"client:{SUPPLIER}", "order.sent", "order", order, 5, {}),
            )  # fmt: skip


def _hsa(person: int) -> str:
    return f"TST2990000000-P{person:07}"


_PERSON = ("id", "given_names", "given_name_in_use", "surname", "sort_name", "synthetic", "created_at")
_POST = ("id", "hsa_id", "person_id", "organisation_id", "synced_at")
_CARRIER = (
    "id", "state", "seq", "person_id", "organisation_id", "article_id", "card_serial", "valid_from", "valid_to", "created_at",
    "activated_at",
)  # fmt: skip
_EID_ORDERED = ("id", "state", "seq", "carrier_id", "post_id", "organisation_id", "hsa_id", "created_at")
_EID = (*_EID_ORDERED[:-1], "valid_from", "valid_to", "created_at", "activated_at")
_ORDER = (
    "id", "state", "person_id", "organisation_id", "article_id", "office_id", "customisation_id", "supplier_ref",
    "ordered_by_ref", "idempotency_key", "ordered_at", "accepted_at", "produced_at", "sent_at", "sent_on",
)  # fmt: skip
_ITEM = ("order_id", "number", "kind", "carrier_id", "eid_id", "state", "sent_on", "puk", "dispatched_at")
_EVENT = ("at", "actor_ref", "action", "subject_type", "subject_ref", "subject_seq", "facts")
