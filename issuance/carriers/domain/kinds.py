"""Kinds of carriers. One declaration holds all properties of a kind; pages, transitions, lists and constraints read it.

A new kind needs a new declaration, and a migration for the database's list of kinds. `manage.py issuance_carrier_kinds` writes
`docs/carrier-kinds.md` from the declarations.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext_noop as _

from issuance.authz.roles import Action
from issuance.carriers.domain.carrier_states import INVALID, CarrierAction, CarrierState

type Transitions = Mapping[tuple[CarrierState, CarrierAction], CarrierState]


class Owner(StrEnum):
    """The owner of a certificate: an eID (one assignment of the holder), or the carrier itself."""

    EID = "eid"
    CARRIER = "carrier"


class Stage(StrEnum):
    """When a certificate is issued: while the supplier makes the carrier, or when the holder activates it."""

    PERSONALISATION = "personalisation"
    ACTIVATION = "activation"


class Need(StrEnum):
    """A requirement of activation. CONFIRMATION is the holder's signature with the new key, in place of a receipt at a visit."""

    VISIT = "visit"
    PUK = "puk"
    ENVELOPE_CODE = "envelope_code"
    DEVICE = "device"
    NEW_CODE = "new_code"
    SIGNED_RECEIPT = "signed_receipt"
    CONFIRMATION = "confirmation"


class Function(StrEnum):
    """A function that officers have on a carrier's page, or on that of its coming holder (ORDER, HAND_OUT)."""

    ORDER = "order"
    ACTIVATE = "activate"
    REVOKE = "revoke"
    REPLACE = "replace"
    UNLOCK = "unlock"
    ORDER_PUK_LETTER = "order_puk_letter"
    HAND_OUT = "hand_out"


class EidOrderKind(StrEnum):
    """Why an eID is ordered on a carrier in use: for a further assignment, or to replace an eID on the carrier. An extension
    replaces the one of a reserve card, once, by its holder.
    """

    ADDITIONAL = "additional"
    RENEWAL = "renewal"
    EXTENSION = "extension"


@dataclass(frozen=True)
class CertificateSpec:
    """A certificate on carriers of a kind: its profile in `pki`, its owner, and when it is issued.

    `cas` has the slug of the CA that issues it, for each assurance level of the kind. CA and profile decide the policy OID
    (rules/pki 2.3).
    """

    profile: str
    cas: Mapping[int, str]
    owner: Owner
    stage: Stage


@dataclass(frozen=True)
class FunctionRule:
    """The conditions of a function: the right it needs, and the states in which the page offers it.

    `label` is its text; `labels` has the texts for single states. `waits` gives the reason for states in which the page shows the
    function as disabled.
    """

    right: Action
    label: str
    states: frozenset[CarrierState] = frozenset()
    labels: Mapping[CarrierState, str] | None = None
    waits: Mapping[CarrierState, str] | None = None

    def label_in(self, state: CarrierState) -> str:
        """Returns the text of the function for a carrier in `state`."""
        return (self.labels or {}).get(state, self.label)

    def reason_in(self, state: CarrierState) -> str:
        """Returns why the function is disabled for a carrier in `state`; empty if the state allows it."""
        return (self.waits or {}).get(state, "")


@dataclass(frozen=True)
class EidOrderRule:
    """The conditions of an eID order on a carrier: the right, and the states of the carrier that allow it.

    `name` is its name on pages. `replaces` means that the new eID replaces one on the carrier.
    """

    right: Action
    name: str
    states: frozenset[CarrierState]
    replaces: bool = False


