"""Queries for certificates by operators. Only actors with the right to protected persons see those
persons' certificates (S10).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from django.db.models import Exists, OuterRef

from issuance.authz import Action, Actor, policy
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.operators.models import CertificateSearch, MassTrial
from pki.mass_revocation import MassSelection
from pki.operators.certificate_search import CertificateCriteria, CertificateLine, find_certificates
from pki.operators.certificates import CertificateRecord, certificate_der, certificate_record
from pki.operators.mass_revocation_samples import mass_revocation_samples
from siths_portal.lib.ids import id_of
from siths_portal.lib.lists import Cursor, Key, Order, Page

_NO_ID = UUID(int=0)
_CHUNK = 500


@dataclass(frozen=True)
class Owner:
    """The person and carrier of a certificate. Both are None if no carrier of the portal has it."""

    person_id: UUID | None
    carrier_id: UUID | None


@dataclass
class CertificateHits:
    """The source of a search's hits, read at each call, without certificates of persons whom the actor may not see.

    Pages go forwards only. `looked_through` is True if the last page is short because its query reached its limit of rows to
    examine.
    """

    actor: Actor
    search: CertificateSearch
    looked_through: bool = False

    def page(self, order: Order, by: Sequence[str | Key], cursor: Cursor | None, limit: int) -> Page[CertificateLine]:
        """Returns a page, the newest certificates first. Raises Forbidden."""
        policy.require_global(self.actor, Action.VIEW_PKI)
        criteria = CertificateCriteria.from_json(self.search.criteria)
        after = id_of(cursor.row) if cursor else None
        found = find_certificates(criteria, after=after, limit=limit, hidden=_hidden(self.actor))
        self.looked_through = found.looked_through
        return Page(found.lines, None, found.after)

    def count(self, most: int) -> int:
        """Returns the number of hits, or `most` if there are more. Reads every page to count."""
        return sum(1 for _line in islice(self.every(Order(""), ()), most))

    def every(self, order: Order, by: Sequence[str | Key]) -> Iterator[CertificateLine]:
        """Yields all hits, page by page."""
        cursor = None
        while True:
            found = self.page(order, by, cursor, _CHUNK)
            yield from found.lines
            if found.next is None:
                return
            cursor = Cursor(str(found.next))


def mass_samples(*, actor: Actor, trial: MassTrial) -> tuple[CertificateLine, ...]:
    """Returns a sample of the certificates in a dry run, without those of persons whom the actor may
    not see. Raises Forbidden.
    """
    policy.require_global(actor, Action.MASS_REVOKE)
    selection = MassSelection.from_plain(trial.selection)
    return mass_revocation_samples(selection, as_of=trial.as_of, hidden=_hidden(actor))


def _hidden(actor: Actor) -> Exists:
    seen = Carrier.objects.visible_to(actor, Action.VIEW_PKI).filter(pk=OuterRef("carrier_id"))
    return Exists(CarrierCertificate.objects.filter(~Exists(seen), certificate_id=OuterRef("pk")))


def record(*, actor: Actor, certificate_id: UUID) -> tuple[CertificateRecord, Owner]:
    """Returns a certificate with its owner. Raises Forbidden, and NotFound if it does not exist or belongs to a person whom the
    actor may not see.
    """
    owner = _owner(actor, certificate_id)
    return certificate_record(certificate_id if owner else _NO_ID), owner or Owner(None, None)


def der(*, actor: Actor, certificate_id: UUID) -> tuple[bytes, Owner]:
    """Returns the certificate as DER with its owner. Raises as `record`."""
    owner = _owner(actor, certificate_id)
    return certificate_der(certificate_id if owner else _NO_ID), owner or Owner(None, None)


def _owner(actor: Actor, certificate_id: UUID) -> Owner | None:
    """Returns None for a certificate of a person whom the actor may not see. Runs the same queries whether or not the
    certificate exists.
    """
    policy.require_global(actor, Action.VIEW_PKI)
    link = CarrierCertificate.objects.select_related("carrier").filter(pk=certificate_id).first()
    carrier_id = link.carrier_id if link else _NO_ID
    seen = Carrier.objects.visible_to(actor, Action.VIEW_PKI).filter(pk=carrier_id).exists()
    if link is None:
        return Owner(None, None)
    return Owner(link.carrier.person_id, link.carrier_id) if seen else None
