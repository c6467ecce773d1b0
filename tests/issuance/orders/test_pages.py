"""The order wizard over HTTP, without script: steps, what they show, two tabs, lost log-in, and what it costs."""

import datetime as dt
import re
import threading
import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuance.articles.models import Article
from issuance.articles.services.articles import offer_article
from issuance.authz import Role
from issuance.offices.models import Office
from issuance.offices.services import close_office, connect_office, create_office
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import ordering
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person, Post
from issuance.people.models.photos import Photo
from issuance.people.services import photos
from issuance.records.models.events import Event
from issuance.suppliers.services import supplier_intake
from siths_portal.lib import clock
from tests.issuance.orders.wizard import Clerk, forms_of, portrait_file, text_of
from tests.issuance.pictures import picture
from tests.issuance.world import SETUP
from tests.portal import portal_client

STEPS = ("order_organisation", "order_article", "order_photo", "order_office", "order_review")


def second_post(world: Any, clerk: Clerk, organisation: Organisation) -> Post:
    """Another post of the clerk's person, here and outside."""
    post = world.post(organisation)
    world.outside.change_post(post.hsa_id, person=world.key_of(clerk.post.person))
    post.person = clerk.post.person
    post.save(update_fields=["person"])
    return post


class TestWholeOrder:
    """From the person's page and back to it."""

    def test_without_photo(self, world: Any) -> None:
        clerk = Clerk(world).start()
        assert clerk.step == "organisation"
        for step, given in (
            ("artikel", {"post": clerk.post.id}),
            ("kontor", {"article": "631"}),
            ("granska", {"office": world.office.id}),
        ):
            clerk.send(**given)
            assert clerk.step == step
        text = text_of(clerk.page)
        for expected in (
            "Elva Andra", "Tolvansson", "Steg 4 av 4", "Användarens organisation Regionen", "Utfärdande organisation Regionen",
            "Utfärdarnummer 1549", f"Tjänste-id {clerk.post.hsa_id}", clerk.post.upn, clerk.post.mail, "Artikel 631 Kort",
            "Skickas till Provgatan 1, 123 45 Provstad", "Kontor Kontor A", "Beskrivning på faktura A Kontorets fakturakommentar",
        ):  # fmt: skip
            assert expected in text, expected
        clerk.send()
        order = CardOrder.objects.get()
        assert clerk.page.redirect_chain[-1][0] == f"{reverse('person', args=[clerk.post.person_id])}?barare={order.carrier_id}"
        assert "Kortet är beställt" in text_of(clerk.page)
        assert "Beställd" in text_of(clerk.page)

    def test_with_photo(self, world: Any) -> None:
        clerk = Clerk(world).until("foto", "610")
        assert "Steg 3 av 5" in text_of(clerk.page)
        clerk.upload(picture())
        assert f"Foto uppladdat: {clock.today().isoformat()}" in text_of(clerk.page)
        image = clerk.client.get(reverse("order_photo_image", args=[clerk.draft.id]))
        assert image["Content-Type"] == "image/jpeg"
        assert image["X-Content-Type-Options"] == "nosniff"
        assert image["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert image["Cross-Origin-Resource-Policy"] == "same-origin"
        assert image["Cache-Control"] == "no-store"
        assert image.content == Photo.objects.get().content
        clerk.send()
        assert clerk.step == "kontor"
        clerk.send(office=world.office.id)
        clerk.send()
        assert CardOrder.objects.get().photo == Photo.objects.get()
        assert clerk.client.get(reverse("order_photo_image", args=[clerk.draft.id])).status_code == 404

    def test_every_step_has_one_heading_no_person_in_title_or_address_and_is_never_cached(self, world: Any) -> None:
        clerk = Clerk(world).until("granska", "610", picture())
        private = ("Elva", "Tolvansson", clerk.post.hsa_id, world.key_of(clerk.post.person).value, "Provgatan")
        for name in STEPS:
            page = clerk.open(name)
            body = page.content.decode()
            assert page.status_code == 200
            assert body.count("<h1") == 1
            title = re.search(r"<title>(.*?)</title>", body, re.S)
            assert title
            for value in private:
                assert value not in title[1]
                assert value not in page.request["PATH_INFO"]
            for form in forms_of(page):
                assert not any(value in form["action"] for value in private)
            assert page["Cache-Control"] == "no-store"
            assert Event.objects.filter(action="person.shown", facts__shown="order").exists()

    def test_one_post_and_one_office_are_picked_already(self, world: Any) -> None:
        clerk = Clerk(world).start()
        clerk.send()
        assert clerk.step == "artikel"
        clerk.send(article="631")
        clerk.send()
        assert clerk.step == "granska"

    def test_nothing_chosen_is_told_at_the_field(self, world: Any) -> None:
        clerk = Clerk(world)
        second_post(world, clerk, world.clinic)
        office = create_office(actor=SETUP, area_id=world.area.id, name="Kontor B", invoice_comment="B")
        connect_office(actor=SETUP, organisation_id=world.region.id, office_id=office.id)
        clerk.start()
        for message, given in (
            ("Personens uppdrag: Välj organisation.", {"post": clerk.post.id}),
            ("Vilket kort ska beställas? Välj artikel.", {"article": "631"}),
            ("Kontor som organisationen kan välja: Välj kontor.", {"office": office.id}),
        ):
            step = clerk.step
            clerk.send()
            assert (clerk.page.status_code, clerk.step) == (422, step)
            body = clerk.page.content.decode()
            field = next(iter(given))
            assert f'href="#id_{field}">{message}' in body
            assert f'id="id_{field}"' in body
            assert f'id="id_{field}_error"' in body
            assert "<title>Fel:" in body
            clerk.send(**given)
        assert clerk.step == "granska"

    def test_tampered_values_are_refused_and_change_nothing(self, world: Any) -> None:
        clerk = Clerk(world).start()
        for given in ({"post": "x"}, {"post": uuid.uuid4()}, {"post": world.post(world.city).id}):
            assert clerk.send(**given).status_code == 422
        clerk.send(post=clerk.post.id)
        for given in ({"article": "x" * 50}, {"article": "999"}, {"version": "x", "article": "631"}):
            assert clerk.send(**given).status_code in (409, 422)
        clerk.send(article="631")
        for given in ({"office": "1 OR 1=1"}, {"office": uuid.uuid4()}):
            assert clerk.send(**given).status_code == 422
        assert clerk.draft.office is None


class TestSteps:
    """A step cannot be jumped over, and each can be gone back to."""

    def test_a_step_that_is_not_due_leads_to_the_one_that_is(self, world: Any) -> None:
        clerk = Clerk(world).start()
        for name in STEPS:
            clerk.open(name)
            assert clerk.step == "organisation"
        clerk.send(post=clerk.post.id)
        for name in STEPS[1:]:
            clerk.open(name)
            assert clerk.step == "artikel"
        clerk.send(article="631")
        for name in ("order_photo", "order_office", "order_review"):
            clerk.open(name)
            assert clerk.step == "kontor"  # the article has no photo, so neither has the order that step

    def test_a_post_of_a_step_that_is_not_due(self, world: Any) -> None:
        clerk = Clerk(world).start()
        for name, given in (
            ("order_article", {"article": "631"}),
            ("order_office", {"office": world.office.id}),
            ("order_review", {}),
        ):
            clerk.page = clerk.client.post(reverse(name, args=[clerk.draft.id]), {"version": 1, **given}, follow=True)
            assert clerk.step == "organisation"
        assert not CardOrder.objects.exists()

    def test_change_from_the_review_comes_back_to_it(self, world: Any) -> None:
        clerk = Clerk(world).until("granska", "610", picture())
        body = clerk.page.content.decode()
        for name in STEPS[:4]:
            assert f'href="{reverse(name, args=[clerk.draft.id])}?fran=granska"' in body
        clerk.open("order_article", "?fran=granska")
        assert f'href="{reverse("order_review", args=[clerk.draft.id])}">Tillbaka' in clerk.page.content.decode()
        clerk.send(article="631-REK")
        assert clerk.step == "granska"
        assert "631 Kort REK" in text_of(clerk.page)
        clerk.open("order_article", "?fran=granska")
        clerk.send(article="610")
        assert clerk.step == "granska"  # the photo that was approved still holds
        clerk.open("order_photo", "?fran=granska")
        clerk.upload(picture(30))
        assert clerk.step == "foto"
        clerk.send()
        assert clerk.step == "granska"

    def test_back_leads_step_by_step_to_the_person(self, world: Any) -> None:
        clerk = Clerk(world).until("granska")
        seen = []
        for _ in range(4):
            link = re.search(r'href="([^"]+)">Tillbaka', clerk.page.content.decode())
            assert link
            clerk.page = clerk.client.get(link[1], follow=True)
            seen.append(clerk.step)
        assert seen == ["kontor", "artikel", "organisation", str(clerk.post.person_id)]

    def test_an_article_without_photo_forgets_no_photo(self, world: Any) -> None:
        clerk = Clerk(world).until("granska", "610", picture())
        clerk.open("order_article")
        clerk.send(article="631")
        assert clerk.step == "kontor"
        clerk.open("order_article")
        clerk.send(article="610")
        assert clerk.step == "foto"
        clerk.send()
        clerk.open("order_review")
        assert clerk.step == "granska"

    def test_the_filter_needs_no_script_and_no_address(self, world: Any) -> None:
        clerk = Clerk(world)
        post = second_post(world, clerk, world.clinic)
        clerk.start()
        assert {"Regionen", "Kliniken"} <= set(re.findall(r"Regionen|Kliniken", text_of(clerk.page)))
        form = next(form for form in forms_of(clerk.page) if form["id"] == "filter")
        page = clerk.client.post(form["action"], form["fields"] | {"filter": post.hsa_id[-5:].lower(), "filtrera": "1"})
        assert page.status_code == 200
        assert post.hsa_id in text_of(page)
        assert clerk.post.hsa_id not in text_of(page).split("Personens uppdrag")[1]
        assert f'value="{post.hsa_id[-5:].lower()}"' in page.content.decode()
        page = clerk.client.post(form["action"], form["fields"] | {"filter": "finns inte", "filtrera": "1"})
        assert "Inget uppdrag stämmer" in text_of(page)
        assert clerk.draft.post is None

    def test_a_post_that_cannot_be_chosen_says_why(self, world: Any) -> None:
        clerk = Clerk(world)
        post = second_post(world, clerk, world.clinic)
        Post.objects.filter(pk=post.pk).update(valid_to=clock.today() - dt.timedelta(days=1))
        clerk.start()
        assert "Uppdraget är avslutat i katalogen" in text_of(clerk.page)
        body = clerk.page.content.decode()
        assert re.search(rf'value="{post.id}"[^>]* disabled', body)
        assert re.search(rf'value="{clerk.post.id}"[^>]* checked', body)
        assert clerk.send(post=post.id).status_code == 422

    def test_without_posts_articles_or_offices_the_step_says_whom_to_ask(self, world: Any) -> None:
        clerk = Clerk(world).until("kontor")
        close_office(actor=SETUP, office_id=world.office.id)
        assert "Inget kontor att välja" in text_of(clerk.open("order_office"))
        Article.objects.update(valid_to=clock.today() - dt.timedelta(days=1))
        assert "Ingen artikel att beställa" in text_of(clerk.open("order_article"))
        other = Clerk(world, post=world.post(world.clinic))
        photos.store(actor=other.actor, person_id=other.post.person_id, content=picture())
        Post.objects.filter(pk=other.post.pk).update(ended_at=clock.now())
        assert "Inget uppdrag att beställa för" in text_of(other.start().page)


class TestResume:
    """Lost log-in, other tabs, avbryt."""

    @pytest.mark.parametrize("step", ["organisation", "artikel", "foto", "kontor", "granska"])
    def test_a_lost_log_in_comes_back_to_the_same_step(self, world: Any, step: str) -> None:
        clerk = Clerk(world).until(step, "610", picture())
        address, before = clerk.page.request["PATH_INFO"], OrderDraft.objects.values().get()
        clerk.client.cookies.clear()
        lost = clerk.client.get(address)
        assert lost.status_code == 302
        assert address in lost["Location"].replace("%2F", "/")
        posted = clerk.client.post(address, {"version": 1})
        assert posted.status_code == 302
        assert OrderDraft.objects.values().get() == before
        again = portal_client(Person.objects.get(pk=clerk.actor.person_id)).get(address)
        assert again.status_code == 200
        assert again.request["PATH_INFO"] == address

    def test_start_goes_on_where_it_was_left(self, world: Any) -> None:
        clerk = Clerk(world).until("kontor")
        clerk.start()
        assert clerk.step == "kontor"
        assert "Du fortsätter på beställningen" in text_of(clerk.page)
        clerk.send("/borja-om/")
        assert clerk.step == "organisation"
        assert clerk.draft.article is None

    def test_avbryt_asks_nothing_and_loses_nothing(self, world: Any) -> None:
        clerk = Clerk(world).until("kontor")
        abandon = next(form for form in forms_of(clerk.page) if form["id"] == "abandon")
        clerk.page = clerk.client.post(abandon["action"], abandon["fields"], follow=True)
        assert clerk.page.request["PATH_INFO"] == reverse("person", args=[clerk.post.person_id])
        assert "Beställningen är avbruten. Ångrar du dig" in text_of(clerk.page)
        assert "Beställningen är avbruten" in text_of(clerk.open("order_office"))
        assert clerk.page.request["PATH_INFO"] == reverse("person", args=[clerk.post.person_id])
        clerk.start()
        assert clerk.step == "kontor"
        assert clerk.draft.article_id == "631"

    def test_gets_of_what_only_posts_do_change_nothing(self, world: Any) -> None:
        clerk = Clerk(world).until("granska")
        before = OrderDraft.objects.values().get()
        for name in ("order_abandon", "order_restart", "order_photo_upload"):
            assert clerk.client.get(reverse(name, args=[clerk.draft.id])).status_code == 302
        assert clerk.client.get(reverse("order_start", args=[clerk.post.person_id])).status_code == 302
        assert OrderDraft.objects.values().get() == before

    def test_two_tabs(self, world: Any) -> None:
        """The second is told what changed, keeps what it chose, and may give it again."""
        clerk = Clerk(world).until("kontor")
        stale = clerk.client.get(reverse("order_article", args=[clerk.draft.id]))
        form = next(form for form in forms_of(stale) if form["action"].endswith("/artikel/"))
        clerk.open("order_article")
        clerk.send(article="631-REK")
        clerk.page = clerk.client.post(form["action"], form["fields"] | {"article": "610"})
        assert clerk.page.status_code == 409
        assert "ändrats i en annan flik: artikel (631 Kort REK). Det du valde här står kvar" in text_of(clerk.page)
        assert re.search(r'value="610"[^>]* checked', clerk.page.content.decode())
        assert clerk.draft.article_id == "631-REK"
        clerk.send(article="610")
        assert clerk.step == "foto"
        assert clerk.draft.article_id == "610"

    def test_bestall_in_a_tab_that_is_old_orders_nothing(self, world: Any) -> None:
        clerk = Clerk(world).until("granska")
        old = clerk.page
        clerk.open("order_article")
        clerk.send(article="631-REK")
        clerk.page = old
        clerk.send()
        assert clerk.page.status_code == 409
        assert "artikel (631 Kort REK). Granska beställningen igen" in text_of(clerk.page)
        assert not CardOrder.objects.exists()
        clerk.send()
        assert CardOrder.objects.get().article_id == "631-REK"

    def test_bestall_twice_is_one_order_and_the_same_page(self, world: Any) -> None:
        clerk = Clerk(world).until("granska")
        review = clerk.page
        first = clerk.send().redirect_chain
        clerk.page = review
        assert clerk.send().redirect_chain == first
        assert clerk.open("order_article").redirect_chain == first
        assert "redan skickad" in text_of(clerk.page)
        assert CardOrder.objects.count() == 1

    def test_eight_clicks_at_once(self, world: Any) -> None:
        clerk = Clerk(world).until("granska")
        form = next(form for form in forms_of(clerk.page) if form["action"].endswith("/granska/"))
        start, answers = threading.Barrier(8), []
        cookies = clerk.client.cookies

        def click() -> None:
            client = type(clerk.client)()
            client.cookies = cookies
            start.wait()
            answers.append(client.post(form["action"], form["fields"])["Location"])
            connection.close()

        threads = [threading.Thread(target=click) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        order = CardOrder.objects.get()
        assert answers == [f"{reverse('person', args=[clerk.post.person_id])}?barare={order.carrier_id}"] * 8


class TestWhatNoLongerHolds:
    """Found at the next step and at Beställ; the user comes to the step with a sentence."""

    def test_article(self, world: Any) -> None:
        clerk = Clerk(world).until("granska")
        review = clerk.page
        offer_article(actor=SETUP, organisation_id=world.region.id, article_code="631", orderable=False)
        for act in (lambda: clerk.open("order_office"), lambda: clerk.open("order_review"), lambda: again(clerk, review)):
            act()
            assert clerk.step == "artikel"
            assert "Regionen kan inte längre beställa artikeln 631. Välj en annan." in text_of(clerk.page)
        assert not CardOrder.objects.exists()
        clerk.send(article="631-REK")
        assert clerk.open("order_review").status_code == 200
        assert clerk.step == "granska"

    def test_office(self, world: Any) -> None:
        clerk = Clerk(world).until("granska")
        close_office(actor=SETUP, office_id=world.office.id)
        clerk.send()
        assert clerk.step == "kontor"
        assert "Kontoret Kontor A är stängt" in text_of(clerk.page)

    def test_a_post_that_the_catalogue_lost(self, world: Any) -> None:
        clerk = Clerk(world)
        second_post(world, clerk, world.clinic)
        clerk.until("granska")
        del world.outside.posts[clerk.post.hsa_id.upper()]
        clerk.send()
        assert clerk.step == "organisation"
        assert "Uppdraget är avslutat i katalogen. Välj ett annat uppdrag" in text_of(clerk.page)
        assert clerk.post.hsa_id not in text_of(clerk.page).split("Personens uppdrag")[1].split("Beställningen hittills")[0]

    def test_a_protection_that_was_set(self, world: Any) -> None:
        clerk = Clerk(world).until("granska")
        unknown = clerk.client.get(reverse("order_review", args=[uuid.uuid4()]))
        world.outside.change_person(world.key_of(clerk.post.person), protected_person_indicator=True)
        for page in (
            clerk.open("order_office"),
            clerk.client.post(reverse("order_review", args=[clerk.draft.id]), {"version": 4}),
        ):
            assert page.status_code == unknown.status_code == 404
            assert "Tolvansson" not in page.content.decode()

    def test_what_stands_against_the_person_is_told_at_each_step_and_at_the_order(self, world: Any) -> None:
        clerk = Clerk(world).until("granska")
        world.outside.change_person(world.key_of(clerk.post.person), deceased=True)
        assert "Personen är avliden enligt personregistret" in text_of(clerk.open("order_office"))
        clerk.open("order_review")
        clerk.send()
        assert clerk.page.status_code == 422
        assert "Personen är avliden" in text_of(clerk.page)
        assert not CardOrder.objects.exists()

    def test_register_and_catalogue_down(self, world: Any) -> None:
        clerk = Clerk(world).until("artikel")
        world.outside.down = True
        clerk.open("order_article")
        assert "svarar inte just nu. Du kan fortsätta" in text_of(clerk.page)
        assert "Adressen kan inte visas just nu" in text_of(clerk.page)
        clerk.send(article="631")
        clerk.send(office=world.office.id)
        assert clerk.step == "granska"
        clerk.send()
        assert clerk.page.status_code == 503
        assert "Beställningen är inte skickad, och det du valt är kvar." in text_of(clerk.page)
        world.outside.down = False
        clerk.send()
        assert CardOrder.objects.count() == 1


def again(clerk: Clerk, page: Any) -> None:
    clerk.page = page
    clerk.send()


class TestWho:
    """Others' drafts and pictures are not there; roles without the right may not begin."""

    def test_anothers_draft_is_not_found(self, world: Any) -> None:
        clerk = Clerk(world).until("granska", "610", picture())
        for actor in (world.officer(role=Role.RESPONSIBLE_ISSUER), world.officer(world.city)):
            other = Clerk(world, actor=actor, post=clerk.post)
            for name in (*STEPS, "order_photo_image", "order_logotype_image"):
                assert other.client.get(reverse(name, args=[clerk.draft.id])).status_code == 404
                assert other.client.get(reverse(name, args=[uuid.uuid4()])).status_code == 404
            for name in (*STEPS, "order_abandon", "order_restart"):
                assert other.client.post(reverse(name, args=[clerk.draft.id]), {"version": 1}).status_code == 404
        assert clerk.draft.state == "open"

    def test_who_may_begin(self, world: Any) -> None:
        person = world.post().person
        for actor, status in ((world.officer(role=Role.READER), 403), (world.officer(world.city), 404)):
            assert Clerk(world, actor=actor).client.post(reverse("order_start", args=[person.id])).status_code == status
        officer = world.officer()
        own = Clerk(world, actor=officer).client.post(reverse("order_start", args=[officer.person_id]))
        assert own.status_code == 403
        assert not OrderDraft.objects.exists()

    def test_nobody_without_log_in(self, world: Any) -> None:
        from django.test import Client

        clerk = Clerk(world).until("granska")
        for name in (*STEPS, "order_photo_image"):
            assert Client().get(reverse(name, args=[clerk.draft.id])).status_code == 302
        assert Client().get(reverse("photo_rules")).status_code == 302

    def test_forms_carry_a_token(self, world: Any) -> None:
        from django.test import Client

        clerk = Clerk(world).until("granska")
        strict = portal_client(Person.objects.get(pk=clerk.actor.person_id), enforce_csrf_checks=True)
        assert isinstance(strict, Client)
        for name in (*STEPS, "order_abandon"):
            assert strict.post(reverse(name, args=[clerk.draft.id]), {"version": 4}).status_code == 403
        assert clerk.draft.state == "open"

    def test_a_protected_person(self, world: Any) -> None:
        """No address, and the officer is reminded; even if the register gave one."""
        clerk = Clerk(world, actor=world.officer(protected=True), post=world.post(protected=True)).until("granska")
        text = text_of(clerk.page)
        assert "Skickas till via Skatteverkets förmedlingsuppdrag" in text
        assert "Skyddade personuppgifter" in text
        assert "Provgatan" not in text
        clerk.send()
        assert CardOrder.objects.count() == 1


class TestPhotoStep:
    """Granska foto."""

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (picture(size=(800, 600)), "Beskär det till stående format"),
            (picture(size=(300, 400)), "minst 400 × 533"),
            (picture()[:-2], "inte en hel JPEG"),
            (b"<svg onload=alert(1)>", "inte en hel JPEG"),
            (b"", "tom"),
            (b"\xff\xd8" + b"x" * (5 * 1024 * 1024), "Filen är 5,1 MB. Högst 5 MB tas emot."),
        ],
    )
    def test_a_file_that_is_refused(self, world: Any, content: bytes, told: str) -> None:
        clerk = Clerk(world).until("foto", "610")
        before = OrderDraft.objects.values().get()
        clerk.upload(content)
        assert clerk.page.status_code == 422
        body = clerk.page.content.decode()
        assert told in body
        assert 'href="#id_file"' in body
        assert 'aria-describedby="id_file_helptext id_file_error"' in body
        assert OrderDraft.objects.values().get() == before
        clerk.upload(picture())
        clerk.send()
        assert clerk.step == "kontor"

    def test_no_photo_no_way_on(self, world: Any) -> None:
        clerk = Clerk(world).until("foto", "610")
        clerk.send()
        assert (clerk.page.status_code, clerk.step) == (422, "foto")
        assert 'href="#id_file">Fil med fotografiet: Hämta ett fotografi, eller gå tillbaka' in clerk.page.content.decode()

    def test_the_stored_photo_is_offered_with_its_age(self, world: Any) -> None:
        clerk = Clerk(world)
        with clock.moved_to(clock.now() - dt.timedelta(days=6 * 366)):
            photos.store(actor=clerk.actor, person_id=clerk.post.person_id, content=picture(10))
        clerk.until("foto", "610")
        text = text_of(clerk.page)
        assert "(6 år gammalt)" in text
        assert "fem år eller äldre" in text
        clerk.upload(picture(20))
        assert "Använd fotot som sparades" in text_of(clerk.page)
        assert Photo.objects.count() == 2
        stored = Photo.objects.latest_of(clerk.post.person_id)
        form = next(form for form in forms_of(clerk.page) if form["fields"].get("photo") == str(stored.id))
        clerk.page = clerk.client.post(form["action"], form["fields"], follow=True)
        assert clerk.step == "kontor"
        assert clerk.draft.photo == stored

    def test_a_photo_that_another_tab_changed_is_looked_at_first(self, world: Any) -> None:
        clerk = Clerk(world).until("foto", "610")
        clerk.upload(picture(10))
        old = clerk.page
        clerk.upload(picture(20))
        clerk.page = old
        clerk.send()
        assert clerk.page.status_code == 422
        assert "Fotot har bytts" in text_of(clerk.page)
        assert not clerk.draft.photo_approved

    def test_next_fetches_a_chosen_file_and_shows_it_before_it_goes_on(self, world: Any) -> None:
        """Whoever chooses a file and forgets Hämta fotografi loses it not, and approves none that he has not seen."""
        clerk = Clerk(world).until("foto", "610")
        clerk.send(file=portrait_file(picture(10)))
        assert clerk.step == "foto"
        assert "Foto uppladdat:" in text_of(clerk.page)
        assert not clerk.draft.photo_approved
        seen = clerk.draft.photo
        clerk.send(file=portrait_file(picture(20)))
        assert clerk.step == "foto"
        assert clerk.draft.photo != seen
        clerk.send()
        assert clerk.step == "kontor"

    def test_s47_a_spent_budget_of_photographs_keeps_the_draft(self, world: Any, settings: Any) -> None:
        clerk = Clerk(world).until("foto", "610")
        settings.UPLOADS_PER_MINUTE_BY_PERSON = 1
        with clock.moved_to(clock.now()):
            clerk.upload(picture(10))
            before = clerk.draft.photo
            clerk.page = clerk.client.post(
                reverse("order_photo_upload", args=[clerk.draft.id]), {"file": SimpleUploadedFile("x.jpg", picture(20))}
            )
        assert (clerk.page.status_code, int(clerk.page["Retry-After"]) > 0) == (429, True)
        assert "Försök igen om" in text_of(clerk.page)
        assert clerk.draft.photo == before

    def test_a_refused_upload_names_no_file(self, world: Any, caplog: pytest.LogCaptureFixture) -> None:
        clerk = Clerk(world).until("foto", "610")
        clerk.page = clerk.client.post(
            reverse("order_photo_upload", args=[clerk.draft.id]),
            {"file": SimpleUploadedFile("19121212-1212 <b>Tolvan</b>.jpg", b"x")},
        )
        assert clerk.page.status_code == 422
        assert "19121212" not in clerk.page.content.decode()
        assert "19121212" not in caplog.text


