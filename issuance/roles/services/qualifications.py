"""Person checks and trainings of role holders, recorded by those above them, never by themselves (rules/issuance 1.4,
ADR 0187)."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db import transaction

from issuance.authz import Action, Actor, Role, ScopedQuerySet, policy
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.roles.domain import QualificationKind
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.services.actors import current, scope_path_of
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid

_NOBODY = UUID(int=0)
OLDEST_DAYS = 10 * 365
"""What was passed longer ago is refused as a slip of the keyboard."""

MOST = 100
"""Persons of whom one act records at most."""


@transaction.atomic(durable=True)
def record(*, actor: Actor, person_id: UUID, kind: QualificationKind, passed_on: dt.date) -> Qualification:
    """Records that a person passed a training or a person check on a day; the same again changes nothing.

    Raises NotFound, Forbidden (himself, or somebody who is not below the actor), Invalid (a day that lies ahead or far back).
    """
    return record_joining(actor=actor, person_id=person_id, kind=kind, passed_on=passed_on)


def record_joining(*, actor: Actor, person_id: UUID, kind: QualificationKind, passed_on: dt.date) -> Qualification:
    """`record` in the caller's transaction."""
    person = _locked(actor, person_id)
    _require_day(passed_on)
    row, made = Qualification.objects.get_or_create(
        person=person,
        kind=kind.value,
        passed_on=passed_on,
        withdrawn_at=None,
        defaults={"due_on": _due_on(kind, passed_on), "recorded_at": clock.now(), "recorded_by_ref": actor.ref},
    )
    if made:
        _note(actor, "qualification.recorded", row)
    return row


@transaction.atomic(durable=True)
def record_of_several(
    *, actor: Actor, person_ids: Collection[UUID], kinds: Collection[QualificationKind], passed_on: dt.date
) -> int:
    """Records that each of several persons passed each of `kinds` on a day, all or none; what is recorded already stays.

    Returns how many persons got a record. Raises what `record` does, for the first who is refused; Invalid also without persons
    or kinds, and for more than MOST persons.
    """
    wanted = sorted(set(person_ids))
    _require_picked(wanted, kinds)
    people = _all_locked(actor, wanted)
    _require_day(passed_on)
    codes = sorted({kind.value for kind in kinds})
    kept = Qualification.objects.filter(person__in=people, kind__in=codes, passed_on=passed_on, withdrawn_at=None)
    there = set(kept.values_list("person_id", "kind"))
    rows = [
        Qualification(
            person_id=person_id,
            kind=code,
            passed_on=passed_on,
            due_on=_due_on(QualificationKind(code), passed_on),
            recorded_at=clock.now(),
            recorded_by_ref=actor.ref,
        )
        for person_id in wanted
        for code in codes
        if (person_id, code) not in there
    ]
    Qualification.objects.bulk_create(rows)
    Event.record_each(
        ((str(row.person_id), _facts(row)) for row in rows),
        at=clock.now(),
        actor_ref=actor.ref,
        action="qualification.recorded",
        subject_type="person",
    )
    return len({row.person_id for row in rows})


@transaction.atomic(durable=True)
def withdraw(*, actor: Actor, qualification_id: UUID) -> Qualification:
    """Takes back a record that was wrong; the one before it holds again. A withdrawn one stays as it is.

    Raises NotFound, Forbidden as `record` does, Conflict if somebody else withdrew it.
    """
    _locked(actor, holder_of(actor=actor, qualification_id=qualification_id))
    row = Qualification.objects.select_for_update(no_key=True).get(pk=qualification_id)
    if row.withdrawn_at is None:
        row.withdrawn_at, row.withdrawn_by_ref = clock.now(), actor.ref
        row.save(update_fields=["withdrawn_at", "withdrawn_by_ref"])
        _note(actor, "qualification.withdrawn", row)
    elif row.withdrawn_by_ref != actor.ref:
        raise Conflict("qualification-withdrawn", "Uppgiften är redan återtagen.")
    return row


