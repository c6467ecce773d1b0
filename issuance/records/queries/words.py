"""Swedish labels of the codes in tables (rules/issuance 8.2)."""

from collections.abc import Mapping

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issuance.carriers.domain import kinds
from issuance.orders.domain.order_states import OrderState
from issuance.orders.domain.puk_states import PukState
from issuance.revocation.domain import SWEDISH, RequestChannel, Requester, RevocationReason

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
REQUESTER: Mapping[str, str] = {
    Requester.HOLDER: _("Innehavaren"),
    Requester.ORGANISATION: _("Chef eller annan i organisationen"),
    Requester.OFFICER: _("Rollinnehavaren själv, i tjänsten"),
    Requester.OTHER: _("Någon annan"),
}
REQUESTER_CHOICES: Mapping[str, str] = {**REQUESTER, Requester.OFFICER: _("Jag själv, i tjänsten")}
"""The choices of a requester, as the clerk who makes one reads them."""
REQUEST_CHANNEL: Mapping[str, str] = {
    RequestChannel.VISIT: _("Besök"),
    RequestChannel.PHONE: _("Telefon"),
    RequestChannel.WRITTEN: _("E-post, brev eller blankett"),
    RequestChannel.OWN_FINDING: _("Egen iakttagelse"),
}


def carrier_type(kind: str) -> str:
    """Returns the type name of carriers of this kind: SITHS-kort, Mobilt SITHS."""
    return gettext(kinds.kind_of(kind).type)


def carrier_kind(kind: str) -> str:
    """Returns the name of the kind: Ordinarie kort, Reservkort."""
    return gettext(kinds.kind_of(kind).name)


def article(number: str, title: str) -> str:
    """Returns an article as all pages write it: its number and its name."""
    return f"{number} {title}"


def revocation_reason(reason: str) -> str:
    """Returns the Swedish name of a revocation reason (spärrorsak), or an empty text without a reason."""
    return SWEDISH[RevocationReason(reason)] if reason else ""
