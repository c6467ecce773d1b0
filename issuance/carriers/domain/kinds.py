"""Kinds of carriers. One declaration says everything in which a kind differs; pages, steps, lists and constraints read it.

A new kind is a new declaration, and a migration for the database's list of kinds. `docs/carrier-kinds.md` is made from them by
`manage.py issuance_carrier_kinds`.
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
    """What a certificate belongs to: an eID (one post of the holder), or the carrier itself."""

    EID = "eid"
    CARRIER = "carrier"


class Stage(StrEnum):
    """When a certificate is issued: while the supplier makes the carrier, or when the holder activates it."""

    PERSONALISATION = "personalisation"
    ACTIVATION = "activation"


class Need(StrEnum):
    """What an activation needs before the carrier is active."""

    VISIT = "visit"
    PUK = "puk"
    ENVELOPE_CODE = "envelope_code"
    DEVICE = "device"
    NEW_CODE = "new_code"
    SIGNED_RECEIPT = "signed_receipt"


class Function(StrEnum):
    """What an officer does with a carrier on pages."""

    ORDER = "order"
    ACTIVATE = "activate"
    REVOKE = "revoke"
    REPLACE = "replace"


@dataclass(frozen=True)
class CertificateSpec:
    """A certificate that carriers of a kind hold: its profile in `pki`, what it belongs to, and when it is issued.

    `ca` is the family of CAs that issue it; the assurance level makes the CA's name whole (`person-id-3`).
    """

    profile: str
    ca: str
    owner: Owner
    stage: Stage


@dataclass(frozen=True)
class FunctionRule:
    """When an officer may use a function: the right, and the states in which the page offers it.

    `label` is its text; `labels` are those of single states. `waits` says why the function is off in a state that offers it.
    """

    right: Action
    label: str
    states: frozenset[CarrierState] = frozenset()
    labels: Mapping[CarrierState, str] | None = None
    waits: Mapping[CarrierState, str] | None = None

    def label_in(self, state: CarrierState) -> str:
        """The text of the function on a carrier in `state`."""
        return (self.labels or {}).get(state, self.label)

    def reason_in(self, state: CarrierState) -> str:
        """Why the function is off on a carrier in `state`; empty if its state allows it."""
        return (self.waits or {}).get(state, "")


@dataclass(frozen=True)
class CarrierKind:
    """Everything in which a kind of carrier differs from others.

    `type` and `name` are what pages call it. `article_kinds` are the kinds of articles that are ordered as it; none means that
    no supplier makes it. `unbound` are the states in which it has no holder yet; in all others it has one. `held_until_code`:
    its certificates are on hold from issuance until the holder has chosen the code. `assurance_levels` are those it may have.
    `carrier_years` and `eid_years` name the settings of their validity. `subscribed`: a holder with a valid eID on it counts
    for the subscription.
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
    subscribed: bool = False

    def rule(self, function: Function) -> FunctionRule | None:
        """The rule of a function; None if carriers of this kind do not have it."""
        return (self.functions or {}).get(function)

    def allows(self, function: Function, state: str) -> bool:
        """True if the state of a carrier admits the function."""
        rule = self.rule(function)
        return rule is not None and state in rule.states and not rule.reason_in(CarrierState(state))

    def profiles(self, owner: Owner | None = None, stage: Stage | None = None) -> tuple[str, ...]:
        """The certificate profiles, of one owner and stage if they are given, in the order in which they are requested."""
        return tuple(each.profile for each in self.certificates if owner in (None, each.owner) and stage in (None, each.stage))

    def certificate(self, profile: str) -> CertificateSpec:
        """Returns the certificate with this profile. Raises KeyError if carriers of this kind hold none."""
        for each in self.certificates:
            if each.profile == profile:
                return each
        raise KeyError(profile)


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
        **_revocable(_S.ORDERED, _S.SENT, _S.ACTIVATED_UNSIGNED, _S.ACTIVE),
    },
    assurance_levels=frozenset({2, 3}),
    carrier_years="CARD_VALIDITY_YEARS",
    eid_years="EID_VALIDITY_YEARS",
    certificates=(
        CertificateSpec("person-hsaid-auth", "person-hsaid", Owner.EID, Stage.PERSONALISATION),
        CertificateSpec("person-hsaid-sign", "person-hsaid", Owner.EID, Stage.PERSONALISATION),
        CertificateSpec("person-id-auth", "person-id", Owner.CARRIER, Stage.PERSONALISATION),
        CertificateSpec("person-id-sign", "person-id", Owner.CARRIER, Stage.PERSONALISATION),
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
        Function.REVOKE: REVOKE_CARD,
        Function.REPLACE: FunctionRule(
            Action.REVOKE_CARRIER, _("Spärra och beställ nytt kort"), frozenset({_S.SENT, _S.ACTIVATED_UNSIGNED})
        ),
    },
    subscribed=True,
)

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
        CertificateSpec("transport", "person-hsaid", Owner.CARRIER, Stage.PERSONALISATION),
        CertificateSpec("person-hsaid-auth", "person-hsaid", Owner.EID, Stage.ACTIVATION),
        CertificateSpec("person-hsaid-sign", "person-hsaid", Owner.EID, Stage.ACTIVATION),
    ),
    activation=frozenset({Need.VISIT, Need.ENVELOPE_CODE, Need.NEW_CODE, Need.SIGNED_RECEIPT}),
    functions={Function.REVOKE: REVOKE_CARD},
    subscribed=True,
)

