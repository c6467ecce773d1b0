"""Rebuilds role grants and qualifications from the events and compares them with the tables (ADR 0298).

The events are sealed in the audit chain. A row without events, or that differs from them, was not written by the portal; a
missing row was deleted by something else.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from itertools import starmap
from typing import Any

from issuance.records.models.events import QUALIFICATION_ACTIONS, ROLE_ACTIONS, Event
from issuance.records.services.comparing import Check
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.services.role_givers import REQUEST_ACTIONS, Givers, RoleEvent

_Values = dict[str, Any]


def verify_roles() -> Check:
    """Compares every role grant and qualification with its events."""
    wrong: list[str] = []
    grants, qualifications = _rebuilt(wrong)
    rows = RoleGrant.objects.order_by("pk").iterator(chunk_size=2000)
    checked = _compare("roll", grants, ((str(row.pk), _of_grant(row)) for row in rows), wrong)
    records = Qualification.objects.order_by("pk").iterator(chunk_size=2000)
    checked += _compare("kompetens", qualifications, ((str(row.pk), _of_record(row)) for row in records), wrong)
    return Check(checked, tuple(wrong))


def _rebuilt(wrong: list[str]) -> tuple[dict[str, _Values], dict[str, _Values]]:
    """Returns grants and qualifications by id, as the events describe them. Fields that old events lack are left out.

    Adds to `wrong` the events that no service would write (`role_givers`).
    """
    grants: dict[str, _Values] = {}
    records: dict[str, _Values] = {}
    givers = Givers(grants)
    actions = [*ROLE_ACTIONS, *QUALIFICATION_ACTIONS, *REQUEST_ACTIONS]
    events = Event.objects.filter(subject_type="person", action__in=actions).order_by("id")
    read = ("xid", "at", "action", "subject_ref", "actor_ref", "facts")
    for event in starmap(RoleEvent, events.values_list(*read).iterator(chunk_size=2000)):
        try:
            givers.check(event)
            if event.action in ROLE_ACTIONS:
                _apply_role(grants, event.action, event.person, event.facts)
            elif event.action in QUALIFICATION_ACTIONS:
                _apply_record(records, event.action, event.person, event.actor, event.facts)
        except (AttributeError, KeyError, TypeError, ValueError):
            # No service writes such an event. The comparison continues with the next one.
            wrong.append(f"en händelse {event.action} om person {event.person} går inte att läsa")
    wrong += [*givers.wrong, *givers.undecided()]
    return grants, records


def _apply_role(grants: dict[str, _Values], action: str, person: str, facts: Mapping[str, Any]) -> None:
    if (key := facts.get("grant")) is None:
        return
    if action == "role.assigned":
        place = {"area": facts.get("area"), "organisation": facts.get("organisation")}
        grants[key] = {"person": person, "role": facts["role"], **place}
    held = facts["after"] if action == "role.changed" else facts
    values = {name: held[name] for name in ("protected_persons", "valid_from", "valid_to") if name in held}
    if action == "role.ended" and "valid_to" not in values:
        grants.get(key, {}).pop("valid_to", None)
    grants.setdefault(key, {}).update(_moments(values))


def _apply_record(records: dict[str, _Values], action: str, person: str, actor: str, facts: Mapping[str, Any]) -> None:
    if (key := facts.get("qualification")) is None:
        return
    if action == "qualification.recorded":
        values = {name: facts[name] for name in ("passed_on", "due_on") if name in facts}
        kind = {"kind": facts["qualification_kind"]} if "qualification_kind" in facts else {}
        records[key] = {"person": person, **kind, "recorded_by": actor, "withdrawn": False, **values}
    else:
        records.setdefault(key, {})["withdrawn"] = True


def _moments(values: Mapping[str, Any]) -> _Values:
    return {
        name: dt.datetime.fromisoformat(value) if name in ("valid_from", "valid_to") and value else value
        for name, value in values.items()
    }


def _of_grant(row: RoleGrant) -> _Values:
    return {
        "person": str(row.person_id),
        "role": row.role,
        "area": str(row.area_id) if row.area_id else None,
        "organisation": str(row.organisation_id) if row.organisation_id else None,
        "protected_persons": row.protected_persons,
        "valid_from": row.valid_from,
        "valid_to": row.valid_to,
    }


def _of_record(row: Qualification) -> _Values:
    return {
        "person": str(row.person_id),
        "kind": row.kind,
        "passed_on": row.passed_on.isoformat(),
        "due_on": row.due_on.isoformat() if row.due_on else None,
        "recorded_by": row.recorded_by_ref,
        "withdrawn": row.withdrawn_at is not None,
    }


def _compare(kind: str, expected: dict[str, _Values], rows: Iterator[tuple[str, _Values]], wrong: list[str]) -> int:
    """Compares rows with the expected values, adds mismatches to `wrong`, and returns the number of rows."""
    checked, seen = 0, set()
    for key, values in rows:
        checked += 1
        seen.add(key)
        recorded = expected.get(key)
        if recorded is None:
            wrong.append(f"{kind} {key} har ingen händelse")
        elif differing := sorted(name for name, value in recorded.items() if values[name] != value):
            wrong.append(f"{kind} {key} skiljer sig från sina händelser: {', '.join(differing)}")
    wrong += [f"{kind} {key} finns i händelserna men inte i tabellen" for key in expected if key not in seen]
    return checked
