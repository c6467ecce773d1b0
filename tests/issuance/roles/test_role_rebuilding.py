"""Role grants and qualifications against their events, and rows that nobody can remove (ADR 0298)."""

import datetime as dt
import importlib
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from issuance.authz import Actor, Role
from issuance.authz.roles import ADMINISTRATION, GLOBAL_ROLES
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.records.services.comparing import Check
from issuance.roles.domain import QualificationKind
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.models.role_requests import RoleRequest
from issuance.roles.services import qualifications, role_assignment
from issuance.roles.services.actors import actor_of_person
from issuance.roles.services.role_periods import Period
from issuance.roles.services.role_rebuilding import verify_roles
from siths_portal.lib import clock
from tests import superuser
from tests.issuance.roles.test_role_requests import decide, requested
from tests.issuance.world import SETUP

DELETABLE = {
    "issuance_certificatesearch", "issuance_extendedreach", "issuance_masstrial", "issuance_orderdraft", "issuance_personscope",
    "issuance_photo", "issuance_preparedreceipt", "issuance_search", "issuance_setupimport", "issuance_supplierevent",
    "issuance_issuingarea", "issuance_office", "issuance_organisationoffice", "issuance_organisationarticle",
    "issuance_subscriptionfee", "issuance_article", "issuance_cardcustomisation", "issuance_customisationrequest",
    "issuance_pushdelivery", "issuance_supplierconnection", "issuance_cataloguename", "issuance_carrierimport",
    "issuance_dailyoutcome", "issuance_deliverytime",
}  # fmt: skip
"""Drafts, searches and derived rows that are swept, configuration whose history is in the events, and the suppliers' outbox."""


def administrators(world: Any) -> tuple[Actor, Actor]:
    """Two people whom the set-up appoints at once, as the command does."""
    people = [world.post().person for _ in range(2)]
    with transaction.atomic():
        for each in people:
            role_assignment.give(actor=SETUP, person_id=each.pk, role=Role.MASTER_DATA_ADMIN, reach=())
    first, second = (actor_of_person(each.pk) for each in people)
    return first, second


@pytest.fixture
def person(world: Any) -> Person:
    """A person with a role that was changed, one that ended, one to come and a global one; with three records, one withdrawn."""
    found: Person = world.post().person
    world.post()  # somebody without a role
    first, second = administrators(world)
    holder, today = world.post().person, clock.today()
    role_assignment.assign_role(
        actor=first, person_id=holder.pk, role=Role.RESPONSIBLE_ISSUER, area_id=world.area.pk, protected_persons=True
    )
    issuer = actor_of_person(holder.pk)
    given = {"actor": issuer, "person_id": found.pk}
    changed = role_assignment.assign_role(**given, role=Role.ID_ADMINISTRATOR, organisation_id=world.region.id)
    role_assignment.change_role(
        actor=issuer, grant_id=changed.pk, version=1, protected_persons=True, last=today + dt.timedelta(days=9)
    )
    ended = role_assignment.assign_role(**given, role=Role.READER, organisation_id=world.city.id)
    role_assignment.end_role(actor=issuer, grant_id=ended.pk)
    later = Period(today + dt.timedelta(days=3), None)
    role_assignment.assign_role(**given, role=Role.REVOKER, organisation_id=world.region.id, period=later)
    for kind in QualificationKind:
        qualifications.record(**given, kind=kind, passed_on=today)
    wrong = qualifications.record(**given, kind=QualificationKind.TRAINING, passed_on=today - dt.timedelta(days=2))
    qualifications.withdraw(actor=issuer, qualification_id=wrong.pk)
    decide(second, requested(first, found, Role.GLOBAL_READER))
    return found


def test_what_the_services_wrote_agrees(person: Person) -> None:
    check = verify_roles()
    assert check.wrong == ()
    assert check.checked == RoleGrant.objects.count() + Qualification.objects.count()


