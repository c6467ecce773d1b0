"""The demo at the size of the country, on a few hundred people: its shape, its agreement with the rules, and loading in parts."""

from collections import Counter
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, F, Q

from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.housekeeping.services import deadlines
from issuance.offices.models import Office
from issuance.orders.models.orders import CardOrder
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person, PersonIdentifier, Post
from issuance.people.queries.scope_check import scope_faults
from issuance.people.services.people_integrity import verify_people
from issuance.records.domain.ids import luhn_valid, parse_hsa_id
from issuance.records.models.events import Event
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from pki.models import Certificate
from siths_portal.demo.people import FIRST_OF_THE_COUNTRY as FIRST
from siths_portal.demo.people import person
from siths_portal.demo.places import PLACES, load_places
from siths_portal.demo.scale import loading
from siths_portal.demo.scale.ids import row_id
from siths_portal.demo.scale.places import REGIONS, TOP, places
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict
from tests.first_rows import first_rows
from tests.issuance.authorities import make_authorities

COUNT = 400


@pytest.fixture
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several for so few people."""
    monkeypatch.setattr(loading, "RUN", 150)


@pytest.fixture
def country(transactional_db: None, short_runs: None) -> None:
    """The slides' places, and the CA of earlier cards."""
    first_rows("country", "", _places)


@pytest.fixture
def loaded_country(transactional_db: None, short_runs: None) -> None:
    """The same with its people, loaded by one process."""
    first_rows("loaded country", "", _load)


def _places() -> dict[str, Any]:
    make_authorities()
    load_places()
    return {}


def _load() -> dict[str, Any]:
    _places()
    loading.load(FIRST + COUNT, StringIO().write, processes=1)
    return {}


def test_the_country_has_its_size_and_three_levels() -> None:
    tops = [place for place in PLACES if not place.parent]
    assert REGIONS + 2 == 21
    assert TOP - REGIONS + len(tops) - 2 == 290
    assert len(places()) - TOP + len(PLACES) - len(tops) == 2000
    depths: dict[int, int] = {}
    for place in places():
        depths[place.number] = 1 if place.parent is None else depths[place.parent] + 1
        if place.parent is not None:
            assert places()[place.parent].region == place.region
    assert Counter(depths.values()).keys() == {1, 2, 3}
    assert len({place.hsa_id for place in places()} | {place.hsa_id for place in PLACES}) == len(places()) + len(PLACES)
    assert all(luhn_valid(place.organisation_number) and parse_hsa_id(place.hsa_id) for place in places())


def test_people_and_ids_are_the_same_everywhere_and_nobody_elses() -> None:
    some = [*range(FIRST, FIRST + 2000), *range(599_000, 600_000)]
    everyone = [person(index) for index in some]
    assert everyone == [person(index) for index in some]
    hsa_ids = [post.hsa_id for one in everyone for post in one.posts]
    assert len(set(hsa_ids)) == len(hsa_ids) > len(some)
    assert all(parse_hsa_id(hsa_id) for hsa_id in hsa_ids)
    ids = [UUID(row_id("person", index)) for index in some]
    assert ids == sorted(set(ids))
    assert {(id_.version, id_.variant) for id_ in ids} == {(7, "specified in RFC 4122")}


def test_what_is_loaded_agrees_with_the_rules(country: None) -> None:
    assert loading.load(FIRST + COUNT, StringIO().write, processes=2) == COUNT
    assert Organisation.objects.count() == len(places()) + len(PLACES)
    assert Carrier.objects.count() == 2 * COUNT == Person.objects.count() * 2
    assert scope_faults().ok
    assert verify_people().wrong == ()
    assert {row.state for row in Carrier.objects.all()} >= {"active", "expired", "revoked", "sent", "ordered", "cancelled"}
    protected = Person.objects.filter(is_protected=True).count()
    assert COUNT * 0.02 < protected < COUNT * 0.06
    # What a card's step would have written: one event, as `seq` counts them, and eIDs of the same posts.
    for kind, model in (("carrier", Carrier), ("eid", Eid)):
        events = Event.objects.filter(action=f"{kind}.migrated", subject_seq=1).values_list("subject_ref", flat=True)
        assert set(events) == {str(pk) for pk in model.objects.filter(seq=1).values_list("pk", flat=True)}
        assert not model.objects.exclude(seq=1).exists()
    assert not Eid.objects.exclude(hsa_id=F("post__hsa_id"), organisation=F("post__organisation")).exists()
    assert not Eid.objects.exclude(carrier__person=F("post__person")).exists()
    assert not CardOrder.objects.exclude(office__organisations=F("organisation")).exists()
    # Nothing that time would end at once.
    assert not any(vars(deadlines.run(dry_run=True)).values())


