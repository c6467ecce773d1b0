"""Ersätt kort: one errand from the old card to the new one. The reason decides when the old card is revoked."""

from typing import Any

import pytest
from django.urls import reverse

from issuance.authz import Role, system
from issuance.carriers.models import Carrier, Eid
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.imports.services import migration
from issuance.orders.domain.items import Fault
from issuance.orders.domain.replacements import RULES, ReplacementReason, revoked_first
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.queries import order_draft
from issuance.orders.services import drafts, ordering, remaking, replacement_checks, replacements
from issuance.people.models.photos import Photo
from issuance.records.models.events import Document, Event
from issuance.revocation.domain import RFC_5280
from issuance.revocation.models import HeldRevocation
from issuance.revocation.services import replacing, revocation
from issuance.suppliers.domain import Returned
from issuance.suppliers.services import supplier_events
from pki.models import Certificate, Revocation
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, Unavailable
from tests.at_once import run_at_once
from tests.issuance.activated import CLIENT, App, Made, activated_card, identify, make_card, sent_card, unsigned_card
from tests.issuance.migrated import CA, migrated_card
from tests.issuance.orders.wizard import Clerk, text_of
from tests.issuance.pictures import picture
from tests.issuance.world import years_ago

pytestmark = pytest.mark.usefixtures("demo_pki")
ORIGIN = {"requester": "holder", "channel": "visit"}


def started(world: Any, old: Carrier, reason: str, *, actor: Any = None) -> OrderDraft:
    """The draft of a clerk who has answered everything."""
    actor = actor or world.officer()
    draft = replacements.start(actor=actor, carrier_id=old.pk)
    return drafts.choose(actor=actor, draft_id=draft.pk, version=draft.version, choices=drafts.Choices(replacement_reason=reason))


def ordered(draft: OrderDraft, actor: Any, **origin: str) -> replacing.Ordered:
    return replacing.order(
        actor=actor, draft_id=draft.pk, version=draft.version, confirmed_cards=(), photo_id=None, **(ORIGIN | origin)
    )


def ready(world: Any, made: Made) -> App:
    """The app of a holder who is about to sign."""
    app = App(made)
    app.start(identify(world, made))
    app.set_code()
    return app


def test_each_reason_has_its_revocation() -> None:
    """All are superseded or compromised, and none is left out."""
    assert set(RULES) == set(replacing.REVOKED_AS) == set(ReplacementReason)
    in_crl = {reason: RFC_5280[revoked] for reason, revoked in replacing.REVOKED_AS.items()}
    assert in_crl == {"lost": "keyCompromise", "damaged": "superseded", "changed_details": "superseded"}
    at_once = {(reason, state): revoked_first(reason, state) for reason in RULES for state in ("sent", "active")}
    assert {key for key, first in at_once.items() if not first} == {("damaged", "active"), ("changed_details", "active")}


class TestTheDraft:
    """Filled in as the old card's order."""

    def test_it_has_the_answers_of_the_cards_order(self, world: Any) -> None:
        old = activated_card(world)
        draft = replacements.start(actor=world.officer(), carrier_id=old.carrier.pk)
        order = old.order
        assert (draft.post_id, draft.article_id, draft.office_id) == (order.eid.post_id, order.article_id, order.office_id)
        assert (draft.replaced_carrier, draft.replacement_reason, draft.photo) == (old.carrier, "", None)
        assert old.fresh().state == "active"

    def test_a_card_that_was_not_ordered_here_is_proposed_as_it_is(self, world: Any) -> None:
        post = world.post()
        old = migration.register_migrated_card(actor=system("migration"), card=migrated_card(post), ca=CA)
        assert old.article_id
        draft = replacements.start(actor=world.officer(), carrier_id=old.pk)
        assert (draft.post_id, draft.article_id, draft.office_id) == (post.pk, old.article_id, old.office_id)

    def test_a_second_click_keeps_what_is_answered(self, world: Any) -> None:
        old = activated_card(world).carrier
        draft = started(world, old, "damaged")
        again = replacements.start(actor=world.officer(), carrier_id=old.pk)
        assert (again.pk, again.version, again.replacement_reason) == (draft.pk, draft.version, "damaged")

    def test_starting_over_is_an_ordinary_order(self, world: Any) -> None:
        draft = started(world, activated_card(world).carrier, "damaged")
        draft = drafts.restart(actor=world.officer(), draft_id=draft.pk)
        assert (draft.replaced_carrier, draft.replacement_reason) == (None, "")

    def test_an_unknown_reason_is_refused_at_its_field(self, world: Any) -> None:
        with pytest.raises(Invalid) as refused:
            started(world, activated_card(world).carrier, "bored")
        assert list(refused.value.fields) == ["replacement_reason"]

    def test_who_may_and_which_cards(self, world: Any) -> None:
        old = activated_card(world)
        with pytest.raises(Forbidden):
            replacements.start(actor=world.officer(role=Role.REVOKER), carrier_id=old.carrier.pk)
        revocation.revoke_carrier(actor=world.officer(), carrier_id=old.carrier.pk, reason="damaged")
        with pytest.raises(Conflict) as refused:
            replacements.start(actor=world.officer(), carrier_id=old.carrier.pk)
        assert refused.value.code == "card-not-replaceable"
        assert not OrderDraft.objects.exists()