def test_the_migration_gives_each_holder_of_the_old_role_the_three_new_ones(world: Any) -> None:
    migration = importlib.import_module("issuance.migrations.0035_split_administration")
    now = clock.now()
    begins, ends = now - dt.timedelta(days=9), now + dt.timedelta(days=9)
    holder, former = (world.post().person for _ in range(2))
    for person, last, protected in ((holder, ends, True), (former, now - dt.timedelta(days=1), False)):
        old = RoleGrant.objects.create(
            person=person, role="system_admin", valid_from=begins, valid_to=last, protected_persons=protected
        )
        migration._record(Event, "role.assigned", old, begins)
    with transaction.atomic():
        migration.split(apps, None)
    new = holder.role_grants.exclude(role="system_admin").values_list("role", "protected_persons", "valid_from", "valid_to")
    assert sorted(new) == sorted((role.value, True, begins, ends) for role in ADMINISTRATION)
    assert now <= holder.role_grants.get(role="system_admin").valid_to < ends
    assert former.role_grants.count() == 1
    assert verify_roles() == Check(checked=5, wrong=()), "their events are those of the portal"
    with pytest.raises(DatabaseError, match="issuance_grant_reach"), transaction.atomic():
        RoleGrant.objects.create(person=former, role="system_admin", valid_from=now)


def _forged(person: Person) -> str:
    row = RoleGrant.objects.create(person=person, role="master_data_admin", valid_from=clock.now())
    return f"roll {row.pk} har ingen händelse"


def _widened(person: Person) -> str:
    row = person.role_grants.get(role="id_administrator")
    RoleGrant.objects.filter(pk=row.pk).update(valid_to=None, protected_persons=False)
    return f"roll {row.pk} skiljer sig från sina händelser: protected_persons, valid_to"


def _revived(person: Person) -> str:
    row = person.role_grants.get(role="reader")
    RoleGrant.objects.filter(pk=row.pk).update(valid_to=None)
    return f"roll {row.pk} skiljer sig från sina händelser: valid_to"


def _removed(person: Person) -> str:
    row = person.role_grants.get(role="revoker")
    superuser.remove(RoleGrant.objects.filter(pk=row.pk))
    return f"roll {row.pk} finns i händelserna men inte i tabellen"


def _trained(person: Person) -> str:
    row = Qualification.objects.create(
        person=person, kind="training", passed_on=clock.today() - dt.timedelta(days=5), recorded_at=clock.now(),
        recorded_by_ref="user:x",
    )  # fmt: skip
    return f"kompetens {row.pk} har ingen händelse"


def _prolonged(person: Person) -> str:
    row = person.qualifications.get(kind="training", withdrawn_at=None)
    Qualification.objects.filter(pk=row.pk).update(due_on=None)
    return f"kompetens {row.pk} skiljer sig från sina händelser: due_on"


def _with_event(person: Person, role: str, actor_ref: str, **facts: Any) -> RoleGrant:
    """A role with the event that the portal would have written: all that `siths_app` may insert."""
    place = {} if role in GLOBAL_ROLES else {"organisation": person.posts.get().organisation}
    row = RoleGrant.objects.create(person=person, role=role, valid_from=clock.now(), **place)
    facts |= {name: str(each.pk) for name, each in place.items()}
    told = {"grant": str(row.pk), "role": role, "protected_persons": False, "valid_from": row.valid_from.isoformat()}
    Event.record(
        actor_ref=actor_ref, action="role.assigned", subject_type="person", subject_ref=str(person.pk),
        facts=told | {"valid_to": None} | facts,
    )  # fmt: skip
    return row


def _administrator_refs() -> list[str]:
    rows = RoleGrant.objects.filter(role="master_data_admin").order_by("pk")
    return [f"user:{pk}" for pk in rows.values_list("person_id", flat=True)]


def _by_setup(person: Person) -> str:
    return f"roll {_with_event(person, 'pki_operator', 'system:setup').pk} är given av system:setup"


def _in_an_organisation_by_setup(person: Person) -> str:
    return f"roll {_with_event(person, 'deputy_issuer', 'system:setup').pk} är given av system:setup"


def _by_nobody_above(person: Person) -> str:
    other = f"user:{Person.objects.exclude(role_grants__isnull=False).first().pk}"
    return f"roll {_with_event(person, 'deputy_issuer', other).pk} är given av {other}, som inte hade rätt att ge den"


def _by_one_administrator(person: Person) -> str:
    row = _with_event(person, "finance_admin", _administrator_refs()[0])
    return f"roll {row.pk} är global och saknar en begäran som två personer har beslutat"