MOBILE_EID = CarrierKind(
    code="mobile_eid",
    type=_("Mobilt SITHS"),
    name=_("Mobil"),
    transitions={
        (_S.ORDERED, _A.SET_CODE): _S.ACTIVATED_UNSIGNED,
        (_S.ORDERED, _A.CANCEL): _S.CANCELLED,
        **_SIGNING,
        **_revocable(_S.ORDERED, _S.ACTIVATED_UNSIGNED, _S.ACTIVE),
    },
    assurance_levels=frozenset({2, 3}),
    carrier_years="EID_VALIDITY_YEARS",
    eid_years="EID_VALIDITY_YEARS",
    certificates=(
        CertificateSpec("mobile-auth", "person-id-mobile", Owner.CARRIER, Stage.ACTIVATION),
        CertificateSpec("mobile-sign", "person-id-mobile", Owner.CARRIER, Stage.ACTIVATION),
    ),
    activation=frozenset({Need.DEVICE, Need.NEW_CODE, Need.SIGNED_RECEIPT}),
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
    functions={Function.REVOKE: REVOKE_CARD},
)

_KINDS: dict[str, CarrierKind] = {kind.code: kind for kind in (ORDINARY_CARD, RESERVE_CARD, MOBILE_EID, TEST_CARD)}


def all_kinds() -> Iterator[CarrierKind]:
    """Every kind, in the order of their declarations."""
    yield from _KINDS.values()


def kind_of(code: str) -> CarrierKind:
    """Returns the kind with this code. Raises KeyError if there is none."""
    return _KINDS[code]


def rights(function: Function) -> dict[Action, list[str]]:
    """The rights that a function needs, each with the codes of the kinds that need it."""
    found: dict[Action, list[str]] = {}
    for kind in all_kinds():
        if rule := kind.rule(function):
            found.setdefault(rule.right, []).append(kind.code)
    return found


def codes(which: Callable[[CarrierKind], bool] = lambda _kind: True) -> list[str]:
    """The codes of the kinds that `which` takes, in the order of their declarations."""
    return [kind.code for kind in all_kinds() if which(kind)]


def of_article(article_kind: str) -> CarrierKind:
    """Returns the kind that an article of this kind is ordered as. Raises KeyError if there is none."""
    for kind in all_kinds():
        if article_kind in kind.article_kinds:
            return kind
    raise KeyError(article_kind)


@contextmanager
def added(kind: CarrierKind) -> Iterator[None]:
    """Adds a kind for a while, for tests. Raises ValueError if its code or one of its article kinds is taken."""
    if kind.code in _KINDS or any(kind.article_kinds & other.article_kinds for other in all_kinds()):
        raise ValueError(f"A kind of carrier with the code or articles of {kind.code} is declared already")
    _KINDS[kind.code] = kind
    try:
        yield
    finally:
        del _KINDS[kind.code]
