"""What happened at the card in the eID app, in words for the clerk, and what leads on (ADR 0289)."""

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
    """The latest report of a transaction. `at` is when it came.

    `is_blocked`: the code is blocked, and only a new link to the app lets the holder choose a new one. `is_beyond_help`: the
    card's PUK does not help, or not today; the way on is a new card.
    """

    text: str
    at: dt.datetime | None
    is_blocked: bool
    is_beyond_help: bool

    @property
    def needs_clerk(self) -> bool:
        """True if the holder cannot go on in the app."""
        return self.is_blocked or self.is_beyond_help


def card_help(transaction: EidAppTransaction, carrier: Carrier) -> CardHelp | None:
    """What the clerk needs to know of a card that is being activated, and that still holds; None if there is nothing."""
    if not may_be_replaced(carrier):
        return None
    is_open = transaction.state in OPEN and transaction.expires_at > clock.now()
    report = _current_report(transaction, is_open=is_open)
    blocked = carrier.is_code_blocked and not (is_open and transaction.kind == TransactionKind.ACTIVATE)  # the app has the PUK
    if blocked and report not in BEYOND_HELP:
        text = _("Koden är spärrad efter tre felaktiga försök. Innehavaren kan inte skriva under.")
        return CardHelp(text, carrier.code_blocked_at, is_blocked=True, is_beyond_help=False)
    if report is None:
        return None
    text = _told(report, transaction.card_tries_left)
    return CardHelp(text, transaction.card_reported_at, is_blocked=blocked, is_beyond_help=report in BEYOND_HELP)


def latest_of(carrier_ids: Collection[UUID]) -> dict[UUID, EidAppTransaction]:
    """Each carrier's newest transaction, by carrier."""
    if not carrier_ids:
        return {}
    rows = EidAppTransaction.objects.filter(carrier__in=carrier_ids).order_by("carrier", "-created_at").distinct("carrier")
    return {row.carrier_id: row for row in rows.only("carrier", "kind", "state", *_REPORT)}


def may_be_replaced(carrier: Carrier) -> bool:
    """True for a card on its way to being activated: revoking it and ordering a new one is one errand."""
    return kinds.kind_of(carrier.kind).allows(kinds.Function.REPLACE, carrier.state)


_REPORT = ("card_report", "card_tries_left", "card_reported_at", "expires_at")


def _current_report(transaction: EidAppTransaction, *, is_open: bool) -> CardReport | None:
    """The latest report, if it says something of now: of an ended transaction only that the PUK does not help."""
    if not transaction.card_report:
        return None
    report = CardReport(transaction.card_report)
    if is_open:
        return report
    over = report is CardReport.PUK_LIMIT and not _is_within_a_day(transaction.card_reported_at)
    return report if report in BEYOND_HELP and not over else None


def _is_within_a_day(at: dt.datetime | None) -> bool:
    return at is not None and clock.now() - at < dt.timedelta(days=1)


def _told(report: CardReport, tries_left: int | None) -> str:
    if report is CardReport.WRONG_CODE and tries_left:
        text = ngettext(
            "Innehavaren skrev fel kod. %(tries)s försök kvar innan koden spärras.",
            "Innehavaren skrev fel kod. %(tries)s försök kvar innan koden spärras.",
            tries_left,
        )
        return text % {"tries": tries_left}
    return {
        CardReport.WRONG_CARD: _("Fel kort sitter i läsaren. Be innehavaren sätta i kortet som ska aktiveras."),
        CardReport.WRONG_CODE: _("Innehavaren skrev fel kod."),
        CardReport.CODE_BLOCKED: _("Koden spärrades efter tre felaktiga försök. Innehavaren väljer en ny kod i appen."),
        CardReport.WRONG_PUK: _("Kortet tog inte emot upplåsningskoden (PUK). Spärra kortet och beställ ett nytt."),
        CardReport.PUK_BLOCKED: _("Kortet kan inte låsas upp mer. Spärra kortet och beställ ett nytt."),
        CardReport.CODE_RESET: _("Innehavaren har valt en ny kod. Innehavaren läser villkoren och skriver under."),
        CardReport.PUK_LIMIT: _(
            "Upplåsningskoden (PUK) har lämnats ut för många gånger det senaste dygnet. Försök igen i morgon, eller spärra "
            "kortet och beställ ett nytt."
        ),
    }[report]
