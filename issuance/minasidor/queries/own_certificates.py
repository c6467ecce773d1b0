"""A holder's own certificates that can be tested, and those that older systems need as files (rules/issuance 10.7, 10.8)."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from issuance.authz import Action, Actor, ScopedQuerySet, policy
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.minasidor.queries.own_carriers import name as carrier_name
from issuance.records.domain import wording
from pki import service as pki
from siths_portal.lib import clock

MIGRATED = "migrated"
"""The origin of a carrier that an earlier portal issued."""

_SIGN = "-sign"


@dataclass(frozen=True)
class OwnCertificate:
    """A certificate in force on a card of the holder. `owner` says whose it is: an organisation's eID, or the person-id's.

    `der` is empty if the portal has only its serial number.
    """

    id: UUID
    use: str
    owner: str
    signs: bool
    valid_to: dt.date | None
    der: bytes = field(repr=False)


@dataclass(frozen=True)
class OwnTestable:
    """A carrier in use with its certificates. `in_app` means that the eID app can test each of them. A card from an earlier
    portal and a mobile eID are tested by logging in with them.
    """

    id: UUID
    name: str
    in_app: bool
    is_migrated: bool
    certificates: tuple[OwnCertificate, ...]

    @property
    def files(self) -> tuple[OwnCertificate, ...]:
        """The certificates that older systems need as files: those for signatures of a card from an earlier portal."""
        return tuple(each for each in self.certificates if each.signs and each.der) if self.is_migrated else ()


def testable(actor: Actor) -> list[OwnTestable]:
    """Returns the holder's carriers in use, the newest first. Runs four queries. Empty for a session of a card."""
    if actor.person_id is None:
        return []
    carriers = list(_in_use().visible_to(actor).order_by("-created_at", "-id"))
    found: dict[UUID, list[OwnCertificate]] = {}
    for carrier_id, certificate in _certificates(CarrierCertificate.objects.filter(carrier__in=carriers)):
        found.setdefault(carrier_id, []).append(certificate)
    return [_testable(carrier, found.get(carrier.pk, [])) for carrier in carriers]


def own_certificate(actor: Actor, certificate_id: UUID) -> tuple[OwnTestable, OwnCertificate]:
    """Returns a certificate in force on a carrier in use, with that carrier. Raises NotFound, also for another person's."""
    rows = CarrierCertificate.objects.filter(pk=certificate_id)
    carrier_id = rows.values_list("carrier_id", flat=True).first() or certificate_id
    carrier = policy.get(actor, Action.VIEW, _in_use(), carrier_id)
    for _carrier_id, certificate in _certificates(rows):
        if actor.person_id is not None:
            return _testable(carrier, [certificate]), certificate
    raise policy.not_found()


def _in_use() -> ScopedQuerySet[Carrier]:
    rows = Carrier.objects.filter(state=CarrierState.ACTIVE.value, valid_to__gt=clock.now())
    return cast(ScopedQuerySet[Carrier], rows.defer("card_key_spki"))


def _certificates(rows: QuerySet[CarrierCertificate]) -> Iterable[tuple[UUID, OwnCertificate]]:
    """Yields the certificates in force with the ids of their carriers, those of each eID together."""
    rows = rows.exclude(eid__state=EidState.ORDERED.value).exclude(made_with__state=EidState.ORDERED.value)
    links = list(rows.select_related("eid__organisation").order_by("eid", "profile"))
    views = {view.id: view for view in pki.certificates([link.pk for link in links])}
    for link in links:
        view = views.get(link.pk)
        if view is None or view.status != "issued" or view.held or view.not_after <= clock.now():
            continue
        owner = _("SITHS eID för {organisation}").format(organisation=link.eid.organisation.name) if link.eid else _("Person-id")
        yield (
            link.carrier_id,
            OwnCertificate(
                id=link.pk,
                use=wording.certificate_use(link.profile),
                owner=owner,
                signs=link.profile.endswith(_SIGN),
                valid_to=wording.last_day(view.not_after),
                der=view.der or b"",
            ),
        )


def _testable(carrier: Carrier, certificates: list[OwnCertificate]) -> OwnTestable:
    return OwnTestable(
        id=carrier.pk,
        name=carrier_name(carrier.kind, carrier.card_serial[-4:], carrier.device, carrier.state),
        in_app=kinds.kind_of(carrier.kind).is_card and bool(carrier.card_key_sha256),
        is_migrated=carrier.origin == MIGRATED,
        certificates=tuple(certificates),
    )