def holder_of(*, actor: Actor, qualification_id: UUID) -> UUID:
    """The person whose record this is, if the actor may withdraw it. Raises NotFound, Forbidden."""
    found = Qualification.objects.filter(pk=qualification_id).values_list("person_id", flat=True).first()
    # What is not there is asked for as what is hidden is, by the same queries.
    person = policy.get(actor, Action.ASSIGN_ROLE, Person.objects.all(), found or _NOBODY)
    policy.require_above(actor, _held(person.pk))
    return person.pk


def may_record(actor: Actor, person_id: UUID) -> bool:
    """True if `record` would take a person's training from the actor, who sees the person."""
    if policy.is_own_matter(actor, Action.ASSIGN_ROLE, person_id) or not policy.holds(actor, Action.ASSIGN_ROLE):
        return False
    return policy.is_above(actor, _held(person_id))


def _require_day(passed_on: dt.date) -> None:
    today = clock.today()
    if not today - dt.timedelta(days=OLDEST_DAYS) <= passed_on <= today:
        message = "Ange en dag som har varit, tidigast för tio år sedan."
        raise Invalid("qualification-day", message, fields={"passed_on": [message]})


def _require_picked(person_ids: Sequence[UUID], kinds: Collection[QualificationKind]) -> None:
    missing = {}
    if not kinds:
        missing["kinds"] = ["Välj personkontroll, utbildning eller båda."]
    if not person_ids:
        missing["person"] = ["Välj minst en person."]
    if len(person_ids) > MOST:
        missing["person"] = [f"Välj högst {MOST} personer åt gången."]
    if missing:
        raise Invalid("qualification-choice", " ".join(text for texts in missing.values() for text in texts), fields=missing)


def _all_locked(actor: Actor, person_ids: Sequence[UUID]) -> list[UUID]:
    """The persons, locked, if the actor may vouch for each. Three queries, however many. Raises what `_locked` does."""
    people = cast(ScopedQuerySet[Person], Person.objects.select_for_update(of=("self",), no_key=True))
    seen = people.visible_to(actor, Action.ASSIGN_ROLE).filter(pk__in=person_ids).order_by("pk")
    found = list(seen.values_list("pk", flat=True))
    refused = [pk for pk in person_ids if pk not in found or policy.is_own_matter(actor, Action.ASSIGN_ROLE, pk)]
    if refused:
        policy.get(actor, Action.ASSIGN_ROLE, Person.objects.all(), refused[0])
        raise policy.not_found()
    held: dict[UUID, list[tuple[Role, str]]] = {}
    grants = current(RoleGrant.objects.filter(person__in=found)).select_related("area", "organisation")
    for row in grants:
        held.setdefault(row.person_id, []).append((Role(row.role), scope_path_of(row)))
    for pk in found:
        policy.require_above(actor, held.get(pk, ()))
    return found


def _locked(actor: Actor, person_id: UUID) -> Person:
    """The person, locked, if the actor may vouch for him. Raises NotFound, Forbidden."""
    people = Person.objects.select_for_update(of=("self",), no_key=True)
    person = policy.get(actor, Action.ASSIGN_ROLE, people, person_id)
    policy.require_above(actor, _held(person.pk))
    return person


def _held(person_id: UUID) -> list[tuple[Role, str]]:
    rows = current(RoleGrant.objects.filter(person_id=person_id)).select_related("area", "organisation")
    return [(Role(row.role), scope_path_of(row)) for row in rows]


def _due_on(kind: QualificationKind, passed_on: dt.date) -> dt.date | None:
    days = {
        QualificationKind.TRAINING: settings.TRAINING_VALID_DAYS,
        QualificationKind.PERSON_CHECK: settings.PERSON_CHECK_VALID_DAYS,
    }[kind]
    return passed_on + dt.timedelta(days=days) if days > 0 else None


def _note(actor: Actor, action: str, row: Qualification) -> None:
    Event.record(actor_ref=actor.ref, action=action, subject_type="person", subject_ref=str(row.person_id), facts=_facts(row))


def _facts(row: Qualification) -> dict[str, Any]:
    """What an event keeps of a record."""
    return {
        "qualification": str(row.pk),
        "qualification_kind": row.kind,
        "passed_on": row.passed_on.isoformat(),
        "due_on": row.due_on.isoformat() if row.due_on else None,
    }
