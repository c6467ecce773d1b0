"""Records of person checks and training, made by the role holders' superiors, never by themselves.

The rule is rules/issuance 1.4, ADR 0187.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db import transaction

from issuance.authz import NOBODY, Action, Actor, Role, ScopedQuerySet, policy
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.roles.domain import QualificationKind
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.services.actors import current, scope_path_of
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid

OLDEST_DAYS = 10 * 365
"""The oldest date accepted; an older one is probably a typing error."""

MOST = 100
"""The maximum number of persons in one call."""


@transaction.atomic(durable=True)
def record(*, actor: Actor, person_id: UUID, kind: QualificationKind, passed_on: dt.date) -> Qualification:
    """Records that a person passed a training or person check on a day. Recording it again changes nothing.

    Raises NotFound, Forbidden (own person, or a person whom the actor does not outrank), Invalid (a future or too old day).
    """
    return record_joining(actor=actor, person_id=person_id, kind=kind, passed_on=passed_on)


def record_joining(*, actor: Actor, person_id: UUID, kind: QualificationKind, passed_on: dt.date) -> Qualification:
    """Does the work of `record` in the caller's transaction."""
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
        _record_event(actor, "qualification.recorded", row)
    return row


@transaction.atomic(durable=True)
def record_of_several(
    *, actor: Actor, person_ids: Collection[UUID], kinds: Collection[QualificationKind], passed_on: dt.date
) -> int:
    """Records that several persons passed each of `kinds` on a day, all or none. Existing records stay.

    Returns how many persons got a record. Raises what `record` raises for the first person refused, and Invalid without persons
    or kinds, or with more than MOST persons.
    """
    sorted_ids = sorted(set(person_ids))
    _require_picked(sorted_ids, kinds)
    people = _all_locked(actor, sorted_ids)
    _require_day(passed_on)
    codes = sorted({kind.value for kind in kinds})
    kept = Qualification.objects.filter(person__in=people, kind__in=codes, passed_on=passed_on, withdrawn_at=None)
    existing = set(kept.values_list("person_id", "kind"))
    rows = [
        Qualification(
            person_id=person_id,
            kind=code,
            passed_on=passed_on,
            due_on=_due_on(QualificationKind(code), passed_on),
            recorded_at=clock.now(),
            recorded_by_ref=actor.ref,
        )
        for person_id in sorted_ids
        for code in codes
        if (person_id, code) not in existing
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
    """Withdraws a wrong record, after which the previous record counts. Does nothing if the actor already withdrew it.

    Raises NotFound, Forbidden like `record`, Conflict if another person withdrew it.
    """
    _locked(actor, holder_of(actor=actor, qualification_id=qualification_id))
    row = Qualification.objects.select_for_update(no_key=True).get(pk=qualification_id)
    if row.withdrawn_at is None:
        row.withdrawn_at, row.withdrawn_by_ref = clock.now(), actor.ref
        row.save(update_fields=["withdrawn_at", "withdrawn_by_ref"])
        _record_event(actor, "qualification.withdrawn", row)
    elif row.withdrawn_by_ref != actor.ref:
        raise Conflict("qualification-withdrawn", "Uppgiften är redan återtagen.")
    return row


def holder_of(*, actor: Actor, qualification_id: UUID) -> UUID:
    """Returns the person of a record that the actor may withdraw. Raises NotFound, Forbidden."""
    found = Qualification.objects.filter(pk=qualification_id).values_list("person_id", flat=True).first()
    # An unknown id causes the same queries as a hidden one.
    person = policy.get(actor, Action.ASSIGN_ROLE, Person.objects, found or NOBODY)
    policy.require_above(actor, _roles_held(person.pk))
    return person.pk


def may_record(actor: Actor, person_id: UUID) -> bool:
    """True if `record` would accept a record of this person, whom the actor sees."""
    if policy.is_own_matter(actor, Action.ASSIGN_ROLE, person_id) or not policy.holds(actor, Action.ASSIGN_ROLE):
        return False
    return policy.is_above(actor, _roles_held(person_id))


def _require_day(passed_on: dt.date) -> None:
    today = clock.today()
    if not today - dt.timedelta(days=OLDEST_DAYS) <= passed_on <= today:
        message = "Ange en dag som har varit, tidigast för 10 år sedan."
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
    """Locks the persons, and returns their ids if the actor may record for each. Three queries. Raises like `_locked`."""
    people = cast(ScopedQuerySet[Person], Person.objects.select_for_update(of=("self",), no_key=True))
    seen = people.visible_to(actor, Action.ASSIGN_ROLE).filter(pk__in=person_ids).order_by("pk")
    found = list(seen.values_list("pk", flat=True))
    refused = [pk for pk in person_ids if pk not in found or policy.is_own_matter(actor, Action.ASSIGN_ROLE, pk)]
    if refused:
        policy.get(actor, Action.ASSIGN_ROLE, Person.objects, refused[0])
        raise policy.not_found()
    held: dict[UUID, list[tuple[Role, str]]] = {}
    grants = current(RoleGrant.objects.filter(person__in=found)).select_related("area", "organisation")
    for row in grants:
        held.setdefault(row.person_id, []).append((Role(row.role), scope_path_of(row)))
    for pk in found:
        policy.require_above(actor, held.get(pk, ()))
    return found


def _locked(actor: Actor, person_id: UUID) -> Person:
    """Locks and returns the person if the actor may record for them. Raises NotFound, Forbidden."""
    people = Person.objects.select_for_update(of=("self",), no_key=True)
    person = policy.get(actor, Action.ASSIGN_ROLE, people, person_id)
    policy.require_above(actor, _roles_held(person.pk))
    return person


def _roles_held(person_id: UUID) -> list[tuple[Role, str]]:
    rows = current(RoleGrant.objects.filter(person_id=person_id)).select_related("area", "organisation")
    return [(Role(row.role), scope_path_of(row)) for row in rows]


def _due_on(kind: QualificationKind, passed_on: dt.date) -> dt.date | None:
    days = {
        QualificationKind.TRAINING: settings.TRAINING_VALID_DAYS,
        QualificationKind.PERSON_CHECK: settings.PERSON_CHECK_VALID_DAYS,
    }[kind]
    return passed_on + dt.timedelta(days=days) if days > 0 else None


def _record_event(actor: Actor, action: str, row: Qualification) -> None:
    Event.record(actor_ref=actor.ref, action=action, subject_type="person", subject_ref=str(row.person_id), facts=_facts(row))


def _facts(row: Qualification) -> dict[str, Any]:
    """Returns the facts of an event on a record."""
    return {
        "qualification": str(row.pk),
        "qualification_kind": row.kind,
        "passed_on": row.passed_on.isoformat(),
        "due_on": row.due_on.isoformat() if row.due_on else None,
    }
