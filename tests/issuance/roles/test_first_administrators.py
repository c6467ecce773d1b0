"""The first administrators of a fresh system: two at once from a file, once (docs/first-administrators.md)."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from issuance.authz import Role
from issuance.authz.roles import ADMINISTRATION
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person
from issuance.people.ports import DirectoryPost, PersonKey
from issuance.records.models.events import Event
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.services.actors import actor_of_person
from siths_portal.lib import clock
from tests.issuance.world import SETUP, person_number


def entry(number: str) -> dict[str, Any]:
    day = clock.today().isoformat()
    return {"person_id": number, "person_check": day, "training": day}


def written(folder: Path, *people: dict[str, Any], **more: Any) -> str:
    path = folder / "administrators.yaml"
    path.write_text(yaml.safe_dump({"administrators": list(people), **more}, allow_unicode=True))
    return str(path)


def run(path: str, **options: Any) -> None:
    call_command("issuance_first_administrators", path, **options)


def refused(path: str) -> str:
    with pytest.raises(CommandError) as error:
        run(path)
    text = str(error.value)
    assert error.value.returncode == 1
    assert "\n" not in text
    return text


@pytest.fixture
def two(world: Any) -> list[dict[str, Any]]:
    return [entry(world.post().person.identifiers.get().value) for _ in range(2)]


class TestAppointed:
    def test_two_get_all_three_roles_with_training_and_person_check(
        self, world: Any, two: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = written(tmp_path, *two)
        run(path, dry_run=True)
        assert not RoleGrant.objects.exists()
        run(path)
        assert capsys.readouterr().out.splitlines() == ["skulle utse 2 personer med 6 roller", "utsåg 2 personer med 6 roller"]
        assert sorted(RoleGrant.objects.values_list("role", flat=True)) == sorted([*ADMINISTRATION, *ADMINISTRATION])
        assert Qualification.objects.count() == Event.objects.filter(action="qualification.recorded").count() == 4
        events = Event.objects.filter(action="role.assigned")
        assert {event.actor_ref for event in events} == {SETUP.ref}
        for grant in RoleGrant.objects.all():
            assert Role(grant.role) in {held.role for held in actor_of_person(grant.person_id).grants}

    def test_once_and_never_beside_a_global_role(self, world: Any, two: list[dict[str, Any]], tmp_path: Path) -> None:
        path = written(tmp_path, *two)
        run(path)
        assert "någon har redan en global roll" in refused(path)
        RoleGrant.objects.exclude(role="global_reader").update(valid_to=clock.now())
        world.officer(role=Role.GLOBAL_READER)
        assert "någon har redan en global roll" in refused(path)

    def test_a_fresh_portal_gets_the_organisation_and_reads_the_people(self, world: Any, tmp_path: Path, outside: Any) -> None:
        hsa_id, people = "TST2321000131-9000", []
        for index in range(2):
            number = person_number()
            key = PersonKey(number.kind.value, number.value)
            post = DirectoryPost(f"{hsa_id[:13]}-90{index:02}", hsa_id, key, "Ny", "Person", "", "", "")
            outside.posts[post.hsa_id.upper()] = post
            outside.persons[key] = outside.persons[world.key_of(world.post().person)]
            people.append(entry(number.value))
        place = {"name": "Förvaltningen", "hsa_id": hsa_id, "organisation_number": "2321000131"}
        assert "administratör 1 har inget giltigt uppdrag" in refused(written(tmp_path, *people))
        path = written(tmp_path, *people, organisation=place)
        run(path, dry_run=True)
        assert not Organisation.objects.filter(hsa_id=hsa_id).exists()
        run(path)
        assert Organisation.objects.get(hsa_id=hsa_id).area.name == "Förvaltningen"
        assert RoleGrant.objects.count() == 6


class TestRefused:
    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (lambda rows: rows[:1], "minst 2 personer behöver rollen master_data_admin"),
            (lambda rows: [rows[0], rows[0]], "samma person står två gånger"),
            (lambda rows: [rows[0], {**rows[1], "roles": ["pki_operator"]}], "minst 2 personer behöver rollen"),
            (lambda rows: [rows[0], {**rows[1], "roles": ["reader"]}], "administratör 2: roles ska vara en lista"),
            (lambda rows: [rows[0], {**rows[1], "training": "2999-01-01"}], "administratör 2: training ligger framåt"),
            (lambda rows: [{**rows[0], "person_check": None}, rows[1]], "administratör 1: person_check ska vara dagen"),
            (lambda rows: [{**rows[0], "person_id": "1"}, rows[1]], "administratör 1: person_id är inte ett personnummer"),
            (lambda rows: [{**rows[0], "namn": "x"}, rows[1]], "administratör 1: okänt fält namn"),
        ],
    )
    def test_one_line_says_what_is_wrong_and_nothing_is_written(
        self, two: list[dict[str, Any]], tmp_path: Path, change: Any, told: str
    ) -> None:
        assert told in refused(written(tmp_path, *change(two)))
        assert not RoleGrant.objects.exists()
        assert not Qualification.objects.exists()

    @pytest.mark.parametrize("content", [b"", b"- a\n- b", b"a: [", b"\xff\xfe", b"administrators: 1", b"x" * 70_000])
    def test_what_is_no_such_file(self, db: None, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "file.yaml"
        path.write_bytes(content)
        assert refused(str(path))

    def test_the_second_who_fails_leaves_the_first_without(self, world: Any, two: list[dict[str, Any]], tmp_path: Path) -> None:
        dead = Person.objects.order_by("id").last()
        Person.objects.filter(pk=dead.pk).update(deceased=True)
        assert "avliden" in refused(written(tmp_path, *two))
        assert not RoleGrant.objects.exists()
        assert not Qualification.objects.exists()
