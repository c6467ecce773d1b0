"""The ways to identify a holder: what each leads to, the table in the rules, and attestation by another person."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import DatabaseError, transaction
from django.urls import reverse

from issuance.activation.domain.identity_documents import (
    ATTESTATION,
    DOCUMENTS,
    FULL,
    IDENTITY_DOCUMENT,
    Relation,
    described,
    offered,
    relations,
)
from issuance.activation.models import Attestation, EidAppTransaction, Identification
from issuance.activation.queries import identifying
from issuance.activation.services import unlocking, visits
from issuance.activation.services.attesting import Attested
from issuance.activation.services.identification_integrity import verify_identifications
from issuance.activation.services.receipt_content import preview
from issuance.activation.web.forms import IdentificationForm
from issuance.authz import Role
from issuance.carriers.domain import kinds
from issuance.carriers.models import IDENTITY_DOCUMENTS, Carrier
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from siths_portal.lib.errors import Conflict, Invalid
from tests import superuser
from tests.issuance.activated import Made, activated_card, identify, sent_card
from tests.issuance.orders.wizard import text_of
from tests.issuance.world import person_number, years_ago
from tests.portal import portal_client

pytestmark = pytest.mark.usefixtures("demo_pki")


def test_the_rules_have_the_table() -> None:
    table = "\n".join(described())
    rules = Path(django_settings.BASE_DIR, "docs", "rules", "issuance.md").read_text()
    assert f"\n\n{table}\n\n" in rules, f"manage.py issuance_identity_documents:\n{table}"


def test_the_database_knows_every_code() -> None:
    assert tuple(DOCUMENTS) == tuple(IDENTITY_DOCUMENT) == IDENTITY_DOCUMENTS
    assert set(DOCUMENTS) - set(FULL) == {"foreign_passport", "foreign_id_card", "attestation"}


@pytest.mark.parametrize("kind", [kind.code for kind in kinds.all_kinds()])
def test_what_is_offered(kind: str) -> None:
    assert offered(kind, 3) == list(FULL)
    assert offered(kind, 2) == [code for code in DOCUMENTS if code != ATTESTATION or kind == "reserve_card"]


def test_who_attests_by_age() -> None:
    assert relations(17) == (Relation.GUARDIAN,)
    assert relations(18) == relations(None) == (Relation.EMPLOYER, Relation.SUPERIOR)


def second_level(made: Made) -> Made:
    """The card, as one of level 2."""
    Carrier.objects.filter(pk=made.carrier.pk).update(assurance_level=2)
    return dataclasses.replace(made, carrier=made.fresh())


class TestLevels:
    """Enforced in the service, whatever the page offered."""

    @pytest.mark.parametrize("document", ["foreign_passport", "foreign_id_card", "attestation"])
    def test_a_card_of_level_3_needs_a_full_document(self, world: Any, document: str) -> None:
        made = sent_card(world)
        with pytest.raises(Invalid) as refused:
            identify(world, made, document=document)
        assert (refused.value.code, list(refused.value.fields)) == ("identity-document-not-enough", ["identity_document"])
        assert not Identification.objects.exists()
        assert not EidAppTransaction.objects.exists()

    def test_so_does_its_unlocking(self, world: Any) -> None:
        made = activated_card(world)
        before = Identification.objects.count()
        with pytest.raises(Invalid) as refused:
            unlocking.identify(actor=world.officer(), carrier_id=made.carrier.pk, identity_document="foreign_passport")
        assert refused.value.code == "identity-document-not-enough"
        assert Identification.objects.count() == before

    def test_a_foreign_document_is_enough_for_level_2_and_an_attestation_is_not(self, world: Any) -> None:
        made = second_level(sent_card(world))
        with pytest.raises(Invalid) as refused:
            identify(world, made, document="attestation")
        assert refused.value.message == "Intyg av annan person räcker bara för reservkort. Välj en id-handling."
        assert identify(world, made, document="foreign_passport").transaction.state == "created"

    def test_level_3_needs_a_registered_address_at_the_visit_too(self, world: Any) -> None:
        made = sent_card(world)
        world.outside.change_person(world.key_of(made.carrier.holder), registered_address=None)
        with pytest.raises(Conflict) as refused:
            identify(world, made)
        assert refused.value.code == "no-registered-address"
        assert identify(world, second_level(made)).transaction.state == "created", "level 2 does not"

    def test_the_page_offers_what_is_enough_and_says_what_the_others_lead_to(self, world: Any) -> None:
        made = sent_card(world)
        clerk = portal_client(Person.objects.get(pk=world.officer().person_id))
        page = clerk.get(reverse("activate", args=[made.carrier.pk]))
        assert [each["value"] for each in page.context["form"].options] == list(FULL)
        said = text_of(page)
        assert "Utländskt pass : räcker inte för det här kortet (leder högst till tillitsnivå 2)." in said
        assert "kan ett reservkort på tillitsnivå 2 räcka" in said, "the next step where no document is enough"
        assert "Stämmer ansikte, ålder och längd?" in said
        answer = clerk.post(reverse("activate", args=[made.carrier.pk]), {"identity_document": "foreign_passport"})
        assert answer.status_code == 422
        second_level(made)
        page = clerk.get(reverse("activate", args=[made.carrier.pk]))
        assert [each["value"] for each in page.context["form"].options] == [*FULL, "foreign_passport", "foreign_id_card"]
        assert 'name="attestor_name"' not in page.content.decode()

    def test_the_help_lists_every_way(self, world: Any) -> None:
        clerk = portal_client(Person.objects.get(pk=world.officer().person_id))
        said = text_of(clerk.get(reverse("identification_help")))
        for way in DOCUMENTS.values():
            assert f"{way.label}: högst tillitsnivå {way.level}." in said


@pytest.fixture
def reserve(world: Any) -> Carrier:
    """A reserve card of level 2 that is bound to a person; its pages are another matter."""
    made = sent_card(world)
    Carrier.objects.filter(pk=made.carrier.pk).update(kind="reserve_card", state="reserved", assurance_level=2)
    return Carrier.objects.select_related("organisation__area", "person").get(pk=made.carrier.pk)


def attested(**changes: Any) -> Attested:
    values = {
        "attestor_name": " Chef  Chefsson ",
        "attestor_number": person_number().value,
        "relation": "superior",
        "attestor_document": "passport",
        "stated": True,
    }
    return Attested(**(values | changes))


def identified(world: Any, carrier: Carrier, given: Attested | None) -> Identification:
    """Stored as the opening of a transaction stores it."""
    found = visits.identified_now(world.officer(), carrier, ATTESTATION, given)
    with transaction.atomic():
        visits.store_identification(world.officer(), found)
    return found


class TestAttestation:
    """By another person, for a reserve card."""

    def test_it_is_kept_with_the_identification(self, world: Any, reserve: Carrier) -> None:
        given = attested()
        found = identified(world, reserve, given)
        kept = Attestation.objects.get(identification=found)
        assert (kept.attestor_name, kept.attestor_number) == ("Chef Chefsson", given.attestor_number)
        assert (kept.relation, kept.attestor_document) == ("superior", "passport")
        facts = Event.objects.get(action="holder.identified").facts
        assert (facts["attestor_name"], facts["attestor_relation"]) == ("Chef Chefsson", "superior")
        assert given.attestor_number not in str(facts), "the number is in one place"

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"attestor_name": " "}, "attestor_name"),
            ({"attestor_name": "x" * 201}, "attestor_name"),
            ({"attestor_number": ""}, "attestor_number"),
            ({"attestor_number": "18500101-9803"}, "attestor_number"),
            ({"relation": ""}, "relation"),
            ({"relation": "guardian"}, "relation"),
            ({"relation": "colleague"}, "relation"),
            ({"attestor_document": "foreign_passport"}, "attestor_document"),
            ({"attestor_document": "attestation"}, "attestor_document"),
            ({"stated": False}, "stated"),
        ],
    )
    def test_each_field_has_its_rule(self, world: Any, reserve: Carrier, changes: dict[str, Any], field: str) -> None:
        with pytest.raises(Invalid) as refused:
            identified(world, reserve, attested(**changes))
        assert list(refused.value.fields) == [field]
        assert not Identification.objects.exists()

    def test_nothing_attested_is_refused_at_every_field(self, world: Any, reserve: Carrier) -> None:
        with pytest.raises(Invalid) as refused:
            identified(world, reserve, None)
        assert set(refused.value.fields) == {field.name for field in dataclasses.fields(Attested)}

    def test_who_may_not_attest(self, world: Any, reserve: Carrier) -> None:
        def refusal(number: str) -> str:
            with pytest.raises(Invalid) as refused:
                identified(world, reserve, attested(attestor_number=number))
            return refused.value.fields["attestor_number"][0]

        def number_of(person: Person) -> str:
            return world.key_of(person).value

        assert "för sig själv" in refusal(number_of(reserve.holder))
        assert "Du kan inte intyga själv" in refusal(number_of(Person.objects.get(pk=world.officer().person_id)))
        assert "ska ha fyllt 18 år" in refusal(person_number(years_ago(17)).value)
        assert "Skriv personnumret" in refusal(person_number(coordination=True).value)
        for officer in (
            world.officer(role=Role.READER),
            world.officer(role=Role.RESPONSIBLE_ISSUER),
            world.officer(role=Role.GLOBAL_READER),
        ):
            assert "roll i portalen" in refusal(number_of(Person.objects.get(pk=officer.person_id)))
        elsewhere = world.officer(world.city)
        identified(world, reserve, attested(attestor_number=number_of(Person.objects.get(pk=elsewhere.person_id))))
        assert Attestation.objects.count() == 1

    def test_a_guardian_attests_for_a_minor(self, world: Any, reserve: Carrier) -> None:
        minor = world.post(person_id=person_number(years_ago(16))).person
        kept = ("kind", "state", "organisation", "article", "assurance_level", "valid_from", "valid_to", "created_at")
        young = Carrier.objects.create(person=minor, **{name: getattr(reserve, name) for name in kept})
        with pytest.raises(Invalid) as refused:
            identified(world, young, attested())
        assert list(refused.value.fields) == ["relation"]
        identified(world, young, attested(relation="guardian"))

    def test_it_never_changes(self, world: Any, reserve: Carrier) -> None:
        identified(world, reserve, attested())
        for change in (lambda rows: rows.update(attestor_name="x"), lambda rows: rows.delete()):
            with pytest.raises(DatabaseError), transaction.atomic():
                change(Attestation.objects.all())

    @pytest.mark.django_db(transaction=True)
    def test_a_changed_one_disagrees_with_its_event(self, world: Any, reserve: Carrier) -> None:
        found = identified(world, reserve, attested())
        assert verify_identifications().wrong == ()
        with superuser.cursor() as cursor:
            cursor.execute("UPDATE issuance_attestation SET attestor_name = 'Någon Annan'")
        assert verify_identifications().wrong == (str(found.pk),)

    def test_the_form_has_its_fields_only_where_it_is_offered(self, world: Any) -> None:
        ways = identifying.Ways(tuple(offered("reserve_card", 2)), relations(30))
        sent = dataclasses.asdict(attested()) | {"identity_document": "attestation", "stated": "on"}
        form = IdentificationForm(sent, ways=ways)
        assert form.is_valid(), form.errors
        assert form.identified()["attested"].attestor_document == "passport"
        ordinary = IdentificationForm(sent, ways=identifying.Ways(FULL, ()))
        assert not ordinary.is_valid()
        assert "attestor_name" not in ordinary.fields


def test_a_receipt_does_not_show_what_it_does_not_have(world: Any) -> None:
    content = activated_card(world).carrier.receipt.content
    assert "attestor" not in content["identification"]
    assert preview(content).heading
