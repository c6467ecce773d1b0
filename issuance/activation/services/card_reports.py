"""Reports of the eID app about events at the card, so that the clerk sees them and can help (ADR 0289)."""

from django.db import transaction as database

from issuance.activation.domain.card_reports import MOST_REPORTS, REPORTED, CardReport
from issuance.activation.domain.transaction_states import OPEN, TransactionAction
from issuance.activation.models import EidAppTransaction
from issuance.activation.services import transactions
from issuance.carriers.domain.carrier_states import CarrierAction, CarrierState
from issuance.carriers.models import Carrier
from issuance.records.services import steps
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid, TooManyRequests


@database.atomic(durable=True)
def record(*, step_token: str, report: CardReport, tries_left: int | None = None) -> str:
    """Records an event at the card of a started transaction and returns the transaction's state, which does not change.

    Repeating the latest report changes nothing. A blocked code is stored on a carrier that waits for its signature, so that the
    next transaction lets the holder choose a new one. Raises Unauthenticated, Conflict (ended), Invalid (a report that only the
    portal records), TooManyRequests.
    """
    if report not in REPORTED:
        message = "Appen kan inte rapportera detta."
        raise Invalid("card-report", message, fields={"report": [message]})
    carrier, row = transactions.locked_with_carrier(transactions.by_token(step_token))
    transactions.require_open(row)
    if (row.card_report, row.card_tries_left) != (report, tries_left):
        _record(carrier, row, report, tries_left)
    return row.state


@database.atomic(durable=True)
def record_limit(seen: EidAppTransaction) -> None:
    """Shows the clerk that the card's PUK is not delivered again today."""
    _, row = transactions.locked_with_carrier(seen)
    if transactions.state_now(row) in OPEN:
        transactions.store_report(row, CardReport.PUK_LIMIT)


def _record(carrier: Carrier, row: EidAppTransaction, report: CardReport, tries_left: int | None) -> None:
    if row.card_reports >= MOST_REPORTS:
        raise TooManyRequests("card-reports", "För många rapporter. Be ID-administratören öppna appen igen.")
    actor_ref, now = transactions.holder_ref(carrier), clock.now()
    facts = {"report": report.value} | ({} if tries_left is None else {"tries_left": tries_left})
    steps.step(
        [row],
        TransactionAction.REPORT_CARD,
        actor_ref=actor_ref,
        facts=facts,
        card_report=report.value,
        card_tries_left=tries_left,
        card_reported_at=now,
        card_reports=row.card_reports + 1,
    )
    blocks = report is CardReport.CODE_BLOCKED and carrier.state == CarrierState.ACTIVATED_UNSIGNED
    if blocks and carrier.code_blocked_at is None:
        facts = {"transaction": str(row.pk)}
        steps.step([carrier], CarrierAction.BLOCK_CODE, actor_ref=actor_ref, facts=facts, code_blocked_at=now)
