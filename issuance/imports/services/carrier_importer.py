"""The import of cards from an earlier portal, with their holders, eIDs and certificates (rules/issuance 7.12)."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from issuance.authz import Action, Actor, policy
from issuance.carriers.domain import carrier_states
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.domain.kinds import of_article
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.imports.domain import CARRIER_TABLES, CardStatus
from issuance.imports.models import CarrierImport
from issuance.imports.services import migration, plan_carriers
from issuance.imports.services.carrier_rows import CardCells, CarrierChange, CarrierPlan, EidChange
from issuance.orders.services.ordering import eid_of_post
from issuance.records.models.events import Event
from issuance.records.services import uploads
from siths_portal.lib import clock
from siths_portal.lib.database.locks import lock_until_commit
from siths_portal.lib.errors import NotFound
from siths_portal.lib.imports.importer import Importer, Stale
from siths_portal.lib.imports.planning import RowOutcome
from siths_portal.lib.imports.reading import ImportedRow

_STATE = {
    CardStatus.ACTIVE: CarrierState.ACTIVE,
    CardStatus.REVOKED: CarrierState.REVOKED,
    CardStatus.EXPIRED: CarrierState.EXPIRED,
}
_UNIQUE = ("issuance_one_carrier_per_serial", "issuance_carriercertificate_pkey", "issuance_one_certificate_per_profile")
"""Constraints that another process can violate after the plan was made."""

type Link = tuple[UUID, UUID, UUID | None, str]


class CarrierImporter(Importer[Actor, CarrierImport, ImportedRow, CarrierPlan]):
    """Imports cards that were issued before this portal. A card that the portal has is the same, or gets certificates."""

    name = "carrier_import"
    tables = CARRIER_TABLES
    model = CarrierImport
    row_class = ImportedRow
    event = Event
    unconfirmed = ("without-certificates", "Ange certifikaten på raderna, eller kryssa i rutan och läs in igen.")

    def require(self, actor: Actor) -> None:
        """See `Importer`."""
        policy.require_global(actor, Action.REGISTER_MIGRATED_CARD)

    def plan(self, actor: Actor, rows: Sequence[ImportedRow]) -> CarrierPlan:
        """See `Importer`."""
        return plan_carriers.plan(actor, rows)

    def apply(self, actor: Actor, plan: CarrierPlan) -> dict[str, Any]:
        """Records the cards and eIDs, and connects the certificates. Returns their numbers."""
        try:
            with transaction.atomic():
                _link([*_record_new(actor, plan.changes), *_of_known(plan.changes)])
        except IntegrityError as error:
            if not any(name in str(error) for name in _UNIQUE):
                raise
            raise Stale from error
        return {**plan.counts, "completed": plan.count(RowOutcome.CHANGE)}

    def not_found(self) -> NotFound:
        """See `Importer`."""
        return policy.not_found()

    @property
    def hours(self) -> int:
        """See `Importer`."""
        hours: int = settings.SETUP_IMPORT_HOURS
        return hours

    def admit(self, actor: Actor) -> None:
        """See `Importer`. A command has no limit."""
        if actor.kind != "system":
            uploads.spend(actor)

    def lock(self) -> None:
        """Makes imports of cards wait for each other."""
        lock_until_commit("carrier import")


CARRIER_IMPORTER = CarrierImporter()


def may_import(actor: Actor) -> bool:
    """Returns whether the actor may import cards."""
    return policy.holds(actor, Action.REGISTER_MIGRATED_CARD)


def _record_new(actor: Actor, changes: Sequence[CarrierChange]) -> list[Link]:
    """Inserts the new cards with their eIDs. Returns the links of their certificates."""
    carriers: list[Carrier] = []
    eids: list[Eid] = []
    links: list[Link] = []
    for change in changes:
        if change.carrier is None:
            carrier = _carrier(change)
            made = [_eid(carrier, eid, change.cells) for eid in change.eids]
            links += [link for row, eid in zip(made, change.eids, strict=True) for link in _links(carrier.pk, row.pk, eid)]
            carriers.append(carrier)
            eids += made
    migration.record(carriers, eids, actor=actor)
    return links


def _of_known(changes: Sequence[CarrierChange]) -> list[Link]:
    """Locks the known cards that get certificates, and returns the links. Raises Stale if one has ended since the plan."""
    known = {change.carrier.pk: change for change in changes if change.carrier is not None}
    locked = Carrier.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=known).order_by("pk")
    if any(state in carrier_states.INVALID for state in locked.values_list("state", flat=True)):
        raise Stale
    return [link for pk, change in known.items() for eid in change.eids for link in _links(pk, eid.eid_id, eid)]


def _links(carrier_id: UUID, eid_id: UUID | None, eid: EidChange) -> Iterator[Link]:
    for each in eid.certificates:
        yield each.certificate_id, carrier_id, eid_id if each.of_eid else None, each.profile


def _link(links: Sequence[Link]) -> None:
    CarrierCertificate.objects.bulk_create(
        [
            CarrierCertificate(certificate_id=certificate_id, carrier_id=carrier_id, eid_id=eid_id, profile=profile)
            for certificate_id, carrier_id, eid_id, profile in links
        ],
        batch_size=1000,
    )


def _carrier(change: CarrierChange) -> Carrier:
    cells, post = change.cells, change.eids[0].post
    return Carrier(
        kind=of_article(change.article.kind).code,
        origin="migrated",
        person_id=post.person_id,
        organisation=change.organisation,
        office=change.office,
        article=change.article,
        assurance_level=change.article.assurance_level,
        state=_STATE[cells.status].value,
        card_serial=cells.card_serial,
        mifare_id=cells.mifare_id,
        valid_from=cells.valid_from,
        valid_to=cells.valid_to,
        activated_at=min(eid.activated_at for eid in change.eids),
        ended_at=cells.ended_at,
        revocation_reason=cells.reason.value if cells.reason else "",
        created_at=clock.now(),
    )


def _eid(carrier: Carrier, change: EidChange, cells: CardCells) -> Eid:
    """Returns an eID in the state of its card; one on a card in use may have expired."""
    eid = eid_of_post(change.post, carrier)
    expired = cells.status is CardStatus.ACTIVE and change.valid_to <= clock.now()
    eid.state = EidState.EXPIRED.value if expired else EidState(carrier.state).value
    eid.ended_at = change.valid_to if expired else cells.ended_at
    eid.revocation_reason = carrier.revocation_reason
    eid.assurance_level = carrier.assurance_level
    eid.valid_from, eid.valid_to, eid.activated_at = change.valid_from, change.valid_to, change.activated_at
    eid.created_at = clock.now()
    return eid
