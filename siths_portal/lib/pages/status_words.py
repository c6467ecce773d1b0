"""Words for states, in the gender of what has the state: a card and an eID are neuter in Swedish, an order is not.

The labels *Beställd* and *Aktiv* of a card are those that users know from the former portal, so they stay (`docs/design.md`).
"""

from collections.abc import Mapping
from enum import StrEnum

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _


class Noun(StrEnum):
    """What has a state. CARD is the label of a card's status; a card in a sentence or a history has the words of an EID."""

    CARD = "card"
    EID = "eid"
    ORDER = "order"


_NEUTER: Mapping[str, str] = {
    "ordered": _("Beställt"),
    "sent": _("Skickat"),
    "in_stock": _("I lager"),
    "reserved": _("Reserverat"),
    "activated_unsigned": _("Aktiverat, underskrift saknas"),
    "active": _("Aktivt"),
    "revoked": _("Spärrat"),
    "expired": _("Utgånget"),
    "cancelled": _("Avbrutet"),
}
_COMMON: Mapping[str, str] = {
    "ordered": _("Beställd"),
    "fetched": _("Hämtad"),
    "cancelled": _("Avbruten"),
    "expired": _("Utgången"),
}
_KNOWN_LABELS: Mapping[str, str] = {"ordered": _("Beställd"), "active": _("Aktiv")}

WORDS: Mapping[Noun, Mapping[str, str]] = {Noun.CARD: {**_NEUTER, **_KNOWN_LABELS}, Noun.EID: _NEUTER, Noun.ORDER: _COMMON}
"""The words of each noun's states, not translated yet."""


def word(noun: Noun, state: str) -> str:
    """Returns the word for the state of `noun`, or an empty text for a state that it does not have."""
    return gettext(WORDS[noun][state]) if state in WORDS[noun] else ""
