"""States and transitions of an enrolment, by which a holder gets a mobile eID (rules/issuance 5.12)."""

from collections.abc import Mapping
from enum import StrEnum

from django.utils.translation import gettext_noop as _


class EnrolmentState(StrEnum):
    """The state of an enrolment. The last six are final.

    ACCEPTED waits for the second log-in, OFFERED for a device that takes the start code.
    """

    ACCEPTED = "accepted"
    OFFERED = "offered"
    STARTED = "started"
    CODE_SET = "code_set"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    REFUSED = "refused"


class EnrolmentAction(StrEnum):
    """The actions on an enrolment. OFFER keeps the state of one that is offered already: it gets another start code."""

    OFFER = "offered"
    START = "started"
    SET_CODE = "code_set"
    COMPLETE = "completed"
    CANCEL = "cancelled"
    EXPIRE = "expired"
    FAIL = "failed"
    SUPERSEDE = "superseded"


class Refusal(StrEnum):
    """Why a holder was refused a mobile eID on a device. The enrolment keeps it."""

    SHARED = "shared-device"
    OF_ANOTHER = "device-of-another"
    HAS_EID = "device-has-eid"


SWEDISH: Mapping[str, str] = {
    Refusal.SHARED: _("Flera använder enheten"),
    Refusal.OF_ANOTHER: _("En annan person har Mobilt SITHS på enheten"),
    Refusal.HAS_EID: _("Innehavaren har redan Mobilt SITHS på enheten"),
}
"""The words for refusals."""

OPEN = (EnrolmentState.ACCEPTED, EnrolmentState.OFFERED, EnrolmentState.STARTED, EnrolmentState.CODE_SET)
WITH_DEVICE = (EnrolmentState.STARTED, EnrolmentState.CODE_SET, EnrolmentState.COMPLETED)
"""The states in which a device has taken the start code, and has a carrier."""

_ENDS = {
    EnrolmentAction.CANCEL: EnrolmentState.CANCELLED,
    EnrolmentAction.EXPIRE: EnrolmentState.EXPIRED,
    EnrolmentAction.FAIL: EnrolmentState.FAILED,
    EnrolmentAction.SUPERSEDE: EnrolmentState.SUPERSEDED,
}

TRANSITIONS: Mapping[tuple[EnrolmentState, EnrolmentAction], EnrolmentState] = {
    (EnrolmentState.ACCEPTED, EnrolmentAction.OFFER): EnrolmentState.OFFERED,
    (EnrolmentState.OFFERED, EnrolmentAction.OFFER): EnrolmentState.OFFERED,
    (EnrolmentState.OFFERED, EnrolmentAction.START): EnrolmentState.STARTED,
    (EnrolmentState.STARTED, EnrolmentAction.SET_CODE): EnrolmentState.CODE_SET,
    (EnrolmentState.CODE_SET, EnrolmentAction.COMPLETE): EnrolmentState.COMPLETED,
    **{(state, action): end for state in OPEN for action, end in _ENDS.items()},
}