class TestOnThePage:
    """With the keys of an order: the reason, and for a lost card its four digits."""

    def replace(self, world: Any, made: Made) -> Clerk:
        clerk = Clerk(world, post=made.order.eid.post)
        clerk.page = clerk.client.post(reverse("carrier_replace", args=[made.carrier.pk]), follow=True)
        return clerk

    def test_a_damaged_card_works_until_the_new_one_does(self, world: Any) -> None:
        old = activated_card(world)
        clerk = self.replace(world, old)
        last = old.carrier.card_serial[-4:]
        assert f"Ersätt kortet som slutar på {last} för" in text_of(clerk.page)
        assert "Välj orsak. Resten är ifyllt." in text_of(clerk.page)
        assert "Personen har redan" not in text_of(clerk.page), "the replaced card is no other card"
        clerk.send()
        assert clerk.page.status_code == 422
        assert "Välj varför kortet ska ersättas." in text_of(clerk.page)
        clerk.choose(replacement_reason="damaged")
        assert f"Kortet som slutar på {last} fungerar tills det nya är aktiverat" in text_of(clerk.page)
        assert 'name="confirm"' not in clerk.page.content.decode()
        clerk.send()
        assert clerk.is_done, text_of(clerk.page)
        assert "fungerar tills det nya är aktiverat" in text_of(clerk.page)
        order = CardOrder.objects.exclude(pk=old.order.pk).get()
        assert (order.replaced_carrier, order.replacement_reason) == (old.carrier, "damaged")
        assert old.fresh().state == "active"

    def test_a_lost_card_is_revoked_at_once_and_confirmed_by_its_digits(self, world: Any) -> None:
        old = activated_card(world)
        clerk = self.replace(world, old)
        last = old.carrier.card_serial[-4:]
        clerk.choose(replacement_reason="lost")
        assert f"Kortet som slutar på {last} spärras när du beställer" in text_of(clerk.page)
        assert "Skriv de 4 sista siffrorna på det gamla kortet. Resten är ifyllt." in text_of(clerk.page)
        wrong = f"{(int(last) + 1) % 10000:04}"
        for digits in ("", wrong):
            clerk.send(confirm=digits)
            assert clerk.page.status_code == 422
            assert (old.fresh().state, CardOrder.objects.count()) == ("active", 1)
        clerk.send(confirm=last)
        assert clerk.is_done, text_of(clerk.page)
        assert f"Kortet som slutar på {last} är spärrat" in text_of(clerk.page)
        assert (old.fresh().state, old.fresh().revocation_reason) == ("revoked", "lost_or_stolen")
        facts = Event.objects.get(action="carrier.revoked").facts
        assert (facts["requester"], facts["request_channel"]) == ("holder", "visit")
        assert CardOrder.objects.exclude(pk=old.order.pk).get().replaced_carrier == old.carrier

    def test_s39_what_was_written_is_shown_as_it_was_written(self, world: Any) -> None:
        old = activated_card(world)
        clerk, name = self.replace(world, old), "<i>{{ 7|add:7 }}</i>"
        clerk.choose(replacement_reason="lost")
        origin = {"requester": "other", "requester_name": name}
        for digits, page in (("", ""), (old.carrier.card_serial[-4:], reverse("person_history", args=[old.carrier.person_id]))):
            clerk.send(confirm=digits, **origin)
            shown = (clerk.client.get(page) if page else clerk.page).content.decode()
            assert "&lt;i&gt;{{ 7|add:7 }}&lt;/i&gt;" in shown
            assert name not in shown

    def test_a_page_that_is_old_revokes_nothing(self, world: Any) -> None:
        """It shows that the card stays; another tab has answered that it is lost since."""
        old = activated_card(world)
        clerk = self.replace(world, old)
        clerk.choose(replacement_reason="damaged")
        shown = clerk.page
        clerk.open()
        clerk.choose(replacement_reason="lost")
        clerk.page = shown
        clerk.send()
        assert clerk.page.status_code == 409
        assert "ändrats i en annan flik: orsak" in text_of(clerk.page)
        assert (old.fresh().state, CardOrder.objects.count()) == ("active", 1)

    def test_a_get_leads_to_the_card(self, world: Any) -> None:
        old = activated_card(world)
        clerk = Clerk(world, post=old.order.eid.post)
        answer = clerk.client.get(reverse("carrier_replace", args=[old.carrier.pk]))
        assert answer["Location"] == f"{reverse('person', args=[old.carrier.person_id])}?barare={old.carrier.pk}"
        assert not OrderDraft.objects.exists()

    def test_the_persons_page_offers_it_once(self, world: Any) -> None:
        old = activated_card(world)
        clerk = self.replace(world, old)
        address = f'action="{reverse("carrier_replace", args=[old.carrier.pk])}"'
        person = reverse("person", args=[old.carrier.person_id])
        assert address in clerk.client.get(person).content.decode()
        clerk.choose(replacement_reason="damaged")
        clerk.send()
        page = clerk.client.get(person)
        assert address not in page.content.decode()
        assert "Ett nytt kort är redan beställt i stället för det här." in text_of(page)


