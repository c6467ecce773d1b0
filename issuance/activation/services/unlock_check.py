"""The check that a card in use is unlocked at a visit, or by a signature with another carrier of the same person (port
`pki.ports.UnlockVisits`). Runs in the `pki` worker before it opens the PUK, so that a stolen card, or write access to the
deliveries, yields no PUK (S24).
"""

import datetime as dt

from django.conf import settings

from authn import service as authn
from issuance.activation.domain import own_unlocking
from issuance.activation.domain.transaction_states import TransactionKind, TransactionState
from issuance.activation.models import EidAppTransaction, Statement
from issuance.activation.services import identifications, statements, transactions, visits
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import CarrierCertificate
from pki import service as pki
from siths_portal.lib import clock


class VisitsOfHolders:
    """Compares deliveries with this portal's transactions, identifications and statements, and with the officers' log-ins."""

    def refusal(self, unlocking: pki.Unlocking) -> str:
        """Returns why neither visit nor statement allows to open the PUK, or "". Runs a fixed number of queries."""
        rows = EidAppTransaction.objects.select_related(
            "carrier__organisation", "identification__withdrawal", "ground__transaction__carrier"
        )
        row = rows.filter(delivery_id=unlocking.delivery_id, kind=TransactionKind.UNLOCK.value).first()
        if row is None or row.handle_sha256 != unlocking.handle_sha256:
            return "no-transaction"
        allowed_for = row.ground.subject_ref if row.ground else row.visit.carrier_id
        if carrier_ref(row.carrier_id) != unlocking.carrier_ref or allowed_for != row.carrier_id:
            return "another-card"
        if transactions.state_now(row) is not TransactionState.STARTED or not transactions.still_fits(row, row.carrier):
            return "state"
        return _of_statement(row, row.ground) if row.ground else _of_officer(row)


def _of_officer(row: EidAppTransaction) -> str:
    """Returns what the identification, the officer's log-in or their right lacks, or ""."""
    seen = row.visit
    if seen.officer_ref != row.officer_ref or identifications.is_withdrawn(seen) or clock.now() >= visits.reopen_until(row):
        return "identification"
    longest = max(dt.timedelta(seconds=settings.ACTIVATION_LOGIN_MAX_AGE), authn.AT_ONCE)
    if not authn.is_logged_in_since(row.officer_ref, seen.at - longest):
        return "log-in"
    return "" if visits.officer_may(row, row.carrier) else "officer"


def _of_statement(row: EidAppTransaction, statement: Statement) -> str:
    """Returns what the holder's statement lacks, or "". Its time is in what was signed, so an old one cannot be used again."""
    signer, locked = statement.transaction.carrier, row.carrier
    if statement.purpose != own_unlocking.PURPOSE or statement.certificate_id is None:
        return "not-signed"
    if signer.pk == locked.pk or signer.person_id != locked.person_id or row.officer_ref != transactions.holder_ref(locked):
        return "another-person"
    if signer.state != CarrierState.ACTIVE or signer.assurance_level < own_unlocking.LEVEL or signer.valid_to <= clock.now():
        return "carrier-not-valid"
    if not own_unlocking.counts(statement.content, clock.now()):
        return "too-old"
    wanted = own_unlocking.content(
        carrier_id=locked.pk,
        card_serial=locked.card_serial,
        person_id=locked.holder_id,
        at=own_unlocking.opened_at(statement.content) or clock.now(),
    )
    if statement.content != wanted:
        return "other-content"
    profile = own_unlocking.PROFILES.get(signer.kind, "")
    links = CarrierCertificate.objects.filter(carrier=signer, certificate_id=statement.certificate_id, profile=profile)
    if not links.exists():
        return "another-certificate"
    views = {view.id: view for view in pki.certificates([statement.certificate_id])}
    return statements.signature_fault(statement, views.get(statement.certificate_id))