@dataclass(frozen=True)
class CarrierKind:
    """All properties of a kind of carrier.

    `type` and `name` are its names on pages. `article_kinds` are the kinds of articles that are ordered as it; if empty, no
    supplier makes it. `unbound` are the states in which it has no holder yet. `held_until_code` means that its certificates are
    on hold from issuance until the holder has chosen the code. `assurance_levels` are its possible levels. `carrier_years` and
    `eid_years` are names of settings with the validity. `subscribed` means that a holder with a valid eID on it counts for the
    subscription. `eid_orders` are the eIDs that are ordered on it later and that the holder fetches. `generic_look` means that it
    has the look of SITHS eID and no photo, whatever its organisation's cards have. `for_test_persons` means that it is ordered
    only for booked test persons, where the environment names them.
    """

    code: str
    type: str
    name: str
    transitions: Transitions
    assurance_levels: frozenset[int]
    carrier_years: str
    eid_years: str
    article_kinds: frozenset[str] = frozenset()
    unbound: frozenset[CarrierState] = frozenset()
    certificates: tuple[CertificateSpec, ...] = ()
    held_until_code: bool = False
    activation: frozenset[Need] = frozenset()
    functions: Mapping[Function, FunctionRule] | None = None
    eid_orders: Mapping[EidOrderKind, EidOrderRule] | None = None
    subscribed: bool = False
    generic_look: bool = False
    for_test_persons: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError if a certificate has no CA for a level of the kind, or has one for another level."""
        for each in self.certificates:
            if set(each.cas) != self.assurance_levels:
                raise ValueError(f"{self.code}: {each.profile} needs one CA for each of the levels {set(self.assurance_levels)}")

    def rule(self, function: Function) -> FunctionRule | None:
        """Returns the rule of a function, or None if carriers of this kind do not have it."""
        return (self.functions or {}).get(function)

    def eid_order(self, order: EidOrderKind) -> EidOrderRule | None:
        """Returns the rule of an eID order, or None if carriers of this kind do not accept it."""
        return (self.eid_orders or {}).get(order)

    def allows(self, function: Function, state: str) -> bool:
        """True if a carrier in `state` allows the function."""
        rule = self.rule(function)
        return rule is not None and state in rule.states and not rule.reason_in(CarrierState(state))

    def profiles(self, owner: Owner | None = None, stage: Stage | None = None) -> tuple[str, ...]:
        """Returns the certificate profiles, filtered by owner and stage if given, in the order in which they are requested."""
        return tuple(each.profile for each in self.certificates if owner in (None, each.owner) and stage in (None, each.stage))

    @property
    def makes_keys_at_activation(self) -> bool:
        """True if the holder's keys are made on the carrier when it is activated, and certified then."""
        return bool(self.profiles(stage=Stage.ACTIVATION))

    @property
    def active_on_delivery(self) -> bool:
        """True if it can be used as soon as the supplier has sent it, without a visit."""
        return self.transitions.get((CarrierState.ORDERED, CarrierAction.SEND)) is CarrierState.ACTIVE

    @property
    def is_card(self) -> bool:
        """True if a supplier makes it, by an article. Another kind is on a device of the holder's."""
        return bool(self.article_kinds)

    @property
    def bears_eids(self) -> bool:
        """True if eIDs are on it. Without them, its own certificates are what the holder uses."""
        return bool(self.profiles(Owner.EID))

    @property
    def needs_puk(self) -> bool:
        """True if the portal keeps its PUK. A kind with an envelope code has its code changed in place of a PUK."""
        return Need.ENVELOPE_CODE not in self.activation

    def certificate(self, profile: str) -> CertificateSpec:
        """Returns the certificate with this profile. Raises KeyError if carriers of this kind have none."""
        for each in self.certificates:
            if each.profile == profile:
                return each
        raise KeyError(profile)

    def ca_of(self, profile: str, assurance_level: int) -> str:
        """Returns the slug of the CA that issues the profile on carriers of this level. Raises KeyError if there is none."""
        return self.certificate(profile).cas[assurance_level]


_S, _A = CarrierState, CarrierAction
_LIVING = frozenset(CarrierState) - INVALID
_PRODUCTION: Transitions = {
    (_S.ORDERED, _A.BIND_SERIAL): _S.ORDERED,
    (_S.ORDERED, _A.REGISTER_PRODUCED): _S.ORDERED,
    (_S.ORDERED, _A.SEND): _S.SENT,
    (_S.ORDERED, _A.CANCEL): _S.CANCELLED,
}
_SIGNING: Transitions = {
    (_S.ACTIVATED_UNSIGNED, _A.BLOCK_CODE): _S.ACTIVATED_UNSIGNED,
    (_S.ACTIVATED_UNSIGNED, _A.RESET_CODE): _S.ACTIVATED_UNSIGNED,
    (_S.ACTIVATED_UNSIGNED, _A.SIGN_RECEIPT): _S.ACTIVE,
    (_S.ACTIVE, _A.EXPIRE): _S.EXPIRED,
}


def _revocable(*states: CarrierState) -> Transitions:
    return {(state, _A.REVOKE): _S.REVOKED for state in states}


_HSA_ID_CAS = {3: "person-hsaid-3", 2: "person-hsaid-2"}
_PERSON_ID_CAS = {3: "person-id-3", 2: "person-id-2"}
_TRANSPORT_CAS = dict.fromkeys((3, 2), "person-hsaid-2")  # it identifies the card and no person, so the level does not matter
_MOBILE_CAS = {3: "person-id-mobile"}

REVOKE_CARD = FunctionRule(Action.REVOKE_CARRIER, _("Spärra kort"), _LIVING)