def test_texts_are_printed_literally(world: Any) -> None:
    """S39."""
    hostile = "{{7777*7777}}{% load x %}<script>alert(1)</script><img src=file:///etc/passwd>"
    Organisation.objects.filter(pk=world.region.pk).update(name=hostile)
    Office.objects.update(name=hostile, invoice_comment=hostile)
    Article.objects.update(name=hostile)
    clerk = Clerk(world)
    Post.objects.filter(pk=clerk.post.pk).update(title=hostile)
    world.outside.change_post(clerk.post.hsa_id, mail=hostile[:60], upn=hostile[:60])
    clerk.until("granska", "610", picture())
    for name in STEPS:
        body = clerk.open(name).content.decode()
        assert "<script>alert(1)" not in body
        assert "<img src=file" not in body
        assert "{{7777*7777}}{% load x %}&lt;script&gt;" in body
        assert str(7777 * 7777) not in text_of(clerk.page)


def test_the_rules_are_a_page(world: Any) -> None:
    page = Clerk(world).client.get(reverse("photo_rules"))
    assert page.status_code == 200
    assert "3:4" in text_of(page)
    assert "Tillbaka till beställningen" not in text_of(page)


def test_the_rules_lead_back_to_the_order_also_after_a_refused_photograph(world: Any) -> None:
    """The browser's own way back leads to a page that it cannot send again."""
    clerk = Clerk(world).until("foto", "610")
    clerk.upload(b"x")
    link = re.search(r'href="([^"]+/fotoregler/[^"]*)"', clerk.page.content.decode())
    assert link
    rules = clerk.client.get(link[1])
    back = re.search(r'href="([^"]+)">Tillbaka till beställningen', rules.content.decode())
    assert back
    clerk.page = clerk.client.get(back[1])
    assert (clerk.page.status_code, clerk.step) == (200, "foto")
    for other in ("x", "", "01938d40-0000-7000-8000-000000000000'"):
        assert "Tillbaka till" not in text_of(clerk.client.get(reverse("photo_rules"), {"bestallning": other}))