class TestLost:
    """Revoked before the order."""

    def test_the_revocation_stays_if_the_order_cannot_be_made(self, world: Any) -> None:
        old = activated_card(world)
        draft = started(world, old.carrier, "lost")
        world.outside.down = True
        with pytest.raises(Unavailable):
            ordered(draft, world.officer())
        assert (old.fresh().state, CardOrder.objects.count()) == ("revoked", 1)
        assert OrderDraft.objects.get().state == "open"
        world.outside.down = False
        done = ordered(draft, world.officer())
        assert (done.waits, done.order.replaced_carrier_id) == (False, old.carrier.pk)
        assert Event.objects.filter(action="carrier.revoked").count() == 1

    def test_no_order_is_made_around_the_revocation(self, world: Any) -> None:
        old = activated_card(world)
        draft = started(world, old.carrier, "lost")
        with pytest.raises(Conflict) as refused:
            drafts.submit(actor=world.officer(), draft_id=draft.pk, version=draft.version)
        assert refused.value.code == "replaced-not-revoked"
        assert (old.fresh().state, CardOrder.objects.count()) == ("active", 1)

    def test_it_needs_requester_and_channel(self, world: Any) -> None:
        old = activated_card(world)
        draft = started(world, old.carrier, "lost")
        with pytest.raises(Invalid) as refused:
            ordered(draft, world.officer(), requester="", channel="")
        assert set(refused.value.fields) == {"requester", "channel"}
        assert old.fresh().state == "active"

    def test_above_the_limit_it_waits_and_the_card_is_ordered(self, world: Any, settings: Any) -> None:
        settings.REVOCATIONS_PER_HOUR = 0
        old = activated_card(world)
        done = ordered(started(world, old.carrier, "lost"), world.officer())
        assert done.waits
        assert HeldRevocation.objects.get().carrier == old.carrier
        assert (old.fresh().state, done.order.state) == ("active", "queued")

    @pytest.mark.parametrize("reason", list(ReplacementReason))
    def test_a_card_that_is_not_in_use_is_revoked_for_any_reason(self, world: Any, reason: ReplacementReason) -> None:
        old = unsigned_card(world)
        ordered(started(world, old.carrier, reason), world.officer())
        assert (old.fresh().state, old.fresh().revocation_reason) == ("revoked", replacing.REVOKED_AS[reason])


