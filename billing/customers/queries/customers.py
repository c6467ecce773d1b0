"""Customers as finance administrators see them: the list of all, one with its history, and what waits for a decision."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from billing.customers.models import BillingCustomer, CustomerState, EndpointChange
from billing.customers.queries.readiness import OBSTACLES
from billing.customers.services.customers import LABELS
from billing.records.domain import identifiers
from issuance import service as issuance
from issuance.authz import Action, Actor, policy
from siths_portal.lib.ordering import swedish_key

ACTION = Action.MANAGE_BILLING


class Standing(StrEnum):
    """What a customer is to billing, as the list filters it. Values are in URLs."""

    MISSING = "saknas"
    PENDING = "vantar"
    ACTIVE = "aktiv"
    ENDED = "avslutad"
    REQUESTED = "begaran"
    UNREFERENCED = "referens"


STANDINGS = {
    Standing.ACTIVE: "Aktiv",
    Standing.PENDING: "Väntar på attest",
    Standing.MISSING: "Kunduppgifter saknas",
    Standing.UNREFERENCED: "Referens saknas",
    Standing.REQUESTED: "Ny e-adress väntar på beslut",
    Standing.ENDED: "Avslutad",
}
_OF_STATE = {
    CustomerState.ACTIVE: Standing.ACTIVE,
    CustomerState.PENDING: Standing.PENDING,
    CustomerState.ENDED: Standing.ENDED,
}


@dataclass(frozen=True)
class CustomerRow:
    """A customer of the list, or a directly connected organisation without customer data."""

    id: UUID
    name: str
    organisation_number: str
    standing: Standing
    reference: str = ""
    endpoint: str = ""
    contact: str = ""
    confirmed_at: dt.datetime | None = None
    changed_at: dt.datetime | None = None

    @property
    def standing_text(self) -> str:
        """The status in words."""
        return STANDINGS[self.standing]


def rows(actor: Actor) -> list[CustomerRow]:
    """Returns customers and directly connected organisations without customer data, by name. Raises Forbidden."""
    policy.require_global(actor, ACTION)
    return sorted(_rows(), key=lambda row: (swedish_key(row.name), str(row.id)))


def _rows() -> Iterator[CustomerRow]:
    requested = set(EndpointChange.objects.filter(decided_at=None).values_list("party_id", flat=True))
    known = set()
    for version in BillingCustomer.objects.filter(valid_until=None).select_related("confirmation"):
        known.add(version.party_id)
        confirmation = getattr(version, "confirmation", None)
        standing = _OF_STATE[CustomerState(version.state)]
        if standing == Standing.ACTIVE and not version.has_reference:
            standing = Standing.UNREFERENCED
        yield CustomerRow(
            id=version.party_id,
            name=version.name,
            organisation_number=identifiers.organisation_number_printed(version.organisation_number),
            standing=Standing.REQUESTED if version.party_id in requested and standing == Standing.ACTIVE else standing,
            reference=version.buyer_reference or version.order_number,
            endpoint=endpoint_text(version.endpoint_scheme, version.endpoint_id),
            contact=version.contact_name,
            confirmed_at=confirmation.confirmed_at if confirmation else None,
            changed_at=version.valid_from,
        )
    for party in issuance.billing_parties():
        if party.id not in known:
            known.add(party.id)
            printed = identifiers.organisation_number_printed(identifiers.organisation_number_plain(party.organisation_number))
            yield CustomerRow(party.id, party.name, printed, Standing.MISSING)


def endpoint_text(scheme: str, identifier: str) -> str:
    """Returns an electronic address as people write it."""
    return f"{scheme}:{identifier}"


@dataclass(frozen=True)
class HistoryRow:
    """A version of a customer: from when, and what it changed, as sentences."""

    id: UUID
    valid_from: dt.datetime
    state: str
    changes: tuple[str, ...]
    confirmed_at: dt.datetime | None


@dataclass(frozen=True)
class CustomerView:
    """One customer. `current` is None for a directly connected organisation without customer data."""

    party_id: UUID
    name: str
    party: issuance.BillingParty | None
    current: BillingCustomer | None
    confirmed_at: dt.datetime | None
    waiting: EndpointChange | None
    obstacles: tuple[str, ...]
    history: tuple[HistoryRow, ...]

    @property
    def ended(self) -> bool:
        """Whether the customer has ended."""
        return self.current is not None and self.current.state == CustomerState.ENDED


def view(actor: Actor, party_id: UUID) -> CustomerView:
    """Returns a customer. Raises Forbidden, and NotFound if it is neither a customer nor directly connected."""
    policy.require_global(actor, ACTION)
    versions = list(BillingCustomer.objects.filter(party_id=party_id).select_related("confirmation").order_by("-valid_from"))
    party = next((each for each in issuance.billing_parties() if each.id == party_id), None)
    if not versions and party is None:
        raise policy.not_found()
    current = versions[0] if versions else None
    confirmation = getattr(current, "confirmation", None)
    ended = current is not None and current.state == CustomerState.ENDED
    return CustomerView(
        party_id=party_id,
        name=current.name if current else party.name if party else "",
        party=party,
        current=current,
        confirmed_at=confirmation.confirmed_at if confirmation else None,
        waiting=EndpointChange.objects.filter(party_id=party_id, decided_at=None).first(),
        obstacles=() if ended else tuple(OBSTACLES.get()(party_id)),
        history=tuple(_history(versions)),
    )


def _history(versions: Sequence[BillingCustomer]) -> Iterator[HistoryRow]:
    """Yields the versions, given from the newest."""
    for version, before in zip(versions, [*versions[1:], None], strict=False):
        confirmation = getattr(version, "confirmation", None)
        yield HistoryRow(
            id=version.pk,
            valid_from=version.valid_from,
            state=CustomerState(version.state).label,
            changes=tuple(_changes(version, before)) if before else ("Kunden registrerades.",),
            confirmed_at=confirmation.confirmed_at if confirmation else None,
        )


def _changes(version: BillingCustomer, before: BillingCustomer) -> Iterable[str]:
    labels = {**LABELS, "round_to_krona": "Öresavrundningen", "state": "Statusen"}
    for name, label in labels.items():
        old, new = getattr(before, name), getattr(version, name)
        if old != new:
            yield f"{label}: {_word(name, old)} → {_word(name, new)}"


def _word(name: str, value: Any) -> str:
    if name == "state":
        return CustomerState(value).label
    if isinstance(value, bool):
        return "Ja" if value else "Nej"
    return str(value) if value not in (None, "") else "tomt"


def requests_waiting() -> list[tuple[EndpointChange, str]]:
    """Returns each undecided request with the customer's name. The caller has checked the actor's right."""
    waiting = list(EndpointChange.objects.filter(decided_at=None).order_by("requested_at"))
    current = BillingCustomer.objects.filter(valid_until=None, party_id__in=[each.party_id for each in waiting])
    named = dict(current.values_list("party_id", "name"))
    return [(each, named.get(each.party_id, "")) for each in waiting]
