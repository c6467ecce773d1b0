"""Texts for the clerk about events at the card in the eID app, and the way forward (ADR 0289)."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.activation.domain.card_reports import BEYOND_HELP, CardReport
from issuance.activation.domain.transaction_states import OPEN, TransactionKind
from issuance.activation.models import EidAppTransaction
from issuance.carriers.domain import kinds
from issuance.carriers.models import Carrier
from siths_portal.lib import clock


@dataclass(frozen=True)
class CardHelp:
    """The latest report of a transaction, received `at`.

    `is_blocked` means that the code is blocked and only a new link to the app lets the holder choose a new one.
    `is_beyond_help` means that the card's PUK does not help, or not today, and the holder needs a new card.
    """

    text: str
    at: dt.datetime | None
    is_blocked: bool
    is_beyond_help: bool

    @property
    def needs_clerk(self) -> bool:
        """Returns True if the holder cannot continue in the app."""
        return self.is_blocked or self.is_beyond_help


def card_help(transaction: EidAppTransaction, carrier: Carrier) -> CardHelp | None:
    """Returns the present problem of a card that is being activated or unlocked, or None."""
    if transaction.kind != TransactionKind.UNLOCK and not awaits_activation(carrier):
        return None
    is_open = transaction.state in OPEN and transaction.expires_at > clock.now()
    report = _current_report(transaction, is_open=is_open)
    # With an open transaction of this kind the app has the PUK.
    blocked = carrier.is_code_blocked and not (is_open and transaction.kind == TransactionKind.ACTIVATE)
    if blocked and report not in BEYOND_HELP:
        text = _("Koden är spärrad efter 3 felaktiga försök. Innehavaren kan inte skriva under.")
        return CardHelp(text, carrier.code_blocked_at, is_blocked=True, is_beyond_help=False)
    if report is None:
        return None
    text = _text(report, transaction.card_tries_left)
    return CardHelp(text, transaction.card_reported_at, is_blocked=blocked, is_beyond_help=report in BEYOND_HELP)


def latest_of(carrier_ids: Collection[UUID]) -> dict[UUID, EidAppTransaction]:
    """Returns each carrier's newest transaction, by carrier."""
    if not carrier_ids:
        return {}
    rows = EidAppTransaction.objects.filter(carrier__in=carrier_ids).order_by("carrier", "-created_at").distinct("carrier")
    return {row.carrier_id: row for row in rows.only("carrier", "kind", "state", *_REPORT)}


def awaits_activation(carrier: Carrier) -> bool:
    """Returns True for a card that can be activated, or whose activation can go on."""
    return kinds.kind_of(carrier.kind).allows(kinds.Function.ACTIVATE, carrier.state)


_REPORT = ("card_report", "card_tries_left", "card_reported_at", "expires_at")


def _current_report(transaction: EidAppTransaction, *, is_open: bool) -> CardReport | None:
    """Returns the latest report if it still applies. After a transaction has ended only reports that the PUK does not help do."""
    if not transaction.card_report:
        return None
    report = CardReport(transaction.card_report)
    if is_open:
        return report
    over = report is CardReport.PUK_LIMIT and not _is_within_a_day(transaction.card_reported_at)
    return report if report in BEYOND_HELP and not over else None


def _is_within_a_day(at: dt.datetime | None) -> bool:
    return at is not None and clock.now() - at < dt.timedelta(days=1)


def _text(report: CardReport, tries_left: int | None) -> str:
    if report is CardReport.WRONG_CODE and tries_left:
        text = ngettext(
            "Innehavaren skrev fel kod. %(tries)s försök kvar innan koden spärras.",
            "Innehavaren skrev fel kod. %(tries)s försök kvar innan koden spärras.",
            tries_left,
        )
        return text % {"tries": tries_left}
    return {
        CardReport.WRONG_CARD: _("Fel kort sitter i läsaren. Be innehavaren sätta i kortet som ärendet gäller."),
        CardReport.WRONG_CODE: _("Innehavaren skrev fel kod."),
        CardReport.CODE_BLOCKED: _("Koden spärrades efter 3 felaktiga försök. Innehavaren väljer en ny kod i appen."),
        CardReport.WRONG_PUK: _("Kortet tog inte emot upplåsningskoden (PUK). Ersätt kortet med ett nytt."),
        CardReport.PUK_BLOCKED: _("Kortet kan inte låsas upp mer. Ersätt kortet med ett nytt."),
        CardReport.CODE_RESET: _("Innehavaren har valt en ny kod. Innehavaren läser villkoren och skriver under."),
        CardReport.PUK_LIMIT: _(
            "Upplåsningskoden (PUK) har lämnats ut för många gånger det senaste dygnet. Försök igen i morgon, eller ersätt "
            "kortet med ett nytt."
        ),
    }[report]