class TestActivation:
    """The last step of the new card's activation revokes the old one."""

    def test_old_and_new_change_together(self, world: Any) -> None:
        old = activated_card(world)
        order = ordered(started(world, old.carrier, "damaged"), world.officer()).order
        new = make_card(order)
        app = ready(world, new)
        assert (old.fresh().state, new.fresh().state) == ("active", "activated_unsigned")
        app.complete()
        assert (old.fresh().state, old.fresh().revocation_reason, new.fresh().state) == ("revoked", "replaced", "active")
        assert set(Eid.objects.filter(carrier=old.carrier).values_list("state", flat=True)) == {"revoked"}
        certificates = Certificate.objects.filter(carrier_ref=f"carrier:{old.carrier.pk}")
        assert set(certificates.values_list("status", flat=True)) == {"revoked"}
        assert set(Revocation.objects.values_list("reason", flat=True)) == {"superseded"}
        event = Event.objects.get(action="carrier.revoked", subject_ref=str(old.carrier.pk))
        assert (event.actor_ref, event.facts["replaced_by"]) == ("system:replacement", str(new.carrier.pk))
        assert verify_states().wrong == ()
        app.complete()
        assert Event.objects.filter(action="carrier.revoked").count() == 1, "a repeated call changes nothing"

    def test_neither_if_the_revocation_fails(self, world: Any, monkeypatch: Any) -> None:
        old = activated_card(world)
        order = ordered(started(world, old.carrier, "changed_details"), world.officer()).order
        new = make_card(order)
        app = ready(world, new)

        def broken(*_arguments: Any, **_options: Any) -> None:
            raise RuntimeError("the database is gone")

        monkeypatch.setattr(revocation.pki, "plan_revocation", broken)
        with pytest.raises(RuntimeError):
            app.complete()
        assert (old.fresh().state, new.fresh().state) == ("active", "activated_unsigned")
        monkeypatch.undo()
        app.complete()
        assert (old.fresh().state, new.fresh().state) == ("revoked", "active")

    def test_a_card_that_ended_before_is_left(self, world: Any) -> None:
        old = activated_card(world)
        order = ordered(started(world, old.carrier, "damaged"), world.officer()).order
        revocation.revoke_carrier(actor=world.officer(), carrier_id=old.carrier.pk, reason="suspected_misuse")
        new = make_card(order)
        ready(world, new).complete()
        assert (old.fresh().revocation_reason, new.fresh().state) == ("suspected_misuse", "active")

    def test_a_new_card_without_activation_leaves_the_old_one_and_may_be_ordered_again(self, world: Any) -> None:
        old = activated_card(world)
        order = ordered(started(world, old.carrier, "damaged"), world.officer()).order
        ordering.cancel_order(actor=world.officer(), order_id=order.pk)
        assert old.fresh().state == "active"
        again = ordered(started(world, old.carrier, "damaged"), world.officer()).order
        assert again.pk != order.pk

    def test_the_page_says_what_became_of_the_old_card(self, world: Any) -> None:
        old = activated_card(world)
        order = ordered(started(world, old.carrier, "damaged"), world.officer()).order
        new = make_card(order)
        clerk = Clerk(world, post=old.order.eid.post)
        said = text_of(clerk.client.get(reverse("activate", args=[new.carrier.pk])))
        assert f"Kortet ersätter det som slutar på {old.carrier.card_serial[-4:]}" in said
        opened = identify(world, new)
        app = App(new)
        app.start(opened)
        app.set_code()
        app.complete()
        done = text_of(clerk.client.get(reverse("activation_done", args=[opened.transaction.pk])))
        assert f"Det gamla kortet som slutar på {old.carrier.card_serial[-4:]} är spärrat" in done
        assert "Spärra det gamla kortet" not in done


class TestOneWinner:
    """Of two at once one wins, and the other gets a clear message. Rounds are in revocation/test_races.py."""

    def test_a_second_replacement_is_refused_while_the_first_lives(self, world: Any) -> None:
        old = activated_card(world)
        actor = world.officer(role=Role.DEPUTY_ISSUER)
        mine, theirs = started(world, old.carrier, "damaged"), started(world, old.carrier, "lost", actor=actor)
        ordered(mine, world.officer())
        with pytest.raises(Conflict) as refused:
            ordered(theirs, actor)
        assert refused.value.code == "card-already-replaced"
        assert old.fresh().revocation_reason == "lost_or_stolen", "somebody else may have it"
        with pytest.raises(Conflict) as refused:
            replacement_checks.require_free(old.carrier.pk)
        assert refused.value.message == "Ett nytt kort är redan beställt i stället för det här. Se personens sida."

    def test_two_clicks_are_one_order(self, world: Any) -> None:
        old = activated_card(world)
        draft, done = started(world, old.carrier, "lost"), []
        assert run_at_once(4, lambda: done.append(ordered(draft, world.officer()).order.pk)) == []
        assert len(set(done)) == 1
        assert CardOrder.objects.filter(replaced_carrier=old.carrier).count() == 1