ORDINARY_CARD = CarrierKind(
    code="ordinary_card",
    type=_("SITHS-kort"),
    name=_("Ordinarie kort"),
    article_kinds=frozenset({"ordinary", "student", "company"}),
    transitions={
        **_PRODUCTION,
        (_S.SENT, _A.SET_CODE): _S.ACTIVATED_UNSIGNED,
        **_SIGNING,
        (_S.ACTIVE, _A.UNLOCK): _S.ACTIVE,
        **_revocable(_S.ORDERED, _S.SENT, _S.ACTIVATED_UNSIGNED, _S.ACTIVE),
    },
    assurance_levels=frozenset({2, 3}),
    carrier_years="CARD_VALIDITY_YEARS",
    eid_years="EID_VALIDITY_YEARS",
    certificates=(
        CertificateSpec("person-hsaid-auth", _HSA_ID_CAS, Owner.EID, Stage.PERSONALISATION),
        CertificateSpec("person-hsaid-sign", _HSA_ID_CAS, Owner.EID, Stage.PERSONALISATION),
        CertificateSpec("person-id-auth", _PERSON_ID_CAS, Owner.CARRIER, Stage.PERSONALISATION),
        CertificateSpec("person-id-sign", _PERSON_ID_CAS, Owner.CARRIER, Stage.PERSONALISATION),
    ),
    held_until_code=True,
    activation=frozenset({Need.VISIT, Need.PUK, Need.NEW_CODE, Need.SIGNED_RECEIPT}),
    functions={
        Function.ORDER: FunctionRule(Action.ORDER_ORDINARY_CARD, _("Nytt SITHS eID ordinarie kort")),
        Function.ACTIVATE: FunctionRule(
            Action.ACTIVATE_ORDINARY_CARD,
            _("Aktivera kort"),
            frozenset({_S.ORDERED, _S.SENT, _S.ACTIVATED_UNSIGNED}),
            labels={_S.ACTIVATED_UNSIGNED: _("Fortsätt aktiveringen")},
            waits={_S.ORDERED: _("Kortet kan aktiveras när det har status Skickat.")},
        ),
        Function.UNLOCK: FunctionRule(Action.UNLOCK_CARD, _("Lås upp kort"), frozenset({_S.ACTIVE})),
        Function.REVOKE: REVOKE_CARD,
        Function.REPLACE: FunctionRule(
            Action.REVOKE_CARRIER, _("Ersätt kort"), frozenset({_S.SENT, _S.ACTIVATED_UNSIGNED, _S.ACTIVE})
        ),
        Function.ORDER_PUK_LETTER: FunctionRule(Action.ORDER_PUK_LETTER, _("Beställ PUK-brev"), frozenset({_S.ACTIVE})),
    },
    eid_orders={
        EidOrderKind.ADDITIONAL: EidOrderRule(Action.ORDER_EID, _("Extra SITHS eID"), frozenset({_S.ACTIVE})),
        EidOrderKind.RENEWAL: EidOrderRule(
            Action.ORDER_EID, _("Uppdatering av SITHS eID"), frozenset({_S.ACTIVE}), replaces=True
        ),
    },
    subscribed=True,
)
HSA_PROFILES = ORDINARY_CARD.profiles(Owner.EID)
PERSON_ID_PROFILES = ORDINARY_CARD.profiles(Owner.CARRIER)
CARD_PROFILES = HSA_PROFILES + PERSON_ID_PROFILES
"""The certificate profiles of ordinary cards by owner, in the order in which they are requested."""

RESERVE_CARD = CarrierKind(
    code="reserve_card",
    type=_("SITHS-kort"),
    name=_("Reservkort"),
    article_kinds=frozenset({"reserve"}),
    transitions={
        **_PRODUCTION,
        (_S.SENT, _A.RECEIVE): _S.IN_STOCK,
        (_S.IN_STOCK, _A.BIND_HOLDER): _S.RESERVED,
        (_S.RESERVED, _A.SET_CODE): _S.ACTIVATED_UNSIGNED,
        **_SIGNING,
        (_S.ACTIVE, _A.BIND_HOLDER): _S.RESERVED,
        **_revocable(_S.ORDERED, _S.SENT, _S.IN_STOCK, _S.RESERVED, _S.ACTIVATED_UNSIGNED, _S.ACTIVE),
    },
    assurance_levels=frozenset({2, 3}),
    carrier_years="CARD_VALIDITY_YEARS",
    eid_years="EID_VALIDITY_YEARS",
    unbound=frozenset({_S.ORDERED, _S.SENT, _S.IN_STOCK}),
    certificates=(
        CertificateSpec("transport", _TRANSPORT_CAS, Owner.CARRIER, Stage.PERSONALISATION),
        CertificateSpec("person-hsaid-auth", _HSA_ID_CAS, Owner.EID, Stage.ACTIVATION),
        CertificateSpec("person-hsaid-sign", _HSA_ID_CAS, Owner.EID, Stage.ACTIVATION),
    ),
    activation=frozenset({Need.VISIT, Need.ENVELOPE_CODE, Need.NEW_CODE, Need.SIGNED_RECEIPT}),
    functions={
        Function.HAND_OUT: FunctionRule(Action.ISSUE_RESERVE_CARD, _("Nytt SITHS eID reservkort")),
        Function.ACTIVATE: FunctionRule(
            Action.ISSUE_RESERVE_CARD,
            _("Aktivera kort"),
            frozenset({_S.RESERVED, _S.ACTIVATED_UNSIGNED}),
            labels={_S.ACTIVATED_UNSIGNED: _("Fortsätt aktiveringen")},
        ),
        Function.REVOKE: REVOKE_CARD,
    },
    eid_orders={
        EidOrderKind.EXTENSION: EidOrderRule(
            Action.FETCH_EID, _("Förlängning av SITHS eID"), frozenset({_S.ACTIVE}), replaces=True
        ),
    },
    subscribed=True,
    generic_look=True,
)

