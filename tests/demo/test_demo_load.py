"""The demo's data: synthetic, the same everywhere, orderable at once, and safe to load again."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from issuance.articles.models import Article
from issuance.authz import Role
from issuance.authz.roles import ADMINISTRATION, QUALIFIED_ROLES
from issuance.customisations.models import CardCustomisation
from issuance.offices.models import Office
from issuance.offices.services import close_office, disconnect_office
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.areas import edit_area
from issuance.people.models.persons import Person, PersonIdentifier, Post
from issuance.people.models.photos import Photo
from issuance.people.queries.scope_check import scope_faults
from issuance.people.services.people_integrity import verify_people
from issuance.receipt_texts.services import set_receipt_text
from issuance.records.domain.ids import luhn_valid, parse_swedish_number
from issuance.records.models.events import Event
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.services.actors import actor_of_person
from issuance.roles.services.role_rebuilding import verify_roles
from siths_portal.demo import cases, idp_people, loading, places, sandbox
from siths_portal.demo.newcomers import PLACES as NEW_PLACES
from siths_portal.demo.newcomers import employees, newcomers
from siths_portal.demo.people import people, person
from siths_portal.lib import clock
from siths_portal.lib.files import images
from tests.demo.loaded import load_demo


def test_the_nth_person_is_always_the_same_and_nobody() -> None:
    everyone = people(3000)
    assert everyone[:200] == people(200)
    numbers = [one.person_id for one in everyone]
    assert len(set(numbers)) == len(numbers)
    for one in numbers:
        parsed = parse_swedish_number(one.value, today=clock.today())
        assert parsed == one
        assert parsed.is_synthetic
    hsa_ids = [post.hsa_id for one in everyone for post in one.posts]
    assert len(set(hsa_ids)) == len(hsa_ids)
    assert person(599_999).person_id not in set(numbers)


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    """The simulator's file grows with what is loaded, so each test has its own."""
    settings.VAR_DIR = tmp_path


@pytest.fixture
def demo(transactional_db: None, own_folder: None) -> None:
    """The demo with 120 people."""
    load_demo(120)


def test_loading_twice_is_loading_once(demo: None, capsys: pytest.CaptureFixture[str]) -> None:
    counted = {
        model: model.objects.count()
        for model in (Person, Post, Organisation, Office, RoleGrant, Article, Event, Photo, Qualification)
    }
    special = cases.known_people()
    assert counted[Person] == 120 + len(special)
    written = json.loads(loading.directory_file().read_text())
    unknown = [*newcomers(), *employees(), *sandbox.everyone()]  # whom the catalogue knows and the portal does not yet
    assert len(written) == 120 + len(special) + len(unknown)
    known = {each["hsa_id"]: each["organisation_number"] for each in json.loads(loading.organisations_file().read_text())}
    assert known.items() >= dict(Organisation.objects.values_list("hsa_id", "organisation_number")).items()
    assert {one.place.hsa_id for one in newcomers()} <= set(known)
    assert [one.place for one in employees()] == list(NEW_PLACES)
    assert all(one.person.person_id.value in json.dumps(written) for one in employees())
    call_command("demo_load", persons=50)
    assert {model: model.objects.count() for model in counted} == counted
    assert json.loads(loading.directory_file().read_text()) == written
    call_command("demo_load", persons=150)
    assert Person.objects.count() == 150 + len(special)
    assert scope_faults().ok
    assert (verify_roles().wrong, verify_people().wrong) == ((), ())
    assert "150" in capsys.readouterr().out


def test_somebody_of_each_age_from_15_can_get_a_reserve_card(demo: None) -> None:
    """They stay the same people from year to year, and are in the organisation whose office has reserve cards."""
    today, minors = clock.today(), cases.minors()
    assert [one.person_id.age_on(today) for one in minors][-3:] == [17, 16, 15]
    numbers = [one.person_id.value for one in minors]
    assert all(parse_swedish_number(number, today=today).value == number for number in numbers)
    posts = Post.objects.filter(person__identifiers__value__in=numbers).select_related("organisation")
    assert [post.organisation.articles.filter(article="573", orderable=True).exists() for post in posts] == [True] * len(minors)
    with clock.moved_to(clock.now() + dt.timedelta(days=366)):
        assert cases.minors()[: len(minors)] == minors
    name, number = cases.guardian()
    assert (number.age_on(today) or 0) > 18, name
    assert not PersonIdentifier.objects.filter(value=number.value).exists()


def test_what_people_changed_of_the_places_stays(transactional_db: None) -> None:
    """A second `make run` loses nothing, and meets what was closed, disconnected and renamed."""
    places.load_places()
    area = IssuingArea.objects.get(name="Region Stockholm")
    org = {"actor": places.SETUP, "organisation_id": area.issuing_organisation_id}
    edit_area(
        actor=places.SETUP, area_id=area.id, version=area.version, name="Stockholm", invoice_reference="1",
        issuing_organisation_id=area.issuing_organisation_id,
    )  # fmt: skip
    for office in Office.objects.filter(organisations=area.issuing_organisation_id):
        disconnect_office(office_id=office.id, **org)
        close_office(actor=places.SETUP, office_id=office.id)
    set_receipt_text(regional_addition="Vår egen", **org)
    events = Event.objects.count()
    places.load_places()
    assert Event.objects.count() == events
    assert IssuingArea.objects.filter(name__icontains="stockholm").count() == 1