def test_a_stored_photo_is_proposed_within_its_age_limit(world: Any) -> None:
    old = activated_card(world)
    CardOrder.objects.filter(pk=old.order.pk).update(article="610")
    photo = Photo.objects.create(
        person_id=old.carrier.person_id,
        document=Document.store(picture(), "image/jpeg"),
        width=60,
        height=80,
        uploaded_at=clock.now(),
        uploaded_by_ref="user:x",
        approved_at=clock.now(),
    )
    draft = replacements.start(actor=world.officer(), carrier_id=old.carrier.pk)
    clerk = Clerk(world, post=old.order.eid.post)
    clerk.page = clerk.client.get(reverse("order", args=[draft.pk]))
    assert clerk.form["fields"].get("photo") == str(photo.pk)
    Photo.objects.filter(pk=photo.pk).update(uploaded_at=clock.start_of_day(years_ago(order_draft.PHOTO_OLD_YEARS, days=-1)))
    clerk.page = clerk.client.get(reverse("order", args=[draft.pk]))
    assert "photo" not in clerk.form["fields"]


class TestRemade:
    """A card that came back is made again by the same order, or shows what became of it."""

    def returned(self, world: Any) -> Made:
        made = sent_card(world)
        supplier_events.register_event(client_ref=CLIENT, order_id=made.order.pk, event=Returned("not-collected"))
        return made

    def test_the_persons_page_leads_to_it(self, world: Any) -> None:
        made = self.returned(world)
        clerk = Clerk(world, post=made.order.eid.post)
        person = clerk.client.get(reverse("person", args=[made.carrier.person_id]))
        assert f'href="{reverse("order_remake", args=[made.order.pk])}"' in person.content.decode()
        assert "Beställ ett annat kort" in text_of(person)
        opened = clerk.client.get(reverse("person", args=[made.carrier.person_id]), {"barare": made.carrier.pk})
        assert "Brevet med kortet kom i retur." in text_of(opened)

    @pytest.mark.parametrize("fault", list(Fault))
    def test_it_is_made_again_by_the_fault_that_is_chosen(self, world: Any, fault: Fault) -> None:
        made = self.returned(world)
        clerk, address = Clerk(world, post=made.order.eid.post), reverse("order_remake", args=[made.order.pk])
        page = text_of(clerk.client.get(address))
        address_now = world.outside.persons[world.key_of(made.order.eid.post.person)].registered_address
        assert f"Skickas till {address_now.lines[0]}" in page
        assert "Kostar inget" in page
        assert "Faktureras som ett nytt kort" in page
        assert clerk.client.post(address).status_code == 422
        for _ in range(2):  # a second click changes nothing
            answer = clerk.client.post(address, {"fault": fault.value})
            assert answer["Location"].startswith(reverse("person", args=[made.carrier.person_id]))
        new = OrderItem.objects.get(order=made.order, number=2)
        again = remaking.remake_returned(actor=world.officer(), order_id=made.order.pk, number=1, fault=fault)
        assert again == new, "of two at once the second gets what the first one made"
        assert (new.fault, new.state, CardOrder.objects.get(pk=made.order.pk).state) == (fault.value, "waiting", "queued")
        person = clerk.client.get(reverse("person", args=[made.carrier.person_id]))
        assert "Kortet görs om: det förra i beställningen blev fel" in text_of(person)

    def test_a_card_that_did_not_come_back_is_not(self, world: Any) -> None:
        made = sent_card(world)
        clerk = Clerk(world, post=made.order.eid.post)
        answer = clerk.client.get(reverse("order_remake", args=[made.order.pk]), follow=True)
        assert "Kortet har inte kommit i retur." in text_of(answer)

    def test_not_if_another_order_has_replaced_its_old_card_since(self, world: Any) -> None:
        old = activated_card(world)
        order = ordered(started(world, old.carrier, "damaged"), world.officer()).order
        CardOrder.objects.filter(pk=order.pk).update(state="returned")
        OrderItem.objects.filter(order=order).update(state="returned")
        Carrier.objects.filter(pk=order.carrier_id).update(state="revoked", ended_at=clock.now())
        ordered(started(world, old.carrier, "damaged"), world.officer())
        with pytest.raises(Conflict) as refused:
            remaking.remake_returned(actor=world.officer(), order_id=order.pk, number=1, fault=Fault.OTHER)
        assert refused.value.code == "card-already-replaced"
