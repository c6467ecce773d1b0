"""Role grants and qualifications against their events, and rows that nobody can remove (ADR 0298)."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from issuance.authz import Role
from issuance.domain.qualifications import QualificationKind
from issuance.models import Organisation, Person, Qualification, RoleGrant
from issuance.services import qualifications, role_assignment
from issuance.services.role_periods import Period
from issuance.services.role_rebuilding import verify_roles
from siths_portal.lib import clock
from tests import superuser
from tests.issuance.test_role_requests import administrator, decide, requested
from tests.issuance.world import SETUP, qualify

DELETABLE = {
    "issuance_certificatesearch", "issuance_extendedreach", "issuance_masstrial", "issuance_orderdraft", "issuance_personscope",
    "issuance_photo", "issuance_preparedreceipt", "issuance_search", "issuance_setupimport", "issuance_supplierevent",
    "issuance_issuingarea", "issuance_office", "issuance_organisationoffice", "issuance_organisationarticle",
    "issuance_subscriptionfee", "issuance_article", "issuance_cardcustomisation", "issuance_customisationrequest",
}  # fmt: skip
"""Drafts, searches and derived rows that are swept, and configuration whose history is in the events."""


@pytest.fixture
def person(world: Any) -> Person:
    """A person with a role that was changed, one that ended, one to come and a global one; with three records, one withdrawn."""
    found: Person = world.post().person
    issuer, today = world.officer(role=Role.RESPONSIBLE_ISSUER), clock.today()
    given = {"actor": issuer, "person_id": found.pk}
    changed = role_assignment.assign_role(**given, role=Role.ID_ADMINISTRATOR, organisation_id=world.region.id)
    role_assignment.change_role(
        actor=SETUP, grant_id=changed.pk, version=1, protected_persons=True, last=today + dt.timedelta(days=9)
    )
    ended = role_assignment.assign_role(**given, role=Role.READER, organisation_id=world.city.id)
    role_assignment.end_role(actor=issuer, grant_id=ended.pk)
    later = Period(today + dt.timedelta(days=3), None)
    role_assignment.assign_role(**given, role=Role.REVOKER, organisation_id=world.region.id, period=later)
    first, second = administrator(world), administrator(world)
    decide(second, requested(first, found, Role.GLOBAL_READER))
    qualify(found.pk)
    wrong = qualifications.record(
        actor=issuer, person_id=found.pk, kind=QualificationKind.TRAINING, passed_on=today - dt.timedelta(days=2)
    )
    qualifications.withdraw(actor=issuer, qualification_id=wrong.pk)
    return found


def test_what_the_services_wrote_agrees(person: Person) -> None:
    check = verify_roles()
    assert check.wrong == ()
    assert check.checked == RoleGrant.objects.count() + Qualification.objects.count()


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


@pytest.mark.parametrize("tamper", [_forged, _widened, _revived, _removed, _trained, _prolonged])
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
