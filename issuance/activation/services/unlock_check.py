"""The check that a card in use is unlocked at a visit (port `pki.ports.UnlockVisits`). Runs in the `pki` worker before it opens
the PUK, so that a stolen card, or write access to the deliveries, yields no PUK (S24).
"""

import datetime as dt

from django.conf import settings

from authn import service as authn
from issuance.activation.domain.transaction_states import TransactionKind, TransactionState
from issuance.activation.models import EidAppTransaction
from issuance.activation.services import identifications, transactions, visits
from issuance.carriers.domain.references import carrier_ref
from pki import service as pki
from siths_portal.lib import clock


class VisitsOfHolders:
    """Compares deliveries with the transactions and identifications of this portal, and with the officers' log-ins."""

    def refusal(self, unlocking: pki.Unlocking) -> str:
        """Returns why the visit does not allow to open the PUK, or "". Runs a fixed number of queries."""
        rows = EidAppTransaction.objects.select_related("carrier__organisation", "identification__withdrawal")
        row = rows.filter(delivery_id=unlocking.delivery_id, kind=TransactionKind.UNLOCK.value).first()
        if row is None or row.handle_sha256 != unlocking.handle_sha256:
            return "no-transaction"
        if carrier_ref(row.carrier_id) != unlocking.carrier_ref or row.visit.carrier_id != row.carrier_id:
            return "another-card"
        if transactions.state_now(row) is not TransactionState.STARTED or not transactions.still_fits(row, row.carrier):
            return "state"
        return _of_officer(row)


def _of_officer(row: EidAppTransaction) -> str:
    """Returns what the identification, the officer's log-in or their right lacks, or ""."""
    seen = row.visit
    if seen.officer_ref != row.officer_ref or identifications.is_withdrawn(seen) or clock.now() >= visits.reopen_until(row):
        return "identification"
    longest = max(dt.timedelta(seconds=settings.ACTIVATION_LOGIN_MAX_AGE), authn.AT_ONCE)
    if not authn.is_logged_in_since(row.officer_ref, seen.at - longest):
        return "log-in"
    return "" if visits.officer_may(row, row.carrier) else "officer"
