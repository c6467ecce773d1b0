"""How a reserve card is handed out (rules/issuance 5.7): states, ends, and the content that officers sign on level 3."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from issuance.authz.roles import Action

SCHEMA = "siths-reserve-card/1"
OWN_ACTIVATION_DAYS = 14
"""For so many days after a hand-out its identification lets the holder activate the card without a further visit."""

RIGHTS: Mapping[int, Action] = {2: Action.ISSUE_RESERVE_CARD, 3: Action.ISSUE_RESERVE_CARD_LOA3}
"""The right to hand out a reserve card, by assurance level."""


class IssueState(StrEnum):
    """The state of a hand-out. On level 3 the first officer signs, then it waits for the second. The last four are final."""

    PROPOSED = "proposed"
    WAITING = "waiting"
    BOUND = "bound"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class IssueAction(StrEnum):
    """The actions on a hand-out."""

    SIGN = "signed"
    APPROVE = "approved"
    REJECT = "rejected"
    EXPIRE = "expired"
    CANCEL = "cancelled"


OPEN = (IssueState.PROPOSED, IssueState.WAITING)

_S, _A = IssueState, IssueAction
TRANSITIONS: Mapping[tuple[IssueState, IssueAction], IssueState] = {
    (_S.PROPOSED, _A.SIGN): _S.WAITING,
    (_S.PROPOSED, _A.CANCEL): _S.CANCELLED,
    (_S.WAITING, _A.APPROVE): _S.BOUND,
    (_S.WAITING, _A.REJECT): _S.REJECTED,
    (_S.WAITING, _A.CANCEL): _S.CANCELLED,
    **{(state, _A.EXPIRE): _S.EXPIRED for state in OPEN},
}


class Part(StrEnum):
    """Which of the two officers signs."""

    FIRST = "first"
    SECOND = "second"


@dataclass(frozen=True)
class Facts:
    """What both officers sign: serial, person, assignment and end."""

    issue: str
    card_serial: str
    person: str
    person_id: str
    hsa_id: str
    organisation: str
    assurance_level: int
    valid_to: dt.datetime


def content(facts: Facts, *, part: Part, officer: str, identity_document: str) -> dict[str, object]:
    """Returns what an officer signs, as JSON values. `officer` is the id of the officer's person."""
    return {
        "schema": SCHEMA,
        "part": part.value,
        "officer": officer,
        "identity_document": identity_document,
        "issue": facts.issue,
        "card_serial": facts.card_serial,
        "person": facts.person,
        "person_id": facts.person_id,
        "hsa_id": facts.hsa_id,
        "organisation": facts.organisation,
        "assurance_level": facts.assurance_level,
        "valid_to": facts.valid_to.astimezone(dt.UTC).isoformat(timespec="seconds"),
    }