def test_certificates_are_serials_of_the_present_card(loaded_country: None) -> None:
    certified = Carrier.objects.filter(state__in=["active", "sent", "activated_unsigned"]).count()
    rows = Certificate.objects.filter(ca__slug="demo-bulk")
    assert rows.filter(status="issued").values("carrier_ref").distinct().count() == certified
    assert CarrierCertificate.objects.count() == rows.count() >= 4 * certified
    assert not rows.exclude(blob=None).exists()
    revoked = rows.filter(status="revoked")
    kept = CarrierCertificate.objects.filter(certificate_id__in=revoked.values("pk"))
    assert {row.carrier.state for row in kept.select_related("carrier")} == {"revoked"}
    versions = revoked.values_list("status_version", flat=True)
    assert len(set(versions)) == len(versions) > 0
    pairs = Carrier.objects.annotate(
        hsa=Count("certificates", filter=Q(certificates__eid__isnull=False), distinct=True),
        own=Count("certificates", filter=Q(certificates__eid=None), distinct=True),
        of=Count("eids", distinct=True),
    ).filter(certificates__isnull=False)
    assert all((row.hsa, row.own) == (2 * row.of, 2) for row in pairs.distinct())


def test_leaders_hold_the_roles_of_their_places(loaded_country: None) -> None:
    grants = RoleGrant.objects.all()
    assert grants.count() == COUNT, "the first of the people are the leaders"
    for grant in grants.select_related("organisation"):
        posts = Post.objects.filter(person=grant.person_id)
        area = grant.area_id or grant.organisation.area_id
        assert posts.filter(organisation__area=area).exists()
    qualified = Qualification.objects.values("person").annotate(kinds=Count("kind")).values_list("kinds", flat=True)
    assert set(qualified) == {2}
    assert Office.objects.filter(organisations=None).count() == 0


def test_a_load_that_was_cut_off_goes_on(country: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Cut(Exception):
        pass

    write, done = loading.write_cards, []

    def cut(people: Any, now: Any) -> None:
        write(people, now)
        done.append(now)
        if len(done) == 2:
            raise Cut

    monkeypatch.setattr(loading, "write_cards", cut)
    with pytest.raises(Cut):
        loading.load(FIRST + COUNT, StringIO().write, processes=1)
    assert (Person.objects.count(), Carrier.objects.count()) == (150, 300), "the run that was cut off is not there at all"
    assert loading.load(FIRST + COUNT, StringIO().write, processes=1) == COUNT - 150
    before = {model: model.objects.count() for model in (Person, Carrier, Eid, Event, Certificate, Organisation)}
    assert before[Carrier] == 2 * COUNT
    assert loading.load(FIRST + COUNT, StringIO().write, processes=1) == 0
    assert {model: model.objects.count() for model in before} == before
    assert scope_faults().ok


def test_without_the_earlier_ca_nothing_is_loaded(transactional_db: None) -> None:
    with pytest.raises(CommandError, match="demo-bulk"):
        call_command("demo_load", persons=FIRST + 1)
    assert not Organisation.objects.exists()


def test_people_of_another_shape_are_refused(country: None) -> None:
    number = person(FIRST + 200).person_id
    other = Person.objects.create(given_names="A", given_name_in_use="A", surname="A", sort_name="A, A", created_at=clock.now())
    PersonIdentifier.objects.create(person=other, kind=number.kind.value, value=number.value, valid_from=clock.now())
    for processes in (1, 2):
        with pytest.raises(Conflict, match="other-shape"):
            loading.load(FIRST + COUNT, StringIO().write, processes=processes)
    assert not Post.objects.filter(person=row_id("person", FIRST + 200)).exists()
