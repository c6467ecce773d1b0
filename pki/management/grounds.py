"""Arguments of the commands that revoke: reason, requester and time."""

import argparse
import datetime as dt
from collections.abc import Mapping
from typing import Any

from pki.models import RevocationChannel, RevocationReason
from pki.revocation.revoking import SourceRecord
from siths_portal.lib import clock
from siths_portal.lib.errors import DomainError, Invalid


def moment(text: str) -> dt.datetime:
    """Parses a time in ISO 8601, in Stockholm time if it has no zone. Raises argparse.ArgumentTypeError."""
    try:
        value = dt.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("en tid skrivs som 2026-01-31T13:45 (svensk tid) eller med tidszon") from None
    return value if value.tzinfo else value.replace(tzinfo=clock.STOCKHOLM)


def add(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Declares the arguments; the parser requires the reason if `required`."""
    parser.add_argument("--reason", required=required, choices=RevocationReason.values, help="spärrorsak enligt RFC 5280")
    parser.add_argument("--justification", default="", metavar="TEXT", help="varför, för dem som granskar")
    parser.add_argument("--received-at", type=moment, metavar="TID", help="när begäran kom in, om inte nu")
    parser.add_argument("--invalidity-date", type=moment, metavar="TID", help="när nyckeln kan ha kommit i orätta händer")
    parser.add_argument(
        "--channel",
        choices=RevocationChannel.values,
        default=RevocationChannel.SYSTEM.value,
        help="hur begäran kom in; utan uppgift: ditt eget beslut vid systemet",
    )
    parser.add_argument("--requester", default="", metavar="REF", help="vem som begärde, om inte du; aldrig ett namn")
    parser.add_argument(
        "--registered-by", default="", metavar="REF", help="vem som skrev ner en begäran på papper; aldrig ett namn"
    )
    parser.add_argument("--kept-at", default="", metavar="PLATS", help="var papperet finns")


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments as values of a revocation request, without the actor.

    Raises Invalid for a request on paper without its time.
    """
    if options["channel"] == RevocationChannel.PAPER and options["received_at"] is None:
        reason = "Ange när begäran på papper kom in."
        raise Invalid("revocation-received", reason, fields={"received_at": [reason]})
    registered_by, kept_at = options["registered_by"], options["kept_at"]
    return {
        "reason": options["reason"],
        "received_at": options["received_at"] or clock.now(),
        "channel": options["channel"],
        "justification": options["justification"],
        "invalidity_date": options["invalidity_date"],
        "requester": options["requester"],
        "source_record": SourceRecord(registered_by, kept_at) if registered_by or kept_at else None,
    }


def error_line(error: DomainError) -> str:
    """Returns the error's message and each argument that it concerns."""
    fields = [f"  --{name.replace('_', '-')}: {' '.join(texts)}" for name, texts in error.fields.items()]
    return "\n".join([error.message, *fields])
