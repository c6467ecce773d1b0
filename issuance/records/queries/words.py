"""How the portal says in Swedish what tables hold as codes, and how numbers are written for people (rules/issuance 8.2)."""

import datetime as dt
from collections.abc import Mapping

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issuance.carriers.domain import kinds
from issuance.orders.domain.order_states import OrderState
from issuance.orders.domain.puk_states import PukState
from issuance.records.domain.ids import PersonIdKind
from issuance.revocation.domain import SWEDISH, RequestChannel, Requester, RevocationReason
from siths_portal.lib import clock

STATE: Mapping[str, str] = {
    "ordered": _("Beställd"),
    "sent": _("Skickat"),
    "in_stock": _("I lager"),
    "reserved": _("Reserverad"),
    "activated_unsigned": _("Aktiverad – underskrift saknas"),
    "active": _("Aktiv"),
    "revoked": _("Spärrad"),
    "expired": _("Utgången"),
    "cancelled": _("Avbruten"),
}
"""How a card or a SITHS eID stands, in the words of `components/tag.html`."""

ORDER_STATE: Mapping[str, str] = {
    OrderState.QUEUED: _("I kö till kortleverantören"),
    OrderState.ACCEPTED: _("Mottagen av kortleverantören"),
    OrderState.IN_PRODUCTION: _("I produktion hos kortleverantören"),
    OrderState.PRODUCED: _("Tillverkad, inte skickad än"),
    OrderState.SENT: _("Skickad till innehavaren"),
    OrderState.FAILED: _("Produktionen misslyckades"),
    OrderState.RETURNED: _("Försändelsen kom i retur"),
    OrderState.CANCELLED: _("Beställningen är borttagen"),
}
PUK_STATE: Mapping[str, str] = {
    PukState.NONE: _("Kortet har ingen upplåsningskod"),
    PukState.PENDING: _("Portalen läser upplåsningskoden från kortleverantören"),
    PukState.SEALED: _("Portalen har upplåsningskoden"),
    PukState.REFUSED: _("Portalen kunde inte ta emot upplåsningskoden"),
}
PUK_REFUSAL: Mapping[str, str] = {
    "malformed": _("Upplåsningskoden var inte krypterad på rätt sätt"),
    "key-unknown": _("Upplåsningskoden var krypterad till en okänd nyckel"),
    "not-decrypted": _("Upplåsningskoden gick inte att dekryptera"),
    "header-mismatch": _("Upplåsningskoden hörde till en annan beställning eller ett annat kort"),
    "format": _("Upplåsningskoden hade inte rätt form"),
}
IDENTITY_DOCUMENT: Mapping[str, str] = {
    "driving_licence": _("Körkort"),
    "passport": _("Pass (vinröd bok)"),
    "tax_agency_id": _("Skatteverkets id-kort"),
    "sis_id": _("SIS-godkänt id-kort"),
    "national_id": _("Nationellt id-kort"),
}
REQUESTER: Mapping[str, str] = {
    Requester.HOLDER: _("Innehavaren"),
    Requester.ORGANISATION: _("Chef eller annan i organisationen"),
    Requester.OFFICER: _("Handläggaren själv, i tjänsten"),
    Requester.OTHER: _("Någon annan"),
}
REQUEST_CHANNEL: Mapping[str, str] = {
    RequestChannel.VISIT: _("Besök"),
    RequestChannel.PHONE: _("Telefon"),
    RequestChannel.WRITTEN: _("E-post, brev eller blankett"),
    RequestChannel.OWN_FINDING: _("Egen iakttagelse"),
}
CERTIFICATE_USE: Mapping[str, str] = {"auth": _("Legitimering"), "sign": _("Underskrift")}


def carrier_type(kind: str) -> str:
    """What carriers of this kind are called: SITHS-kort, Mobilt SITHS."""
    return gettext(kinds.kind_of(kind).type)


def carrier_kind(kind: str) -> str:
    """The name of the kind: Ordinarie kort, Reservkort."""
    return gettext(kinds.kind_of(kind).name)


def said(words: Mapping[str, str], code: str) -> str:
    """The word for `code` in the reader's language; the code itself where there is none."""
    return gettext(words[code]) if code in words else code


def article(number: str, title: str) -> str:
    """An article as all pages write it: its number and its name, with REK for registered mail."""
    return f"{number} {title}"


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


def revocation_reason(reason: str) -> str:
    """The Swedish name of a Spärrorsak; empty for none."""
    return SWEDISH[RevocationReason(reason)] if reason else ""


def certificate_use(profile: str) -> str:
    """What a certificate of a person's profile is for."""
    return said(CERTIFICATE_USE, profile.rsplit("-", 1)[-1])
