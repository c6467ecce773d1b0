"""The page of an order over HTTP, without script: what it shows and proposes, two tabs, lost log-in, and what it costs."""

import datetime as dt
import io
import re
import threading
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from billing.prices.services.prices import set_price
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
from tests.issuance.world import SETUP, person_number, years_ago
from tests.portal import portal_client

SCRIPT = {"HX-Request": "true"}
"""What htmx sends. It takes only the form out of an answer, and nothing out of an error."""


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
        clerk = Clerk(world).fill()
        text = text_of(clerk.page)
        for expected in (
            "Beställ kort till Elva Tolvansson", "Användarens organisation Regionen", "Utfärdande organisation Regionen",
            "Utfärdarnummer 1549", f"Tjänste-id {clerk.post.hsa_id}", clerk.post.upn, clerk.post.mail, "Artikel 631 Kort",
            "Skickas till Provgatan 1, 123 45 Provstad", "Framme omkring", "Kontor Kontor A", "Gäller 5 år, tillitsnivå 3",
            "Person-id 18", "Beskrivning på faktura A (Kontorets fakturakommentar)",
        ):  # fmt: skip
            assert expected in text, expected
        assert "Granska foto" not in text
        clerk.send()
        order = CardOrder.objects.get()
        assert clerk.is_done
        said = text_of(clerk.page)
        for expected in (
            "Kortet till Elva Tolvansson är beställt",
            "Framme omkring",
            "Artikel 631 Kort",
            "Nästa person",
            str(order.pk),
        ):
            assert expected in said, expected
        assert f'href="{reverse("person", args=[clerk.post.person_id])}?barare={order.carrier_id}"' in clerk.page.content.decode()

    def test_with_photo(self, world: Any) -> None:
        clerk = Clerk(world).fill("610", picture())
        assert f"Foto uppladdat: {clock.today().isoformat()}" in text_of(clerk.page)
        photo = Photo.objects.get()
        image = clerk.client.get(reverse("order_photo_image", args=[clerk.draft.id, photo.pk]))
        assert image["Content-Type"] == "image/jpeg"
        assert image["X-Content-Type-Options"] == "nosniff"
        assert image["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert image["Cross-Origin-Resource-Policy"] == "same-origin"
        assert image["Cache-Control"] == "no-store"
        assert image.content == photo.content
        assert photo.approved_at is None
        clerk.send()
        assert CardOrder.objects.get().photo == photo
        assert clerk.client.get(reverse("order_photo_image", args=[clerk.draft.id, photo.pk])).status_code == 404

    def test_each_page_has_one_heading_no_person_in_title_or_address_and_is_never_cached(self, world: Any) -> None:
        clerk = Clerk(world).fill("610", picture())
        private = ("Elva", "Tolvansson", clerk.post.hsa_id, world.key_of(clerk.post.person).value, "Provgatan")
        for page in (clerk.open(), clerk.send()):
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
        assert clerk.is_done

    def test_one_post_one_office_and_one_card_are_picked_already(self, world: Any) -> None:
        for code in ("610", "631-REK"):
            offer_article(actor=SETUP, organisation_id=world.region.id, article_code=code, orderable=False)
        clerk = Clerk(world).start()
        assert "Allt är ifyllt. Kontrollera uppgifterna och beställ." in text_of(clerk.page)
        clerk.send()
        assert clerk.is_done

    def test_what_the_clerk_ordered_last_for_the_organisation_is_proposed(self, world: Any) -> None:
        office = create_office(actor=SETUP, area_id=world.area.id, name="Kontor B", invoice_comment="B")
        connect_office(actor=SETUP, organisation_id=world.region.id, office_id=office.id)
        clerk = Clerk(world).fill("631-REK")
        clerk.send(office=office.id)
        assert clerk.is_done
        other = Clerk(world, actor=clerk.actor, post=world.post()).start()
        assert other.answers == {
            "post": str(other.post.id), "article": "631", "delivery": "registered_mail", "office": str(office.id)
        }  # fmt: skip
        assert text_of(other.page).count("Samma som i din senaste beställning") == 2
        assert "Allt är ifyllt som i din senaste beställning" in text_of(other.page)
        colleague = Clerk(world, actor=world.officer(role=Role.RESPONSIBLE_ISSUER), post=world.post()).start()
        assert colleague.answers == {"post": str(colleague.post.id)}
        assert "Välj kort och kontor. Resten är ifyllt." in text_of(colleague.page)
        close_office(actor=SETUP, office_id=office.id)
        assert other.open().status_code == 200
        assert "631" in other.answers["article"]
        other.send()
        assert other.is_done

    def test_the_post_of_the_persons_last_card_is_proposed(self, world: Any) -> None:
        clerk = Clerk(world)
        second_post(world, clerk, world.clinic)
        assert "post" not in clerk.start().answers
        assert "Välj uppdrag." in text_of(clerk.page)
        order = world.order(clerk.post)
        clerk.open()
        assert clerk.answers["post"] == str(clerk.post.id)
        assert "Samma som personens förra kort" in text_of(clerk.page)
        assert str(order.carrier_id) in clerk.page.content.decode()

    def test_registered_mail_is_a_choice_of_its_own_with_its_price(self, world: Any) -> None:
        for code, amount in (("631", "1075.5"), ("631-REK", "1140.5")):
            set_price(
                actor_ref="user:finance", article_code=code, unit_price=Decimal(amount), vat_rate=Decimal(25),
                valid_from=dt.date(2020, 1, 1),
            )  # fmt: skip
        clerk = Clerk(world).fill("631")
        text = text_of(clerk.page).replace("\N{NO-BREAK SPACE}", " ")
        assert "1 075,50 kr, artikel 631" in text
        assert "REK, 65,00 kr till" in text
        assert "Kort till Elva Tolvansson, 1 075,50 kr" in text
        clerk.choose(delivery="registered_mail")
        text = text_of(clerk.page).replace("\N{NO-BREAK SPACE}", " ")
        assert "Kort REK till Elva Tolvansson, 1 140,50 kr" in text
        assert "Beskrivning på faktura A, 1 140,50 kr utan moms" in text
        clerk.choose(article="610")
        assert clerk.answers["delivery"] == "letter"  # the only one
        clerk.choose(article="631", delivery="registered_mail")
        clerk.send()
        assert CardOrder.objects.get().article_id == "631-REK"

    def test_nothing_chosen_is_told_at_the_field(self, world: Any) -> None:
        clerk = Clerk(world)
        second_post(world, clerk, world.clinic)
        office = create_office(actor=SETUP, area_id=world.area.id, name="Kontor B", invoice_comment="B")
        connect_office(actor=SETUP, organisation_id=world.region.id, office_id=office.id)
        clerk.start()
        clerk.send()
        self.check_told(clerk, "Ett svar behöver rättas", ("post", "Uppdrag: Välj uppdrag."))
        clerk.send(post=clerk.post.id)
        self.check_told(clerk, "Två svar behöver rättas", ("article", "Kort: Välj kort."), ("office", "Kontor: Välj kontor."))
        clerk.send(article="631")
        self.check_told(clerk, "Ett svar behöver rättas", ("office", "Kontor: Välj kontor."))
        assert clerk.answers["article"] == "631"
        clerk.send(office=office.id)
        assert clerk.is_done

    def check_told(self, clerk: Clerk, heading: str, *told: tuple[str, str]) -> None:
        body = clerk.page.content.decode()
        assert clerk.page.status_code == 422
        assert heading in body
        for field, message in told:
            assert f'href="#id_{field}_0">{message}' in body
            assert f'id="id_{field}_0"' in body
            assert f'id="id_{field}_error"' in body
        assert body.count('class="field-errors"') == len(told)  # only what is wrong is marked
        assert "<title>Fel:" in body

    def test_tampered_values_are_refused_and_change_nothing(self, world: Any) -> None:
        clerk = Clerk(world).start()
        for given in ({"post": "x"}, {"post": uuid.uuid4()}, {"post": world.post(world.city).id}):
            assert clerk.send(**given, article="631").status_code == 422
        assert clerk.draft.post is None
        for given in (
            {"article": "x" * 50}, {"article": "999"}, {"article": "631", "office": "1 OR 1=1"},
            {"article": "631", "office": uuid.uuid4()}, {"article": "631", "office": "annat", "other_office": uuid.uuid4()},
            {"article": "610", "photo": uuid.uuid4()}, {"article": "610", "photo": "x"},
        ):  # fmt: skip
            assert clerk.send(**given).status_code == 422, given
        clerk.start()
        assert clerk.send(version="x", article="631").status_code in (200, 409)
        assert CardOrder.objects.count() <= 1

    def test_many_offices_are_a_list(self, world: Any) -> None:
        made = [create_office(actor=SETUP, area_id=world.area.id, name=f"Kontor {n:02}", invoice_comment="x") for n in range(12)]
        for office in made:
            connect_office(actor=SETUP, organisation_id=world.region.id, office_id=office.id)
        clerk = Clerk(world).fill()
        body = clerk.page.content.decode()
        assert body.count(' name="office" ') == 9
        clerk.send(office="annat", other_office="")
        assert clerk.page.status_code == 422
        clerk.send(office="annat", other_office=made[-1].id)
        assert CardOrder.objects.get().office == made[-1]


class TestOffers:
    """What can be chosen, and why not."""

    def test_a_post_of_another_organisation_shows_its_cards_and_offices(self, world: Any) -> None:
        clerk = Clerk(world)
        post = second_post(world, clerk, world.clinic)
        offer_article(actor=SETUP, organisation_id=world.clinic.id, article_code="631", orderable=False)
        clerk.fill()
        clerk.choose(post=post.id)
        assert clerk.page.status_code == 200
        assert clerk.answers["post"] == str(post.id)
        assert clerk.answers.get("article") in (None, "631")
        assert f"Tjänste-id {post.hsa_id}" in text_of(clerk.page)

    def test_an_article_without_photo_forgets_no_photo(self, world: Any) -> None:
        clerk = Clerk(world).fill("610", picture())
        clerk.choose(article="631")
        assert "Granska foto" not in text_of(clerk.page)
        clerk.choose(article="610")
        assert clerk.form["fields"]["photo"] == str(Photo.objects.get().pk)
        clerk.send()
        assert clerk.is_done

    def test_a_post_that_cannot_be_chosen_says_why(self, world: Any) -> None:
        clerk = Clerk(world)
        post = second_post(world, clerk, world.clinic)
        Post.objects.filter(pk=post.pk).update(valid_to=clock.today() - dt.timedelta(days=1))
        clerk.start()
        assert "Uppdraget är avslutat i HSA-katalogen" in text_of(clerk.page)
        body = clerk.page.content.decode()
        assert re.search(rf'value="{post.id}"[^>]* disabled', body)
        assert re.search(rf'value="{clerk.post.id}"[^>]* checked', body)
        assert clerk.send(post=post.id, article="631").status_code == 422

    def test_without_posts_articles_or_offices_the_page_says_whom_to_ask(self, world: Any) -> None:
        clerk = Clerk(world).fill()
        close_office(actor=SETUP, office_id=world.office.id)
        assert "Inget kontor att välja" in text_of(clerk.open())
        Article.objects.update(valid_to=clock.today() - dt.timedelta(days=1))
        assert "Ingen artikel att beställa" in text_of(clerk.open())
        other = Clerk(world, post=world.post(world.clinic))
        photos.store(actor=other.actor, person_id=other.post.person_id, content=picture())
        Post.objects.filter(pk=other.post.pk).update(ended_at=clock.now())
        assert "Inget uppdrag att beställa för" in text_of(other.start().page)

    def test_old_addresses_lead_to_the_page(self, world: Any) -> None:
        clerk = Clerk(world).start()
        for step in ("organisation", "artikel", "foto", "kontor", "granska"):
            assert clerk.client.get(f"{clerk.address}{step}/")["Location"] == clerk.address
        assert clerk.client.get(f"{clerk.address}annat/").status_code == 404


class TestResume:
    """Lost log-in, other tabs, avbryt."""

    def test_a_lost_log_in_comes_back_to_the_page(self, world: Any) -> None:
        clerk = Clerk(world).fill("610", picture())
        before = OrderDraft.objects.values().get()
        clerk.client.cookies.clear()
        lost = clerk.client.get(clerk.address)
        assert lost.status_code == 302
        assert clerk.address in lost["Location"].replace("%2F", "/")
        posted = clerk.client.post(clerk.address, {"version": 1})
        assert posted.status_code == 302
        assert OrderDraft.objects.values().get() == before
        again = portal_client(Person.objects.get(pk=clerk.actor.person_id)).get(clerk.address)
        assert again.status_code == 200
        assert again.request["PATH_INFO"] == clerk.address

    def test_enter_shows_the_page_again_with_what_was_chosen(self, world: Any) -> None:
        clerk = Clerk(world).start()
        fields = clerk.form["fields"] | {"article": "631", "delivery": "registered_mail", "gor": "visa"}
        clerk.page = clerk.client.post(clerk.address, fields)
        assert clerk.answers["delivery"] == "registered_mail"
        assert clerk.draft.article is None
        assert not CardOrder.objects.exists()

    def test_start_goes_on_where_it_was_left(self, world: Any) -> None:
        clerk = Clerk(world).fill()
        clerk.start()
        assert clerk.answers["article"] == "631"
        assert "Du fortsätter på beställningen" in text_of(clerk.page)
        restart = next(form for form in forms_of(clerk.page) if form["action"].endswith("/borja-om/"))
        clerk.page = clerk.client.post(restart["action"], restart["fields"] | {"valj": "om"}, follow=True)
        assert clerk.page.request["PATH_INFO"] == clerk.address
        assert clerk.draft.article is None

    def test_avbryt_asks_nothing_and_loses_nothing(self, world: Any) -> None:
        clerk = Clerk(world).start()
        fields = clerk.form["fields"] | {"article": "631", "delivery": "registered_mail", "avbryt": "1"}
        clerk.page = clerk.client.post(reverse("order_abandon", args=[clerk.draft.id]), fields, follow=True)
        assert clerk.page.request["PATH_INFO"] == reverse("person", args=[clerk.post.person_id])
        assert "Beställningen är avbruten. Ångrar du dig" in text_of(clerk.page)
        assert "Beställningen är avbruten" in text_of(clerk.open())
        assert clerk.page.request["PATH_INFO"] == reverse("person", args=[clerk.post.person_id])
        clerk.start()
        assert clerk.draft.article_id == "631-REK"
        assert clerk.answers["delivery"] == "registered_mail"

    def test_gets_of_what_only_posts_do_change_nothing(self, world: Any) -> None:
        clerk = Clerk(world).fill()
        before = OrderDraft.objects.values().get()
        for name in ("order_abandon", "order_restart", "order_photo_upload", "order_done"):
            assert clerk.client.get(reverse(name, args=[clerk.draft.id])).status_code == 302
        assert clerk.client.get(reverse("order_start", args=[clerk.post.person_id])).status_code == 302
        assert OrderDraft.objects.values().get() == before

    def test_two_tabs(self, world: Any) -> None:
        """The second is told what changed, keeps what it chose, and may give it again."""
        clerk = Clerk(world).fill()
        stale = clerk.page
        clerk.open()
        clerk.choose(article="631", delivery="registered_mail")
        clerk.page = stale
        by_script = clerk.client.post(clerk.address, clerk.form["fields"] | {"article": "610", "valj": "1"}, headers=SCRIPT)
        assert (by_script.status_code, by_script["HX-Redirect"]) == (200, clerk.address)  # htmx leaves errors unseen
        assert "ändrats i en annan flik: kort (631 Kort REK). Sidan visar det som är sparat" in text_of(clerk.open())
        clerk.page = stale
        clerk.choose(article="610")
        assert clerk.page.status_code == 409
        assert "ändrats i en annan flik: kort (631 Kort REK). Det du valde här står kvar" in text_of(clerk.page)
        assert re.search(r'value="610"[^>]* checked', clerk.page.content.decode())
        assert clerk.draft.article_id == "631-REK"
        clerk.choose(article="610")
        assert clerk.draft.article_id == "610"

    def test_choices_that_follow_each_other_do_not_stand_in_each_others_way(self, world: Any) -> None:
        """The page sends each choice; the next may leave before the answer to the first has come, with the version of before."""
        office = create_office(actor=SETUP, area_id=world.area.id, name="Kontor B", invoice_comment="B")
        connect_office(actor=SETUP, organisation_id=world.region.id, office_id=office.id)
        clerk = Clerk(world).fill()
        before = clerk.page
        for delivery, code in (("registered_mail", "631-REK"), ("letter", "631"), ("registered_mail", "631-REK")):
            clerk.page = before
            clerk.choose(delivery=delivery)  # as arrow keys change the same answer
            assert (clerk.page.status_code, clerk.draft.article_id) == (200, code)
        clerk.page = before
        clerk.choose(delivery="registered_mail", office=office.id)
        assert clerk.page.status_code == 200
        clerk.page = before
        clerk.send(delivery="registered_mail", office=office.id)
        assert clerk.is_done
        order = CardOrder.objects.get()
        assert (order.article_id, order.office) == ("631-REK", office)

    def test_bestall_in_a_tab_that_is_old_orders_nothing(self, world: Any) -> None:
        clerk = Clerk(world).fill()
        old = clerk.page
        clerk.open()
        clerk.choose(delivery="registered_mail")
        clerk.page = old
        clerk.send()
        assert clerk.page.status_code == 409
        assert "kort (631 Kort REK). Granska beställningen igen" in text_of(clerk.page)
        assert not CardOrder.objects.exists()
        assert clerk.answers["delivery"] == "letter"  # what this tab shows, and what its next Beställ orders
        clerk.send()
        assert CardOrder.objects.get().article_id == "631"

    def test_bestall_twice_is_one_order_and_the_same_page(self, world: Any) -> None:
        clerk = Clerk(world).fill()
        page = clerk.page
        first = clerk.send().redirect_chain
        clerk.page = page
        assert clerk.send().redirect_chain == first
        assert clerk.open().redirect_chain == first
        assert "redan skickad" in text_of(clerk.page)
        clerk.page = page
        by_script = clerk.client.post(clerk.address, clerk.form["fields"] | {"valj": "1"}, headers=SCRIPT)
        assert by_script["HX-Redirect"] == reverse("order_done", args=[clerk.draft.id])
        assert CardOrder.objects.count() == 1

    def test_eight_clicks_at_once(self, world: Any) -> None:
        form = (clerk := Clerk(world).fill()).form
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
        assert CardOrder.objects.count() == 1
        assert answers == [reverse("order_done", args=[clerk.draft.id])] * 8


class TestWhatNoLongerHolds:
    """Found when the page is shown and at Beställ, with a sentence at the answer."""

    def test_article(self, world: Any) -> None:
        clerk = Clerk(world).fill()
        shown = clerk.page
        offer_article(actor=SETUP, organisation_id=world.region.id, article_code="631", orderable=False)
        offer_article(actor=SETUP, organisation_id=world.region.id, article_code="631-REK", orderable=False)
        clerk.open()
        assert "Kort: Regionen kan inte längre beställa artikeln 631. Välj en annan." in text_of(clerk.page)
        clerk.page = shown
        clerk.send()
        assert clerk.page.status_code == 422
        assert "Organisationen kan inte beställa artikeln. Välj en beställningsbar artikel." in text_of(clerk.page)
        assert not CardOrder.objects.exists()
        offer_article(actor=SETUP, organisation_id=world.region.id, article_code="631-REK", orderable=True)
        clerk.open()
        clerk.send(article="631", delivery="registered_mail")
        assert clerk.is_done

    def test_office(self, world: Any) -> None:
        clerk = Clerk(world).fill()
        close_office(actor=SETUP, office_id=world.office.id)
        clerk.send()
        assert clerk.page.status_code == 422
        assert "Kontoret är stängt eller inte kopplat till organisationen" in text_of(clerk.page)
        assert "Kontor: Kontoret Kontor A är stängt" in text_of(clerk.open())

    def test_a_post_that_the_catalogue_lost(self, world: Any) -> None:
        clerk = Clerk(world)
        second_post(world, clerk, world.clinic)
        clerk.fill()
        del world.outside.posts[clerk.post.hsa_id.upper()]
        clerk.send()
        assert clerk.page.status_code == 409
        assert "Uppdraget är avslutat i HSA-katalogen. Välj ett annat uppdrag" in text_of(clerk.page)
        assert f'value="{clerk.post.pk}"' not in clerk.page.content.decode()
        assert "Uppdrag: Uppdraget är avslutat i HSA-katalogen" in text_of(clerk.open())

    def test_a_protection_that_was_set(self, world: Any) -> None:
        clerk = Clerk(world).fill()
        unknown = clerk.client.get(reverse("order", args=[uuid.uuid4()]))
        world.outside.change_person(world.key_of(clerk.post.person), protected_person_indicator=True)
        for page in (clerk.client.post(clerk.address, clerk.form["fields"]), clerk.open()):
            assert page.status_code == unknown.status_code == 404
            assert "Tolvansson" not in page.content.decode()

    def test_what_stands_against_the_person_is_told_on_the_page_and_at_the_order(self, world: Any) -> None:
        clerk = Clerk(world).fill()
        world.outside.change_person(world.key_of(clerk.post.person), deceased=True)
        assert "Personen är avliden enligt personregistret" in text_of(clerk.open())
        clerk.send()
        assert clerk.page.status_code == 422
        assert "Personen är avliden" in text_of(clerk.page)
        assert not CardOrder.objects.exists()

    @pytest.mark.parametrize(("years", "leads_on"), [(16, True), (14, False), (18, False)])
    def test_whoever_is_too_young_is_led_to_a_reserve_card(self, world: Any, years: int, leads_on: bool) -> None:
        post = world.post(person_id=person_number(years_ago(years)))
        address = f'href="{reverse("reserve_card", args=[post.person_id])}"'
        page = Clerk(world, post=post).start().page
        assert (address in page.content.decode()) == leads_on
        assert ("Resten är ifyllt." in text_of(page)) == (years >= 18), "whoever may not order is not asked to"
        assert OrderDraft.objects.get().state == ("open" if years >= 18 else "abandoned"), "Dagen does not lead back to it"

    def test_register_and_catalogue_down(self, world: Any) -> None:
        clerk = Clerk(world).start()
        world.outside.down = True
        clerk.open()
        assert "svarar inte just nu. Du kan fortsätta" in text_of(clerk.page)
        assert "Adressen kan inte visas just nu" in text_of(clerk.page)
        clerk.send(article="631", office=world.office.id)
        assert clerk.page.status_code == 503
        assert "Beställningen är inte skickad, och det du valt är kvar." in text_of(clerk.page)
        assert clerk.answers["article"] == "631"
        world.outside.down = False
        clerk.send()
        assert CardOrder.objects.count() == 1


class TestWho:
    """Others' drafts and pictures are not there; roles without the right may not begin."""

    def test_anothers_draft_is_not_found(self, world: Any) -> None:
        clerk = Clerk(world).fill("610", picture())
        photo = [clerk.draft.id, Photo.objects.get().pk]
        for actor in (world.officer(role=Role.RESPONSIBLE_ISSUER), world.officer(world.city)):
            other = Clerk(world, actor=actor, post=clerk.post)
            for name in ("order", "order_done"):
                assert other.client.get(reverse(name, args=[clerk.draft.id])).status_code == 404
                assert other.client.get(reverse(name, args=[uuid.uuid4()])).status_code == 404
            assert other.client.get(reverse("order_photo_image", args=photo)).status_code == 404
            assert other.client.get(reverse("order_logotype_image", args=[clerk.draft.id, clerk.post.pk])).status_code == 404
            for name in ("order", "order_abandon", "order_restart"):
                assert other.client.post(reverse(name, args=[clerk.draft.id]), {"version": 1}).status_code == 404
        assert clerk.client.get(reverse("order_photo_image", args=[clerk.draft.id, uuid.uuid4()])).status_code == 404
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

        clerk = Clerk(world).fill()
        for name in ("order", "order_done"):
            assert Client().get(reverse(name, args=[clerk.draft.id])).status_code == 302
        assert Client().get(reverse("photo_rules")).status_code == 302

    def test_forms_carry_a_token(self, world: Any) -> None:
        from django.test import Client

        clerk = Clerk(world).fill()
        strict = portal_client(Person.objects.get(pk=clerk.actor.person_id), enforce_csrf_checks=True)
        assert isinstance(strict, Client)
        for name in ("order", "order_abandon", "order_photo_upload", "order_restart"):
            assert strict.post(reverse(name, args=[clerk.draft.id]), {"version": 4}).status_code == 403
        assert clerk.draft.state == "open"

    def test_a_protected_person(self, world: Any) -> None:
        """No address, and the officer is reminded; even if the register gave one."""
        clerk = Clerk(world, actor=world.officer(protected=True), post=world.post(protected=True)).fill()
        text = text_of(clerk.page)
        assert "Skickas till via Skatteverkets förmedlingsuppdrag" in text
        assert "Framme omkring" not in text
        assert "Skyddade personuppgifter" in text
        assert "Provgatan" not in text
        clerk.send()
        assert CardOrder.objects.count() == 1


def slope(width: int, height: int) -> bytes:
    """A picture of which no two parts look alike."""
    grey = Image.linear_gradient("L").resize((width, height))
    out = io.BytesIO()
    Image.merge("RGB", (grey, grey.transpose(Image.Transpose.ROTATE_90).resize((width, height)), grey)).save(out, "JPEG")
    return out.getvalue()


class TestPhoto:
    """Granska foto."""

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (picture(size=(700, 500)), "minst 400 × 533 när det är beskuret till 3:4"),
            (picture(size=(300, 400)), "minst 400 × 533"),
            (picture()[:-2], "inte en hel JPEG"),
            (b"<svg onload=alert(1)>", "inte en hel JPEG"),
            (b"", "tom"),
            (b"\xff\xd8" + b"x" * (5 * 1024 * 1024), "Filen är 5,1 MB. Högst 5 MB tas emot."),
        ],
    )
    def test_a_file_that_is_refused(self, world: Any, content: bytes, told: str) -> None:
        clerk = Clerk(world).fill("610")
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
        assert clerk.is_done

    def test_a_file_of_another_shape_is_cropped_and_can_be_turned_and_moved(self, world: Any) -> None:
        clerk = Clerk(world).fill("610")
        clerk.upload(slope(1600, 1200))
        first = Photo.objects.get()
        assert (first.width, first.height) == (600, 800)
        address = reverse("order_photo_adjust", args=[clerk.draft.id])
        seen = {bytes(first.pending)}
        for act in ("vanster", "narmare", "upp", "vrid-hoger"):
            clerk.page = clerk.client.post(address, clerk.form["fields"] | {"valj": act}, follow=True)
            photo = Photo.objects.get()  # in the place of the one before
            assert (photo.width, photo.height) == (600, 800)
            assert clerk.form["fields"]["photo"] == str(photo.pk)
            seen.add(bytes(photo.pending))
        assert len(seen) == 5
        stale = clerk.form["fields"] | {"valj": "ner", "photo": str(first.pk)}
        assert clerk.client.post(address, stale).status_code == 422
        assert clerk.client.post(address, stale, headers=SCRIPT)["HX-Redirect"] == clerk.address
        assert "Fotot har bytts" in text_of(clerk.open())
        assert clerk.client.post(address, clerk.form["fields"] | {"valj": "annat"}).status_code == 302
        assert Photo.objects.get() == photo
        clerk.send()
        photo.refresh_from_db()
        assert CardOrder.objects.get().photo == photo
        assert (photo.source, photo.framing, photo.pending) == (None, None, None)

    def test_an_order_that_is_refused_leaves_the_photo_to_be_changed(self, world: Any) -> None:
        clerk = Clerk(world).fill("610")
        clerk.upload(slope(1600, 1200))
        before = OrderDraft.objects.values().get()
        world.outside.down = True
        clerk.send()
        assert clerk.page.status_code == 503
        assert "Vrid vänster" in text_of(clerk.page)
        assert OrderDraft.objects.values().get() == before
        assert Photo.objects.get().approved_at is None
        world.outside.down = False
        clerk.send()
        assert clerk.is_done
        assert Photo.objects.get().approved_at is not None

    def test_without_a_photo_nothing_is_ordered(self, world: Any) -> None:
        clerk = Clerk(world).fill("610")
        clerk.send()
        assert clerk.page.status_code == 422
        assert 'href="#id_file">Fil med fotografiet: Hämta ett fotografi, eller välj' in clerk.page.content.decode()
        assert not CardOrder.objects.exists()

    def test_the_stored_photo_is_used_again_while_it_is_new_enough(self, world: Any) -> None:
        clerk = Clerk(world)
        stored = photos.store(actor=clerk.actor, person_id=clerk.post.person_id, content=picture(10))
        clerk.fill("610")
        assert clerk.form["fields"]["photo"] == str(stored.pk)
        today = clock.today()
        renewed = f"{today.year + 5}{today:-%m-%d}".replace("-02-29", "-02-28")
        assert re.search(f"Foto uppladdat: {today} ?, bör bytas {renewed} ", text_of(clerk.page))
        clerk.send()
        assert CardOrder.objects.get().photo == stored

    def test_a_new_file_in_place_of_the_stored_photo(self, world: Any) -> None:
        clerk = Clerk(world)
        stored = photos.store(actor=clerk.actor, person_id=clerk.post.person_id, content=picture(10))
        clerk.fill("610")
        clerk.choose(photo="ny")
        assert clerk.form["fields"]["photo"] == "ny"
        assert "Välj foto. Resten är ifyllt." in text_of(clerk.page)
        clerk.send()
        assert clerk.page.status_code == 422
        assert 'href="#id_file">Fil med fotografiet: Hämta ett fotografi, eller välj ett foto som redan finns.' in (
            clerk.page.content.decode()
        )
        assert not CardOrder.objects.exists()
        clerk.choose(photo=stored.pk)
        clerk.upload(b"x")  # dropped on the choice, which is not made by that
        assert clerk.page.status_code == 422
        assert clerk.form["fields"]["photo"] == "ny"
        clerk.upload(picture(20))
        assert clerk.form["fields"]["photo"] == str(clerk.draft.photo_id)
        clerk.send()
        assert CardOrder.objects.get().photo not in (None, stored)

    def test_an_old_stored_photo_is_offered_with_its_age_and_not_proposed(self, world: Any) -> None:
        clerk = Clerk(world)
        with clock.moved_to(clock.now() - dt.timedelta(days=6 * 366)):
            stored = photos.store(actor=clerk.actor, person_id=clerk.post.person_id, content=picture(10))
        clerk.fill("610")
        text = text_of(clerk.page)
        assert "(6 år gammalt)" in text
        assert "5 år eller äldre" in text
        assert "photo" not in clerk.form["fields"]
        clerk.send()
        assert "Jämför det sparade fotot med personen" in text_of(clerk.page)
        clerk.upload(picture(20))
        assert Photo.objects.count() == 2
        assert clerk.form["fields"]["photo"] == str(clerk.draft.photo_id)
        clerk.choose(photo=stored.pk)
        assert clerk.form["fields"]["photo"] == str(stored.pk)
        assert Photo.objects.count() == 2  # the new one is kept until the order
        clerk.send()
        assert CardOrder.objects.get().photo == stored

    def test_a_photo_that_another_tab_changed_is_looked_at_first(self, world: Any) -> None:
        clerk = Clerk(world).fill("610")
        clerk.upload(picture(10))
        old = clerk.page
        clerk.upload(picture(20))
        clerk.page = old
        clerk.send()
        assert clerk.page.status_code == 422
        assert "Fotot har bytts" in text_of(clerk.page)
        assert not clerk.draft.photo_approved

    def test_an_upload_keeps_the_other_answers(self, world: Any) -> None:
        clerk = Clerk(world).start()
        clerk.choose(article="610")
        fields = clerk.form["fields"] | {"office": str(world.office.id), "valj": "foto", "file": portrait_file(picture())}
        clerk.page = clerk.client.post(reverse("order_photo_upload", args=[clerk.draft.id]), fields, follow=True)
        assert (clerk.draft.article_id, clerk.draft.office) == ("610", world.office)

    def test_a_chosen_file_that_was_not_fetched_is_not_forgotten(self, world: Any) -> None:
        """Without script the browser sends its name alone."""
        clerk = Clerk(world).fill("610")
        clerk.send(file="Elva på jobbet.jpg")
        assert clerk.page.status_code == 422
        assert "Fotot är inte hämtat än" in text_of(clerk.page)
        assert "Elva på jobbet" not in clerk.page.content.decode()

    def test_s47_a_spent_budget_of_photographs_keeps_the_draft(self, world: Any, settings: Any) -> None:
        clerk = Clerk(world).fill("610")
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
        clerk = Clerk(world).fill("610")
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
    clerk.fill("610", picture())
    for page in (clerk.open(), clerk.send()):
        body = page.content.decode()
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
    clerk = Clerk(world).fill("610")
    clerk.upload(b"x")
    link = re.search(r'href="([^"]+/fotoregler/[^"]*)"', clerk.page.content.decode())
    assert link
    rules = clerk.client.get(link[1])
    back = re.search(r'href="([^"]+)">Tillbaka till beställningen', rules.content.decode())
    assert back
    clerk.page = clerk.client.get(back[1])
    assert (clerk.page.status_code, clerk.page.request["PATH_INFO"]) == (200, clerk.address)
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
        clerk = Clerk(world).fill()
        clerk.send()
        ordering.cancel_order(actor=clerk.actor, order_id=CardOrder.objects.get().id)
        clerk.fill()
        clerk.send()
        assert sorted(CardOrder.objects.values_list("state", flat=True)) == ["cancelled", "queued"]


