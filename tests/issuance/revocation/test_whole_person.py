"""Everything of a person is revoked in one act, counts as one person, and is decided as one request (rules/issuance 6.1, 6.4)."""

import datetime as dt
import threading
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from issuance.authz import Actor, Role
from issuance.carriers.models import Carrier, Eid
from issuance.people.models.persons import Person
from issuance.records.domain.ids import PersonId, PersonIdKind
from issuance.records.models.events import Event
from issuance.revocation.models import HeldRevocation
from issuance.revocation.services import revocation, revocation_limit, whole_person
from pki.models import Certificate, Revocation
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.issuance.person_page.test_pages import client_of, text_of
from tests.issuance.revocation.test_pages import fields
from tests.issuance.revocation.test_revocation import active
from tests.pressing import ENTER

pytestmark = pytest.mark.usefixtures("authorities")


@pytest.fixture
def person(world: Any) -> Person:
    """Somebody in the region with two active cards and a third one ordered."""
    post = world.post()
    active(world, post)
    active(world, post)
    world.order(post)
    return Person.objects.get(pk=post.person_id)


def extra_eid(carrier: Carrier, post: Any) -> Eid:
    """An active eID of another organisation's assignment on the card."""
    return Eid.objects.create(
        carrier=carrier, post=post, organisation=post.organisation, hsa_id=post.hsa_id, state="active", activated_at=clock.now(),
        valid_from=clock.now(), valid_to=carrier.valid_to, seq=1, created_at=clock.now(),
    )  # fmt: skip


def number_of(person: Person) -> PersonId:
    found = person.identifiers.get()
    return PersonId(PersonIdKind(found.kind), found.value)


def ids_of(actor: Actor, person: Person) -> list[Any]:
    return sorted(whole_person.live_possessions(actor, person.pk).ids)


def revoke(actor: Actor, person: Person, **more: Any) -> Any:
    given = {"shown": ids_of(actor, person), "reason": "deceased"} | more
    return whole_person.revoke_person(actor=actor, person_id=person.pk, **given)


def sent(client: Any, person: Person, **changes: Any) -> dict[str, Any]:
    """The form as its page sends it."""
    page = client.get(reverse("person_revoke", args=[person.pk]))
    number = person.identifiers.get().value
    return fields(confirm=number[-4:], visat=page.context["found"].ids) | changes