def _by_a_forged_request(person: Person) -> str:
    """The receiver, and a stranger who administers nothing, decide; with all the events that belong to it."""
    strangers = Person.objects.exclude(pk=person.pk).exclude(role_grants__role="master_data_admin")
    first, second = _administrator_refs()[0], f"user:{strangers.first().pk}"
    asked = uuid.uuid4()
    row = _with_event(person, "finance_admin", second, role_request=str(asked))
    now = clock.now()
    RoleRequest.objects.create(
        id=asked, person=person, role="finance_admin", reason="x", requester_ref=first, created_at=now, expires_at=now,
        state="approved", closed_at=now, decided_by_ref=second, grant=row,
    )  # fmt: skip
    for action, actor_ref in (("made", first), ("approved", second)):
        Event.record(
            actor_ref=actor_ref, action=f"role_request.{action}", subject_type="person", subject_ref=str(person.pk),
            facts={"role_request": str(asked)},
        )  # fmt: skip
    return f"roll {row.pk} är global och saknar en begäran som två personer har beslutat"


def _widened_with_an_event(person: Person) -> str:
    row = person.role_grants.get(role="global_reader")
    RoleGrant.objects.filter(pk=row.pk).update(protected_persons=True)
    held = {"valid_from": row.valid_from.isoformat(), "valid_to": None}
    facts = {"before": held | {"protected_persons": False}, "after": held | {"protected_persons": True}}
    Event.record(
        actor_ref="system:setup", action="role.changed", subject_type="person", subject_ref=str(person.pk),
        facts={"grant": str(row.pk), "role": row.role} | facts,
    )  # fmt: skip
    return f"roll {row.pk} är utökad utan att två personer har beslutat det"


def _trained_by_setup(person: Person) -> str:
    row = Qualification.objects.create(
        person=person, kind="training", passed_on=clock.today() - dt.timedelta(days=5), recorded_at=clock.now(),
        recorded_by_ref="system:setup",
    )  # fmt: skip
    Event.record(
        actor_ref="system:setup", action="qualification.recorded", subject_type="person", subject_ref=str(person.pk),
        facts={"qualification": str(row.pk)},
    )  # fmt: skip
    return f"kompetens {row.pk} är registrerad av system:setup"


def test_an_event_that_cannot_be_read_does_not_stop_the_walk(person: Person) -> None:
    for facts in ({"grant": str(uuid.uuid4())}, ["x"]):
        Event.record(
            actor_ref="system:setup", action="role.assigned", subject_type="person", subject_ref=str(person.pk), facts=facts
        )
    expected = f"en händelse role.assigned om person {person.pk} går inte att läsa"
    forged = _forged(person)
    assert verify_roles().wrong == (expected, expected, forged)


FORGED = [
    _by_setup, _in_an_organisation_by_setup, _by_nobody_above, _by_one_administrator, _by_a_forged_request,
    _widened_with_an_event, _trained_by_setup,
]  # fmt: skip


@pytest.mark.parametrize("tamper", [_forged, _widened, _revived, _removed, _trained, _prolonged, *FORGED])
def test_what_was_written_behind_the_portal_is_named(
    person: Person, tamper: Callable[[Person], str], capsys: pytest.CaptureFixture[str]
) -> None:
    expected = tamper(person)
    assert verify_roles().wrong == (expected,)
    with pytest.raises(CommandError, match="roller"):
        call_command("audit_verify", app="issuance")
    assert f"roller: FEL: {expected} (1 av" in capsys.readouterr().out


class TestKeptRows:
    """As the application, whose role the tests run as."""

    def test_every_table_of_people_and_issuing_is_decided(self, db: None) -> None:
        tables = {model._meta.db_table for model in apps.get_app_config("issuance").get_models()}
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT name FROM unnest(%s) AS name WHERE has_table_privilege(current_user, name, 'DELETE')", [sorted(tables)]
            )
            assert {name for (name,) in cursor.fetchall()} == DELETABLE
            cursor.execute(
                "SELECT name FROM unnest(%s) AS name WHERE has_table_privilege(current_user, name, 'TRUNCATE')", [sorted(tables)]
            )
            assert cursor.fetchall() == []

    @pytest.mark.parametrize("model", [RoleGrant, Qualification, Person, Organisation])
    def test_the_application_removes_none(self, person: Person, model: Any) -> None:
        before = model.objects.count()
        assert before
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {model._meta.db_table}")
        assert model.objects.count() == before
