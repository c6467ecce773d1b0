"""Sends the notices by e-mail, each at least once with the same message id."""

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from billing.delivery.models import Notice, NoticeState
from billing.delivery.services.sending import lease
from billing.invoices.models import Invoice
from billing.records.domain.periods import Month
from siths_portal.lib import clock
from siths_portal.lib import ports as connected
from siths_portal.lib.database.leases import wait_after
from siths_portal.lib.errors import Refused, Unavailable
from siths_portal.lib.mail import Mailer, Message

BATCH = 500


@dataclass(frozen=True)
class _Leased:
    notice_id: int
    message: Message


def send_due(*, limit: int = BATCH) -> int:
    """Sends each notice that is due and returns how many it tried. Can be repeated, run by several workers and killed."""
    tried = 0
    while tried < limit and (leased := _lease()) is not None:
        state, reason = NoticeState.SENT, ""
        try:
            connected.get(Mailer).send(leased.message)
        except Unavailable:
            state = NoticeState.WAITING
        except Refused as error:
            state, reason = NoticeState.REFUSED, error.message
        _record(leased, state, reason)
        tried += 1
    return tried


def _lease() -> _Leased | None:
    with transaction.atomic(durable=True):
        notice = lease(Notice.objects.all())
        if notice is None:
            return None
        return _Leased(notice.pk, message_about(notice.invoice, notice.recipient))


def message_about(invoice: Invoice, recipient: str) -> Message:
    """Returns the notice of an issued document: its number, its month, and where to read it."""
    month, seller = Month.of_day(invoice.period), invoice.seller["name"]
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2]
    text = (
        f"Hej!\n\n{seller} har skickat faktura {invoice.number} för SITHS, {month}, till er elektroniska adress.\n\n"
        f"Fakturan finns också i SITHS eID Portal under Fakturor. Den som har rollen Ekonomiansvarig kan läsa den där.\n\n"
        f"Frågor om fakturan: {invoice.seller['email']}\n\nDet går inte att svara på det här meddelandet.\n"
    )
    return Message(f"invoice-{invoice.number}@{domain}", recipient, f"Faktura {invoice.number} från {seller}", text)


def _record(leased: _Leased, state: NoticeState, reason: str) -> None:
    with transaction.atomic(durable=True):
        notice = Notice.objects.select_for_update(no_key=True).get(pk=leased.notice_id)
        if notice.state != NoticeState.WAITING:
            return
        now = clock.now()
        notice.attempts += 1
        notice.state, notice.reason = state, reason
        notice.next_at = now + wait_after(notice.attempts) if state == NoticeState.WAITING else None
        notice.settled_at = None if state == NoticeState.WAITING else now
        notice.save()