class TestTheService:
    def test_everything_ends_at_one_moment_for_one_reason(self, world: Any, person: Person) -> None:
        other = active(world)
        actor = world.officer()
        done = revoke(actor, person, requester="organisation", requester_name="Chef Chefsson", channel="phone")
        carriers = Carrier.objects.filter(person=person)
        assert len(done.carriers) == carriers.count() == 3
        assert set(carriers.values_list("state", "revocation_reason")) == {("revoked", "deceased")}
        assert carriers.values("ended_at").distinct().count() == 1
        assert set(Eid.objects.filter(carrier__person=person).values_list("state", flat=True)) == {"revoked"}
        refs = [f"carrier:{pk}" for pk in carriers.values_list("pk", flat=True)]
        assert set(Certificate.objects.filter(carrier_ref__in=refs).values_list("status", flat=True)) == {"revoked"}
        events = Event.objects.filter(action="carrier.revoked")
        assert events.count() == 3
        assert {(event.facts["requester_name"], event.facts["request_channel"]) for event in events} == {
            ("Chef Chefsson", "phone")
        }
        other.refresh_from_db()
        assert other.state == "active"

    def test_again_changes_nothing(self, world: Any, person: Person) -> None:
        actor = world.officer()
        shown = ids_of(actor, person)
        assert revoke(actor, person).ids == set(shown)
        assert revoke(actor, person, shown=shown).ids == set()
        assert Event.objects.filter(action="carrier.revoked").count() == 3

    def test_eight_at_once_revoke_once(self, world: Any, person: Person) -> None:
        """S33: all eight succeed, one did it."""
        actor = world.officer()
        shown, start, raised = ids_of(actor, person), threading.Barrier(8), []

        def act() -> None:
            start.wait()
            try:
                revoke(actor, person, shown=shown)
            except Exception as error:  # noqa: BLE001
                raised.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=act) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert raised == []
        assert Event.objects.filter(action="carrier.revoked").count() == 3
        assert Revocation.objects.count() == 8

    def test_what_was_not_shown_is_not_revoked(self, world: Any, person: Person) -> None:
        actor = world.officer()
        shown = ids_of(actor, person)
        active(world, person.posts.get())
        with pytest.raises(Conflict, match=whole_person.CHANGED):
            revoke(actor, person, shown=shown)
        assert not Event.objects.filter(action="carrier.revoked").exists()

    def test_s11_each_row_is_in_the_officers_scope_when_it_is_revoked(self, world: Any, person: Person) -> None:
        """Of a card of another organisation only the own eID ends; what is out of scope stays, also if its id is sent."""
        card = Carrier.objects.filter(person=person, state="active").first()
        assert card is not None
        eid = extra_eid(card, world.post(world.city, person_id=number_of(person)))
        actor = world.officer(world.city)
        page = text_of(client_of(actor).get(reverse("eid_revoke", args=[eid.pk])))
        assert "Kortet, certifikaten med person-id och kortets andra SITHS eID fungerar som förut." in page
        everything = [*Carrier.objects.values_list("pk", flat=True), *Eid.objects.values_list("pk", flat=True)]
        assert revoke(actor, person, shown=everything).ids == {eid.pk}
        assert Event.objects.filter(action="carrier.revoked").count() == 0
        assert list(Event.objects.filter(action="eid.revoked").values_list("subject_ref", flat=True)) == [str(eid.pk)]

    def test_who_may(self, world: Any, person: Person) -> None:
        for actor, error in (
            (world.officer(world.stranger), NotFound), (world.officer(role=Role.READER), Forbidden),
        ):  # fmt: skip
            with pytest.raises(error):
                revoke(actor, person)
        hidden = Person.objects.get(pk=active(world, world.post(protected=True)).person_id)
        with pytest.raises(NotFound):
            revoke(world.officer(), hidden)

    def test_no_request_is_older_than_the_newest_card(self, world: Any, person: Person) -> None:
        actor = world.officer()
        since = whole_person.live_possessions(actor, person.pk).known_since
        assert since is not None
        with pytest.raises(Invalid, match="received-before-carrier"):
            revoke(actor, person, received_at=since - dt.timedelta(minutes=1))
        assert not Event.objects.filter(action="carrier.revoked").exists()


class TestTheLimit:
    @pytest.fixture(autouse=True)
    def limit(self, settings: Any) -> None:
        settings.REVOCATIONS_PER_HOUR = 2

    def test_persons_count_and_not_carriers(self, world: Any, person: Person) -> None:
        officer = world.officer()
        for carrier in Carrier.objects.filter(person=person):
            done = revocation.revoke_carrier(actor=officer, carrier_id=carrier.pk, reason="deceased")
            assert isinstance(done, Carrier), "three cards of one person are one"
        assert isinstance(revocation.revoke_carrier(actor=officer, carrier_id=active(world).pk, reason="deceased"), Carrier)
        held = revocation.revoke_carrier(actor=officer, carrier_id=active(world).pk, reason="deceased")
        assert isinstance(held, HeldRevocation), "the third person"

    def test_everything_of_the_next_person_is_one_request_for_the_second_officer(self, world: Any, person: Person) -> None:
        officer, second = world.officer(), world.officer(role=Role.REVOKER)
        for _ in range(2):
            revocation.revoke_carrier(actor=officer, carrier_id=active(world).pk, reason="deceased")
        alone = Carrier.objects.filter(person=person).order_by("pk")[0]
        revocation.revoke_carrier(actor=officer, carrier_id=alone.pk, reason="deceased")
        received = clock.now()
        held = revoke(officer, person, received_at=received)
        assert {(row.request_id, row.received_at) for row in held} == {(held[0].pk, received)}
        assert {row.carrier_id for row in held} == set(Carrier.objects.filter(person=person).values_list("pk", flat=True)) - {
            alone.pk
        }, "what waits already is asked for once"
        with pytest.raises(Conflict, match=revocation_limit.WAITS):
            revoke(officer, person)
        client = client_of(second)
        assert "2 spärrar väntar på ditt beslut" in text_of(client.get(reverse("day")))
        page = text_of(client.get(reverse("held_revocations")))
        assert page.count("Allt för personen: 2 kort") == 1
        Carrier.objects.filter(pk=held[0].carrier_id).update(state="expired")
        done = client.post(reverse("held_revocations"), {"sparr": str(held[0].request_id), "decision": "approve"}, follow=True)
        assert "1 spärr är godkänd och gjord." in text_of(done)
        assert Carrier.objects.get(pk=held[0].carrier_id).state == "expired", "what ended meanwhile is only closed"
        assert Carrier.objects.get(pk=held[1].carrier_id).state == "revoked"
        assert set(HeldRevocation.objects.filter(request_id=held[0].request_id).values_list("state", flat=True)) == {"approved"}


