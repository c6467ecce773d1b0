"""Functions shared by the holder's and the device's side of an enrolment: secrets, times, locks, end."""

import base64
import re
import secrets
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from issuance.carriers.domain.carrier_states import INVALID
from issuance.carriers.domain.kinds import MOBILE_EID
from issuance.carriers.models import Carrier
from issuance.mobile.domain.states import OPEN, EnrolmentAction, EnrolmentState
from issuance.mobile.models import MobileEnrolment
from issuance.people.models.persons import Person
from issuance.records.services import steps
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Conflict, Unauthenticated

_PREFIX = "mob."
_HANDLE = re.compile(rf"{re.escape(_PREFIX)}[A-Za-z0-9_-]{{22}}")
_OPEN = [state.value for state in OPEN]
_ENDED = {
    EnrolmentState.COMPLETED: "Det här mobila SITHS:et är redan klart.",
    EnrolmentState.CANCELLED: "Du har avbrutit. Börja om på Mina sidor.",
    EnrolmentState.EXPIRED: "Tiden har gått ut. Börja om på Mina sidor.",
    EnrolmentState.FAILED: "Det gick inte att slutföra. Börja om på Mina sidor.",
    EnrolmentState.SUPERSEDED: "Du har börjat om. Använd koden som visas på Mina sidor nu.",
    EnrolmentState.REFUSED: "Enheten går inte att använda. Använd en enhet som bara du har.",
}


def new_handle() -> str:
    """Returns a start code of 128 random bits with the prefix of mobile eIDs."""
    return f"{_PREFIX}{secrets.token_urlsafe(16)}"


def new_step_token(row: MobileEnrolment) -> str:
    """Returns the secret of the device for the further steps: a MAC that only the site's processes can make."""
    value = f"{row.pk}|{row.device_key_sha256}|{row.handle_sha256}"
    made = salted_hmac("issuance.mobile.step-token", value, algorithm="sha256").digest()
    return _PREFIX + base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def is_of_mobile(secret: str) -> bool:
    """Returns True if the text begins like the start codes and step tokens of mobile eIDs."""
    return secret.startswith(_PREFIX)


def is_handle(text: str) -> bool:
    """Returns True if the text has the form of a start code of a mobile eID."""
    return _HANDLE.fullmatch(text) is not None


def digest(secret: str) -> str:
    """Returns the hash that is stored of a start code or a step token."""
    return sha256_hex(secret.encode())


def state_now(row: MobileEnrolment) -> EnrolmentState:
    """Returns the enrolment's state. It is EXPIRED as soon as its time is out, even before the sweeper runs."""
    state = EnrolmentState(row.state)
    return EnrolmentState.EXPIRED if state in OPEN and row.expires_at <= clock.now() else state


def require_open(row: MobileEnrolment) -> None:
    """Raises Conflict, with advice, unless the enrolment is open."""
    state = state_now(row)
    if state not in OPEN:
        raise Conflict("enrolment-ended", _ENDED[state])


def by_token(step_token: str) -> MobileEnrolment:
    """Returns the enrolment of a step token. Raises Unauthenticated."""
    row = MobileEnrolment.objects.filter(step_token_sha256=digest(step_token)).first() if step_token else None
    if row is None:
        raise Unauthenticated("step-token-unknown", "Ärendet är okänt. Börja om på Mina sidor.")
    return row


def locked(seen: MobileEnrolment) -> MobileEnrolment:
    """Returns the enrolment's row locked, after its person and its carrier."""
    Person.objects.select_for_update(no_key=True).get(pk=seen.person_id)
    own = Carrier.objects.filter(mobile_enrolment=seen.pk).select_for_update(of=("self",), no_key=True)
    list(own.values_list("pk"))
    rows = MobileEnrolment.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("person", "organisation", "carrier").get(pk=seen.pk)


def carrier_of(row: MobileEnrolment) -> Carrier:
    """Returns the carrier on the enrolment's device. Raises Conflict while no device has taken the start code."""
    if row.carrier is None:
        raise Conflict("enrolment-not-started", "Ingen enhet har läst av koden än. Läs av den i appen.")
    return row.carrier


def valid_mobiles(person_id: UUID) -> QuerySet[Carrier]:
    """Returns the mobile eIDs of the person that are valid or on their way."""
    rows = Carrier.objects.filter(person=person_id, kind=MOBILE_EID.code)
    return rows.exclude(state__in=[state.value for state in INVALID])


def most() -> int:
    """Returns how many valid mobile eIDs a person may have."""
    return int(settings.MOBILE_EIDS_PER_PERSON)


def require_room(person_id: UUID) -> None:
    """Raises Conflict if the person has as many mobile eIDs as allowed. Callers that begin one have locked the person."""
    if valid_mobiles(person_id).count() >= most():
        message = f"Du har redan {most()} mobila SITHS, och fler går inte att ha. Spärra ett som du inte använder först."
        raise Conflict("too-many-mobile-eids", message)


def end(row: MobileEnrolment, action: EnrolmentAction, *, actor_ref: str, facts: dict[str, Any] | None = None) -> None:
    """Ends a locked enrolment. What its device has got is the caller's matter (`ending.abandon`)."""
    steps.step([row], action, actor_ref=actor_ref, facts=facts, ended_at=clock.now())


def end_of_carriers(carrier_ids: Sequence[UUID], *, actor_ref: str, reason: str) -> None:
    """Ends the open enrolments of locked carriers that are revoked, in the caller's transaction."""
    rows = MobileEnrolment.objects.select_for_update(no_key=True).filter(carrier__in=carrier_ids, state__in=_OPEN)
    for row in rows.order_by("id"):
        end(row, EnrolmentAction.FAIL, actor_ref=actor_ref, facts={"reason": reason})