def test_some_have_a_portrait_to_use_again(demo: None, settings: Any) -> None:
    stored = list(Photo.objects.all())
    assert len(stored) >= 8
    assert all(photo.approved_at and photo.uploaded_by_ref.startswith("user:") for photo in stored)
    ages = {(clock.now() - photo.uploaded_at).days > 5 * 366 for photo in stored}
    assert ages == {True, False}
    assert not Photo.objects.filter(person__is_protected=True).exists()
    assert images.portrait((settings.VAR_DIR / "demo" / "portratt.jpg").read_bytes(), field="photo")


def test_who_issues_has_training_and_person_check(demo: None) -> None:
    for grant in RoleGrant.objects.all():
        kinds = set(grant.person.qualifications.values_list("kind", flat=True))
        issues = Role(grant.role) in QUALIFIED_ROLES or grant.role in ADMINISTRATION
        assert kinds == ({"training", "person_check"} if issues else set())
    later = clock.now() + dt.timedelta(days=396)
    with clock.moved_to(later):
        assert any(grant.overdue for each in RoleGrant.objects.all() for grant in actor_of_person(each.person_id).grants)
        call_command("demo_load", persons=100, stdout=None)
        assert not any(grant.overdue for each in RoleGrant.objects.all() for grant in actor_of_person(each.person_id).grants)


def test_what_the_slides_show_is_there(demo: None) -> None:
    assert all(luhn_valid(number) for number in Organisation.objects.values_list("organisation_number", flat=True))
    boras = Organisation.objects.get(hsa_id="TST2120001561-1000")
    assert boras.area.issuing_organisation.name == "Västra Götalandsregionen"
    assert boras.subscription_fees.get().charged
    assert not boras.area.issuing_organisation.subscription_fees.get().charged
    assert boras.offices.get().name == "Borås stad (15)"
    assert set(Article.objects.values_list("code", flat=True)) == {
        "573", "610", "610-REK", "677", "677-REK", "631", "631-REK", "616", "616-REK", "589", "689",
    }  # fmt: skip
    assert not CardCustomisation.objects.filter(verified_at=None).exists()
    assert [row.name for row in Organisation.objects.filter(customisation__generic=True)] == ["Västra Götaland Privat Vård"]
    assert set(RoleGrant.objects.values_list("role", flat=True)) >= {
        Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER, Role.ID_ADMINISTRATOR, Role.READER, Role.MASTER_DATA_ADMIN,
    }  # fmt: skip
    assert RoleGrant.objects.filter(role=Role.ID_ADMINISTRATOR, protected_persons=True).exists()
    assert Person.objects.filter(is_protected=True).count() >= 2
    assert PersonIdentifier.objects.filter(kind="samordningsnummer").count() >= 2


def test_the_identity_provider_lists_everyone_with_a_role_one_without_and_those_who_may_get_one(demo: None) -> None:
    everyone, new = json.loads(idp_people.file().read_text()), len(newcomers())
    listed, unknown = everyone[:-new], everyone[-new:]
    assert [one["role"] for one in unknown] == [f"i guiden {one.role}, kan logga in när rollen är utdelad" for one in newcomers()]
    assert [one["personnummer"] for one in unknown] == [one.person.person_id.value for one in newcomers()]
    assert all(one["personnummer"] in loading.directory_file().read_text() for one in unknown)
    assert not PersonIdentifier.objects.filter(value__in=[one["personnummer"] for one in unknown]).exists()
    with_role = [entry["personnummer"] for entry in listed if entry["role"]]
    holders = PersonIdentifier.objects.filter(person__role_grants__isnull=False).values_list("value", flat=True)
    assert sorted(with_role) == sorted(set(holders))
    assert len(listed) == len(with_role) + 1
    hsa_ids = {post["hsa_id"] for entry in listed for post in entry["posts"]}
    assert Post.objects.filter(hsa_id__in=hsa_ids).count() == len(hsa_ids)
    assert any(len(entry["posts"]) > 1 for entry in listed)
    assert {entry["role"].split(",")[0] for entry in listed} >= {"ID-administratör", "Ansvarig utgivare", "Läs"}
    groups = list(dict.fromkeys(entry["group"] for entry in everyone))
    assert (groups[0], groups[-2:]) == ("Förvaltningsadministratör", ["", "Guidens personer i Region Ost"])
    assert groups.index("Ansvarig utgivare") < groups.index("Biträdande utgivare") < groups.index("ID-administratör")


def test_too_few_or_too_many_people_is_wrong_use(db: Any) -> None:
    for count in (0, loading.LEAST - 1, 600_001):
        with pytest.raises(CommandError) as refused:
            call_command("demo_load", persons=count)
        assert refused.value.returncode == 2
