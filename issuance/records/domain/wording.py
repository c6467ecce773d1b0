"""How codes, numbers and days are written for people (rules/issuance 8.2)."""

import datetime as dt
from collections.abc import Mapping

from django.utils.translation import gettext

from issuance.records.domain.ids import PersonIdKind
from siths_portal.lib import clock


def said(words: Mapping[str, str], code: str) -> str:
    """The word for `code` in the reader's language; the code itself where there is none."""
    return gettext(words[code]) if code in words else code


def person_number(kind: str, value: str) -> str:
    """A person id as people read it: ÅÅÅÅMMDD-NNNN for the two Swedish kinds, others as they are."""
    if kind in (PersonIdKind.PERSONNUMMER, PersonIdKind.SAMORDNINGSNUMMER):
        return f"{value[:8]}-{value[8:]}"
    return value


def card_serial(serial: str) -> str:
    """A card's serial number in its groups of 4-4-3-4-4; empty while the card has none."""
    ends = (4, 8, 11, 15, 19)
    return " ".join(serial[start:end] for start, end in zip((0, *ends), ends, strict=False) if serial[start:end])


def last_day(end: dt.datetime | None) -> dt.date | None:
    """The last day in Stockholm of a validity that ends at `end` (exclusive)."""
    return (end - dt.timedelta(microseconds=1)).astimezone(clock.STOCKHOLM).date() if end else None


def day(moment: dt.datetime | None) -> dt.date | None:
    """The day in Stockholm of a moment."""
    return moment.astimezone(clock.STOCKHOLM).date() if moment else None
