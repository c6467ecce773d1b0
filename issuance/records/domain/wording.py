"""How codes, numbers and days are shown to people (rules/issuance 8.2)."""

import datetime as dt
from collections.abc import Mapping

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issuance.records.domain.ids import PersonIdKind
from siths_portal.lib import clock

_CERTIFICATE_USE: Mapping[str, str] = {"auth": _("Legitimering"), "sign": _("Underskrift")}


def label(words: Mapping[str, str], code: str) -> str:
    """Returns the label of `code` in the reader's language, or the code itself if `words` has no label for it."""
    return gettext(words[code]) if code in words else code


def certificate_use(profile: str) -> str:
    """Returns the label of the use of certificates with this profile, by the end of its name."""
    return label(_CERTIFICATE_USE, profile.rsplit("-", 1)[-1])


def person_number(kind: str, value: str) -> str:
    """Formats a person id for people: ÅÅÅÅMMDD-NNNN for the two Swedish kinds; other kinds are unchanged."""
    if kind in (PersonIdKind.PERSONNUMMER, PersonIdKind.SAMORDNINGSNUMMER):
        return f"{value[:8]}-{value[8:]}"
    return value


def card_serial(serial: str) -> str:
    """Formats a card's serial number in groups of 4-4-3-4-4. Returns an empty text for a card without a serial number."""
    ends = (4, 8, 11, 15, 19)
    return " ".join(serial[start:end] for start, end in zip((0, *ends), ends, strict=False) if serial[start:end])


def last_day(end: dt.datetime | None) -> dt.date | None:
    """Returns the last day, in Stockholm, of a validity period that ends at `end` (exclusive)."""
    return (end - dt.timedelta(microseconds=1)).astimezone(clock.STOCKHOLM).date() if end else None


def day(moment: dt.datetime | None) -> dt.date | None:
    """Returns the day of a moment in Stockholm."""
    return moment.astimezone(clock.STOCKHOLM).date() if moment else None
