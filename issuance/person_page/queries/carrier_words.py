"""How a carrier is named and drawn on the person's page."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import INVALID, CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Carrier

_NOUN: Mapping[str, str] = {kinds.ORDINARY_CARD.code: _("kort"), kinds.MOBILE_EID.code: _("mobilt SITHS")}
"""The noun of a kind in a name; other kinds have their own name."""

_NAME: Mapping[CarrierState, str] = {
    CarrierState.ACTIVATED_UNSIGNED: _("{noun} utan underskrift"),
    CarrierState.SENT: _("nytt {noun}"),
    CarrierState.RESERVED: _("reserverat {noun}"),
    CarrierState.ACTIVE: _("{noun} i bruk"),
    CarrierState.ORDERED: _("beställt {noun}"),
    CarrierState.IN_STOCK: _("{noun} i lager"),
    CarrierState.REVOKED: _("spärrat {noun}"),
    CarrierState.EXPIRED: _("utgånget {noun}"),
    CarrierState.CANCELLED: _("avbrutet {noun}"),
}
"""The name of a carrier in each state, in the order in which the page shows them."""

_RANK = {state: rank for rank, state in enumerate(_NAME)}

_FACE: Mapping[CarrierState, str] = {
    CarrierState.ORDERED: "ordered",
    CarrierState.SENT: "sent",
    CarrierState.IN_STOCK: "active",
    CarrierState.RESERVED: "sent",
    CarrierState.ACTIVATED_UNSIGNED: "sent",
    CarrierState.ACTIVE: "active",
    CarrierState.REVOKED: "invalid",
    CarrierState.EXPIRED: "invalid",
    CarrierState.CANCELLED: "invalid",
}
"""How `components/card_face.html` draws a state: `sent` is lit, because something remains to be done."""

_ENDED_EIDS = (EidState.REVOKED, EidState.EXPIRED)
"""States of an eID that a carrier in use tells, the worst first."""


@dataclass(frozen=True)
class Face:
    """What `components/card_face.html` draws. `has_photo` means that a photo is printed on the card."""

    state: str
    monogram: str
    format: str
    has_photo: bool


def name(kind: str, state: str) -> str:
    """Returns the name of a carrier in words, as "Kort i bruk"."""
    noun = gettext(_NOUN[kind]) if kind in _NOUN else gettext(kinds.kind_of(kind).name).lower()
    text = gettext(_NAME[CarrierState(state)]).format(noun=noun)
    return text[:1].upper() + text[1:]


def rank(state: str) -> int:
    """Returns the place of carriers in `state` on the page: what waits for the holder first, what has ended last."""
    return _RANK[CarrierState(state)]


def face(carrier: Carrier) -> Face:
    """Returns the drawing of a carrier with its organisation and article, if it has one."""
    is_generic = kinds.kind_of(carrier.kind).generic_look
    state, letters = _FACE[CarrierState(carrier.state)], "" if is_generic else monogram(carrier.organisation.name)
    if (article := carrier.article) is None:
        return Face(state, letters, "portrait", has_photo=False)
    return Face(state, letters, article.orientation, article.photo)


def monogram(organisation: str) -> str:
    """Returns one or two letters for an organisation's name, in place of its logotype."""
    return "".join(word[0] for word in organisation.split()[:2] if word[0].isalpha()).upper()


def is_unusual(eid_state: str, carrier_state: str) -> bool:
    """Returns whether an eID has another state than one expects from its carrier's."""
    if carrier_state in INVALID:
        return eid_state != carrier_state
    return eid_state != (EidState.ACTIVE if carrier_state == CarrierState.ACTIVE else EidState.ORDERED)


def worst_eid(state: str, eid_states: Collection[str]) -> str:
    """Returns the state of the worst eID on a carrier in use that has ended eIDs, or an empty text."""
    if state != CarrierState.ACTIVE:
        return ""
    return next((each.value for each in _ENDED_EIDS if each in eid_states), "")