MOBILE_EID = CarrierKind(
    code="mobile_eid",
    type=_("Mobilt SITHS"),
    name=_("Mobil"),
    transitions={
        (_S.ORDERED, _A.SET_CODE): _S.ACTIVATED_UNSIGNED,
        (_S.ORDERED, _A.CANCEL): _S.CANCELLED,
        (_S.ACTIVATED_UNSIGNED, _A.CONFIRM): _S.ACTIVE,
        (_S.ACTIVE, _A.EXPIRE): _S.EXPIRED,
        **_revocable(_S.ORDERED, _S.ACTIVATED_UNSIGNED, _S.ACTIVE),
    },
    assurance_levels=frozenset({3}),
    carrier_years="EID_VALIDITY_YEARS",
    eid_years="EID_VALIDITY_YEARS",
    certificates=(
        CertificateSpec("mobile-auth", _MOBILE_CAS, Owner.CARRIER, Stage.ACTIVATION),
        CertificateSpec("mobile-sign", _MOBILE_CAS, Owner.CARRIER, Stage.ACTIVATION),
    ),
    activation=frozenset({Need.DEVICE, Need.NEW_CODE, Need.CONFIRMATION}),
    functions={Function.REVOKE: FunctionRule(Action.REVOKE_CARRIER, _("Spärra Mobilt SITHS"), _LIVING)},
)

TEST_CARD = CarrierKind(
    code="test_card",
    type=_("SITHS-kort"),
    name=_("Testkort"),
    article_kinds=frozenset({"test"}),
    transitions={
        **_PRODUCTION,
        (_S.ORDERED, _A.SEND): _S.ACTIVE,
        (_S.ACTIVE, _A.EXPIRE): _S.EXPIRED,
        **_revocable(_S.ORDERED, _S.ACTIVE),
    },
    assurance_levels=frozenset({2, 3}),
    carrier_years="CARD_VALIDITY_YEARS",
    eid_years="EID_VALIDITY_YEARS",
    certificates=ORDINARY_CARD.certificates,
    functions={
        Function.ORDER: FunctionRule(Action.ORDER_ORDINARY_CARD, _("Nytt testkort")),
        Function.REVOKE: REVOKE_CARD,
    },
    generic_look=True,
    for_test_persons=True,
)

_KINDS: dict[str, CarrierKind] = {kind.code: kind for kind in (ORDINARY_CARD, RESERVE_CARD, MOBILE_EID, TEST_CARD)}


def all_kinds() -> Iterator[CarrierKind]:
    """Yields every kind, in the order of declaration."""
    yield from _KINDS.values()


def kind_of(code: str) -> CarrierKind:
    """Returns the kind with this code. Raises KeyError if there is none."""
    return _KINDS[code]


def rights(function: Function) -> dict[Action, list[str]]:
    """Returns the rights that a function needs, each with the codes of the kinds that need it."""
    found: dict[Action, list[str]] = {}
    for kind in all_kinds():
        if rule := kind.rule(function):
            found.setdefault(rule.right, []).append(kind.code)
    return found


def codes(which: Callable[[CarrierKind], bool] = lambda _kind: True) -> list[str]:
    """Returns the codes of the kinds that `which` accepts, in the order of declaration."""
    return [kind.code for kind in all_kinds() if which(kind)]


def of_article(article_kind: str) -> CarrierKind:
    """Returns the kind for articles of this kind. Raises KeyError if there is none."""
    for kind in all_kinds():
        if article_kind in kind.article_kinds:
            return kind
    raise KeyError(article_kind)


@contextmanager
def added(kind: CarrierKind) -> Iterator[None]:
    """Adds a kind for the duration of a test. Raises ValueError if its code or one of its article kinds is taken."""
    if kind.code in _KINDS or any(kind.article_kinds & other.article_kinds for other in all_kinds()):
        raise ValueError(f"A kind of carrier with the code or articles of {kind.code} is declared already")
    _KINDS[kind.code] = kind
    try:
        yield
    finally:
        del _KINDS[kind.code]