class TestRemoval:
    """Ta bort beställning, from the person's page."""

    def test_it_is_confirmed_first(self, world: Any) -> None:
        clerk, order = Clerk(world), world.order()
        address = reverse("order_cancel", args=[order.id])
        for page in (clerk.client.get(address), clerk.client.post(address)):
            assert page.status_code == 200
            assert "Inget kort tillverkas och inget faktureras" in text_of(page)
        order.refresh_from_db()
        assert order.state == "queued"
        done = clerk.client.post(address, {"bekrafta": "1"}, follow=True)
        assert "Beställningen är borttagen" in text_of(done)
        order.refresh_from_db()
        assert order.state == order.carrier.state == "cancelled"
        again = clerk.client.post(address, {"bekrafta": "1"}, follow=True)
        assert again.status_code == 200
        assert Event.objects.filter(action="order.cancelled").count() == 1
        assert "redan borttagen" in text_of(clerk.client.get(address, follow=True))

    def test_not_once_a_supplier_has_it(self, world: Any) -> None:
        clerk, order = Clerk(world), world.order()
        address = reverse("order_cancel", args=[order.id])
        supplier_intake.accept(client_ref="bureau", order_id=order.id)
        for page, status in ((clerk.client.get(address), 200), (clerk.client.post(address, {"bekrafta": "1"}), 409)):
            assert page.status_code == status
            assert "Kortleverantören har redan tagit emot beställningen" in text_of(page)
            assert "bekrafta" not in page.content.decode()

    def test_not_by_others(self, world: Any) -> None:
        order = world.order()
        for actor, status in ((world.officer(world.city), 404), (world.officer(role=Role.REVOKER), 403)):
            client = Clerk(world, actor=actor).client
            assert client.get(reverse("order_cancel", args=[order.id])).status_code == status
            assert client.post(reverse("order_cancel", args=[order.id]), {"bekrafta": "1"}).status_code == status
        assert CardOrder.objects.get().state == "queued"

    def test_after_it_a_new_order_can_be_made(self, world: Any) -> None:
        clerk = Clerk(world).until("granska")
        clerk.send()
        ordering.cancel_order(actor=clerk.actor, order_id=CardOrder.objects.get().id)
        clerk.until("granska")
        clerk.send()
        assert sorted(CardOrder.objects.values_list("state", flat=True)) == ["cancelled", "queued"]


