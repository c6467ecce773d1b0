"""Records that an actor was shown data of a person. The event is written before the page is sent (ADR 0080)."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

from issuance.authz import Actor
from issuance.records.models.events import Event


class Shown(StrEnum):
    """The kind of data shown."""

    PERSON = "person"
    PERSON_HISTORY = "person_history"
    PERSON_HISTORY_FILE = "person_history_file"
    CARRIER_HISTORY = "carrier_history"
    CARRIER_HISTORY_FILE = "carrier_history_file"
    EID_HISTORY = "eid_history"
    EID_HISTORY_FILE = "eid_history_file"
    ACCESS_LOG = "access_log"
    ACCESS_LOG_FILE = "access_log_file"
    CERTIFICATE = "certificate"
    RECEIPT = "receipt"
    RECEIPT_PDF = "receipt_pdf"
    PHOTO = "photo"
    ORDER = "order"
    REVOCATION = "revocation"


def record(
    *, actor: Actor, person_id: UUID, shown: Shown, subject: UUID | None = None, facts: Mapping[str, Any] | None = None
) -> None:
    """Records that `actor`, whose right has been checked, will see these data of the person.

    `subject` is the id of the object; `facts` describe a file.
    """
    recorded = {**(facts or {}), "shown": shown.value} | ({"subject": str(subject)} if subject else {})
    Event.record(
        actor_ref=actor.ref, action="person.shown", subject_type="disclosure", subject_ref=str(person_id), facts=recorded
    )


def record_certificate(*, actor: Actor, certificate_id: UUID) -> None:
    """Records the same for a certificate whose holder the portal does not know."""
    Event.record(
        actor_ref=actor.ref, action="certificate.shown", subject_type="disclosure", subject_ref=str(certificate_id), facts={}
    )


def record_holders(*, actor: Actor, organisation_id: UUID, person_ids: Iterable[UUID], chosen: Mapping[str, Any]) -> None:
    """Records that `actor` will see these people in the list of an organisation's holders, with the chosen filters."""
    facts = {**chosen, "persons": sorted({str(person_id) for person_id in person_ids})}
    _of_holders(actor, "holders.listed", organisation_id, facts)


def record_holders_file(*, actor: Actor, organisation_id: UUID, rows: int, chosen: Mapping[str, Any]) -> None:
    """Records that `actor` will download the list of an organisation's holders, with the number of rows."""
    _of_holders(actor, "holders.exported", organisation_id, {**chosen, "rows": rows})


def _of_holders(actor: Actor, action: str, organisation_id: UUID, facts: dict[str, Any]) -> None:
    Event.record(actor_ref=actor.ref, action=action, subject_type="disclosure", subject_ref=str(organisation_id), facts=facts)


def record_work(*, actor: Actor, what: str, person_ids: Iterable[UUID]) -> None:
    """Records that `actor` will see these people on Dagen (`what` is "day") or in one of its lists of work."""
    facts = {"persons": sorted({str(person_id) for person_id in person_ids})}
    Event.record(actor_ref=actor.ref, action="work.listed", subject_type="disclosure", subject_ref=what, facts=facts)


def record_work_file(*, actor: Actor, what: str, rows: int, chosen: Mapping[str, Any]) -> None:
    """Records that `actor` will download a list of work, which names people, as a file of `rows` rows."""
    Event.record(
        actor_ref=actor.ref, action="work.exported", subject_type="disclosure", subject_ref=what, facts={**chosen, "rows": rows}
    )


def record_history_file(*, actor: Actor, of: str, subject_ref: UUID | str, rows: int, chosen: Mapping[str, Any]) -> None:
    """Records that `actor` will download a list of events, which names the people who acted, as a file of `rows` rows.

    `of` is the type of the subject `subject_ref`, or the kind of list.
    """
    facts = {**chosen, "of": of, "rows": rows}
    Event.record(
        actor_ref=actor.ref, action="history.exported", subject_type="disclosure", subject_ref=str(subject_ref), facts=facts
    )


def record_setup_file(*, actor: Actor, place_id: UUID, rows: Mapping[str, int]) -> None:
    """Records that `actor` will download the configuration of an area or organisation, including role holders.

    `rows` counts the rows of each table.
    """
    facts = {"rows": dict(rows)}
    Event.record(actor_ref=actor.ref, action="setup.exported", subject_type="disclosure", subject_ref=str(place_id), facts=facts)


def record_setup_people(*, actor: Actor, import_id: UUID, person_ids: Iterable[UUID]) -> None:
    """Records that the preview of an import will show `actor` the names of these people."""
    facts = {"persons": sorted({str(person_id) for person_id in person_ids})}
    Event.record(
        actor_ref=actor.ref, action="setup.people_shown", subject_type="disclosure", subject_ref=str(import_id), facts=facts
    )