def test_the_number_of_queries_of_each_page(world: Any) -> None:
    """Log-in, actor, draft, checks, note and lists; none grows with posts, articles or offices."""
    clerk = Clerk(world).fill("610", picture())
    draft, photo = clerk.draft.id, Photo.objects.get().pk
    addresses = [clerk.address, reverse("order_photo_image", args=[draft, photo])]

    def cost(address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert clerk.client.get(address).status_code == 200
        return len([query for query in queries if not query["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))])

    before = [cost(address) for address in addresses]
    for number in range(4):
        second_post(world, clerk, world.clinic)
        office = create_office(actor=SETUP, area_id=world.area.id, name=f"Kontor {number}", invoice_comment="x")
        connect_office(actor=SETUP, organisation_id=world.region.id, office_id=office.id)
    assert [cost(address) for address in addresses] == before
    assert max(before) <= 15, before
    clerk.send()
    assert clerk.is_done
    assert cost(reverse("order_done", args=[draft])) <= 15


class TestABodyThatIsTooLarge:
    """It comes back to the page with the reason and the menu; nothing of it is read, and nothing is done."""

    def send(self, clerk: Clerk, address: str) -> Any:
        """The page that a browser shows in the end; it sends the body to the first address alone."""
        told = {"content_type": "multipart/form-data; boundary=y", "CONTENT_LENGTH": "52428800"}
        answer = clerk.client.post(address, b"x", **told)
        return clerk.client.get(answer["Location"], follow=True) if answer.status_code == 302 else answer

    def test_leads_back_to_the_order(self, world: Any) -> None:
        clerk = Clerk(world).fill("610")
        page = self.send(clerk, reverse("order_photo_upload", args=[clerk.draft.pk]))
        assert page.request["PATH_INFO"] == clerk.address
        assert "Uppgifterna är 50 MB. Filer får vara högst 5 MB." in text_of(page)
        assert 'href="/sok/"' in page.content.decode()
        assert clerk.draft.photo is None

    def test_elsewhere_is_told_inside_the_frame_and_does_nothing(self, world: Any) -> None:
        clerk = Clerk(world).fill("610")
        page = self.send(clerk, reverse("order_abandon", args=[clerk.draft.pk]))
        assert (page.status_code, 'href="/sok/"' in page.content.decode()) == (413, True)
        assert clerk.draft.state == "open"

    def test_the_reason_names_the_files_size(self, world: Any) -> None:
        clerk = Clerk(world).fill("610")
        page = clerk.upload(b"\xff\xd8" + b"x" * (7 * 1024 * 1024))
        assert page.status_code == 422
        assert "Filen är 7,1 MB. Högst 5 MB tas emot." in text_of(page)