def test_the_number_of_queries_of_each_page(world: Any) -> None:
    """Log-in, actor, draft, checks, person, note and lists; none grows with posts, articles or offices."""
    clerk = Clerk(world).until("granska", "610", picture())

    def cost(name: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert clerk.client.get(reverse(name, args=[clerk.draft.id])).status_code == 200
        return len([query for query in queries if not query["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))])

    before = {name: cost(name) for name in (*STEPS, "order_photo_image")}
    for number in range(4):
        second_post(world, clerk, world.clinic)
        office = create_office(actor=SETUP, area_id=world.area.id, name=f"Kontor {number}", invoice_comment="x")
        connect_office(actor=SETUP, organisation_id=world.region.id, office_id=office.id)
    assert {name: cost(name) for name in before} == before
    assert max(before.values()) <= 20, before


class TestABodyThatIsTooLarge:
    """It comes back to the page with the reason and the menu; nothing of it is read, and nothing is done."""

    def send(self, clerk: Clerk, address: str) -> Any:
        """The page that a browser shows in the end; it sends the body to the first address alone."""
        told = {"content_type": "multipart/form-data; boundary=y", "CONTENT_LENGTH": "52428800"}
        answer = clerk.client.post(address, b"x", **told)
        return clerk.client.get(answer["Location"], follow=True) if answer.status_code == 302 else answer

    @pytest.mark.parametrize("name", ["order_photo", "order_photo_upload"])
    def test_leads_back_to_the_photo(self, world: Any, name: str) -> None:
        clerk = Clerk(world).until("foto", article="610")
        page = self.send(clerk, reverse(name, args=[clerk.draft.pk]))
        assert page.request["PATH_INFO"] == reverse("order_photo", args=[clerk.draft.pk])
        assert "Det du skickade är 50 MB. Filer får vara högst 5 MB." in text_of(page)
        assert 'href="/sok/"' in page.content.decode()
        assert clerk.draft.photo is None

    def test_elsewhere_is_told_inside_the_frame_and_does_nothing(self, world: Any) -> None:
        clerk = Clerk(world).until("foto", article="610")
        page = self.send(clerk, reverse("order_abandon", args=[clerk.draft.pk]))
        assert (page.status_code, 'href="/sok/"' in page.content.decode()) == (413, True)
        assert clerk.draft.state == "open"

    def test_the_reason_names_the_files_size(self, world: Any) -> None:
        clerk = Clerk(world).until("foto", article="610")
        page = clerk.upload(b"\xff\xd8" + b"x" * (7 * 1024 * 1024))
        assert page.status_code == 422
        assert "Filen är 7,1 MB. Högst 5 MB tas emot." in text_of(page)