class TestThePages:
    def test_one_page_one_confirmation_one_result(self, world: Any, person: Person) -> None:
        client, address = client_of(world.officer()), reverse("person_revoke", args=[person.pk])
        assert address in client.get(reverse("person", args=[person.pk])).content.decode()
        page = text_of(client.get(address))
        for expected in ("Spärra allt för", "Kortet som slutar på", "Spärren är slutgiltig.", "Kort utanför din behörighet"):
            assert expected in page
        form = sent(client, person, reason="suspected_misuse")
        assert client.post(address, form | {"confirm": "0000"}).status_code == 422
        assert client.post(address, form | ENTER).status_code == 200
        assert Carrier.objects.filter(person=person, state="revoked").count() == 0
        done = client.post(address, form)
        assert done["Location"] == reverse("person_revoked", args=[person.pk])
        assert Carrier.objects.filter(person=person, state="revoked").count() == 3
        result = client.get(done["Location"])
        text = text_of(result)
        for expected in (
            "Allt är spärrat",
            "Misstanke om obehörig användning",
            "Beställ ett nytt kort åt",
            "klipp dem genom chippet",
        ):
            assert expected in text
        assert text.count("Kortet som slutar på") == 2
        assert client.post(address, form)["Location"] == done["Location"], "a second click"
        assert client.get(address)["Location"] == done["Location"]
        shown = Event.objects.filter(action="person.shown", subject_ref=str(person.pk), facts__shown="revocation")
        assert shown.count() == 5, "the form four times, and the result"

    def test_a_card_that_came_meanwhile_is_shown_before_it_ends(self, world: Any, person: Person) -> None:
        client = client_of(world.officer())
        form = sent(client, person)
        new = active(world, person.posts.get())
        answer = client.post(reverse("person_revoke", args=[person.pk]), form)
        assert answer.status_code == 409
        assert "Personen har fått något nytt" in text_of(answer)
        assert f"Kortet som slutar på {new.card_serial[-4:]}" in text_of(answer)
        assert not Carrier.objects.filter(state="revoked").exists()

    def test_above_the_limit_it_waits(self, world: Any, person: Person, settings: Any) -> None:
        settings.REVOCATIONS_PER_HOUR = 0
        client = client_of(world.officer())
        for expected in ("Spärren är inte gjord.", "väntar redan på beslut"):
            told = client.post(reverse("person_revoke", args=[person.pk]), sent(client, person), follow=True)
            assert expected in text_of(told)
        assert "En spärr av kortet väntar på beslut." in text_of(client.get(reverse("person", args=[person.pk])))

    def test_nothing_to_revoke_is_said(self, world: Any) -> None:
        person = Person.objects.get(pk=world.post().person_id)
        client = client_of(world.officer())
        answer = client.get(reverse("person_revoke", args=[person.pk]))
        assert answer.status_code == 409
        assert "Det finns inget att spärra" in text_of(answer)
        assert client.get(reverse("person_revoked", args=[person.pk]))["Location"] == reverse("person_revoke", args=[person.pk])

    def test_s39_what_was_written_is_shown_as_it_was_written(self, world: Any, person: Person) -> None:
        hostile = "{{ 7*7 }}{% load x %}<script>alert(1)</script><img src=file:///etc/passwd>"
        client = client_of(world.officer())
        form = sent(client, person, reason="other", justification=hostile, requester="other", requester_name=hostile)
        wrong = client.post(reverse("person_revoke", args=[person.pk]), form | {"confirm": "0000"})
        client.post(reverse("person_revoke", args=[person.pk]), form)
        history, paper = (client.get(reverse("person_history", args=[person.pk]), {"papper": each}) for each in ("", "1"))
        for page, times in ((wrong, 2), (history, 2), (paper, 2)):
            body = page.content.decode()
            assert body.count("{{ 7*7 }}{% load x %}&lt;script&gt;") >= times
            assert "<script>alert" not in body
            assert "<img src=file" not in body
