"""Articles over HTTP: the catalogue, and what an organisation may order; and both in Chromium."""

import datetime as dt
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from playwright.sync_api import Browser, Page

from issuance.articles.models import Article, OrganisationArticle
from issuance.articles.services.articles import ArticleData, edit_article, offer_article
from issuance.authz import Role
from issuance.organisations.models import Organisation
from issuance.records.models.events import Event
from siths_portal.lib import clock
from tests.e2e.hands import Both, Hands
from tests.e2e.looking import Looker
from tests.issuance.operators.test_browser import button
from tests.issuance.organisations.test_browser import told
from tests.issuance.organisations.test_pages import MOST_QUERIES, admin, at, client_of, fields_of, issuer
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.search.test_browser import desk
from tests.issuance.world import SETUP

NAME = "organisation_articles"


def orderable(organisation: Organisation) -> list[str]:
    rows = OrganisationArticle.objects.filter(organisation=organisation, orderable=True)
    return sorted(rows.values_list("article_id", flat=True))


def ended(code: str) -> None:
    Article.objects.filter(pk=code).update(valid_to=clock.today() - dt.timedelta(days=1))


def test_ticks_are_set_and_stand_in_the_history(world: Any) -> None:
    client = issuer(world)
    assert "631 Kort REK Ordinarie kort Godkänd" in text_of(client.get(at(NAME, world.city)))
    sent = {"shown": ["610", "631", "631-REK"], "article": ["610", "631"]}
    assert client.post(at(NAME, world.city), sent).url == at(NAME, world.city)
    assert orderable(world.city) == ["610", "631"]
    same = client.post(at(NAME, world.city), {"shown": ["610", "631"], "article": ["610", "631"]}, follow=True)
    assert "Inget ändrades. Samma artiklar var redan valda." in text_of(same)
    assert client.post(at(NAME, world.city), {"shown": ["610"], "article": ["610"]}).status_code == 302
    bare = client.post(at(NAME, world.clinic), {"shown": ["610", "631", "631-REK"]}, follow=True)
    assert "Ingen vald artikel säljs nu, så inga kort kan beställas i organisationen." in text_of(bare)
    assert (
        Event.objects.filter(action="organisation.article_set", facts__orderable=False, subject_ref=str(world.city.id)).count()
        == 1
    )
    text = text_of(client.get(at("organisation_history", world.city)))
    assert "Beställningsbar artikel ändrades Artikel: 631-REK Beställningsbar: från Ja → till Nej" in text
    offer_article(actor=SETUP, organisation_id=world.stranger.id, article_code="610", orderable=False)
    assert not Event.objects.filter(action="organisation.article_set", subject_ref=str(world.stranger.id)).exists()


def test_what_others_set_meanwhile_stays(world: Any) -> None:
    offer_article(actor=SETUP, organisation_id=world.city.id, article_code="610", orderable=False)
    sent = {"shown": ["610", "631", "631-REK"], "article": ["610", "631"]}
    issuer(world).post(at(NAME, world.city), sent)
    assert orderable(world.city) == ["631"]


@pytest.mark.parametrize("code", ["610", "nej"])
def test_what_is_not_sold_cannot_be_ticked(world: Any, code: str) -> None:
    offer_article(actor=SETUP, organisation_id=world.city.id, article_code="610", orderable=False)
    ended("610")
    response = issuer(world).post(at(NAME, world.city), {"shown": ["631"], "article": ["631", code]})
    assert (response.status_code, "Artikeln säljs inte längre" in text_of(response)) == (422, True)
    assert "610" not in [line.code for line in response.context["list"].lines]
    assert orderable(world.city) == ["631", "631-REK"]


def test_what_was_ticked_beside_it_stays_ticked(world: Any) -> None:
    """Also in what is sent again: what the page showed ticked at first, and what is ticked now."""
    offer_article(actor=SETUP, organisation_id=world.city.id, article_code="631-REK", orderable=False)
    told = issuer(world).post(at(NAME, world.city), {"shown": ["631", "610"], "article": ["631", "631-REK", "nej"]})
    assert told.status_code == 422
    page = told.content.decode()
    assert set(re.findall(r'name="article" value="([^"]+)"[^>]* checked', page)) == {"631", "631-REK"}
    assert re.findall(r'name="shown" value="([^"]+)"', page) == ["631", "610"]


def test_what_has_ended_is_shown_while_it_is_ticked(world: Any) -> None:
    ended("610")
    assert "610 Kort Ordinarie kort Utgången" in text_of(issuer(world).get(at(NAME, world.city)))


def test_the_organisations_page_tells_what_may_be_ordered_there(world: Any) -> None:
    ended("610")
    offer_article(actor=SETUP, organisation_id=world.city.id, article_code="631-REK", orderable=False)
    client = issuer(world)
    with CaptureQueriesContext(connection) as queries:
        page = client.get(at("organisation", world.city))
    assert len(queries) <= MOST_QUERIES
    told = text_of(page).split("Beställningsbara artiklar")[1].split("Underorganisationer")[0]
    assert told.split("Status ")[1] == "610 Kort Utgången 631 Kort Godkänd "
    assert f'href="{at(NAME, world.city)}">Ändra artiklar' in page.content.decode()
    reader = client_of(world.officer(world.city, Role.READER)).get(at("organisation", world.city))
    assert "631 Kort Godkänd" in text_of(reader)
    assert at(NAME, world.city) not in reader.content.decode()
    OrganisationArticle.objects.filter(organisation=world.city).update(orderable=False)
    assert "Ingen artikel är vald Utan en vald artikel kan inga kort" in text_of(client.get(at("organisation", world.city)))


def test_the_catalogue_tells_all_that_is_known_of_an_article(world: Any) -> None:
    Article.objects.filter(pk="610").update(valid_from=clock.today() + dt.timedelta(days=1), orientation="portrait")
    text = text_of(issuer(world).get(reverse("articles")))
    assert "631 Kort REK Ordinarie kort Liggande, utan foto 2020-01-01 Godkänd" in text
    assert "610 Kort Ordinarie kort Stående, med foto" in text
    assert "Kommande" in text


def test_the_catalogue_is_filtered_and_sorted(world: Any) -> None:
    ended("610")
    client, address = issuer(world), reverse("articles")
    for query, codes in (
        ("ordning=-artikel", ["631-REK", "631", "610"]),
        ("leverans=registered", ["631-REK"]),
        ("status=active&leverans=ordinary", ["631"]),
        ("status=ended", ["610"]),
        ("status=coming", []),
        ("slag=student", []),
    ):
        page = client.get(f"{address}?{query}")
        assert [line.code for line in page.context["list"].lines] == codes, query
    assert "status=ended&amp;ordning=namn" in client.get(f"{address}?status=ended").content.decode()
    assert client.get(f"{address}?status=vad").status_code == 422


def new_article(**changes: str) -> dict[str, str]:
    return {
        "number": "777", "name": "Liggande kort", "registered_mail": "no", "kind": "ordinary", "orientation": "landscape",
        "photo": "yes", "assurance_level": "3", "generation": "7", "valid_from": "2026-01-01", "valid_to": "",
    } | changes  # fmt: skip


def test_the_administration_adds_an_article(world: Any) -> None:
    client, address = admin(world), reverse("article_new")
    wrong = client.post(address, new_article(number="x", photo="", valid_to="2025"))
    assert wrong.status_code == 422
    assert {"photo", "valid_to"} <= set(wrong.context["form"].errors)
    early = client.post(address, new_article(number="x", valid_to="2025-12-31"))
    assert set(early.context["form"].errors) == {"number", "valid_to"}
    generic = client.post(address, new_article(kind="test"))
    assert set(generic.context["form"].errors) == {"photo"}, "cards of the generic look have no photo"
    assert client.post(address, new_article(number="631", photo="no")).status_code == 409
    assert client.post(address, new_article()).url == reverse("article", args=["777"])
    text = text_of(issuer(world).get(reverse("article", args=["777"])))
    for told_ in (
        "Artikel : 777 Liggande kort",
        "Godkänd",
        "Produktgeneration 7",
        "Foto på kortet Ja",
        "0 organisationer",
        "Pris i bruttolistan Saknas",
    ):
        assert told_ in text
    assert "Redigera" not in text
    assert "Artikeln skapades" in text_of(issuer(world).get(reverse("article_history", args=["777"])))


def test_an_edit_is_told_to_the_second_and_stands_in_the_history(world: Any) -> None:
    client, address = admin(world), reverse("article_edit", args=["610"])
    sent = {**fields_of(client.get(address)), "name": "Mitt", "orientation": "portrait"}
    row = Article.objects.get(pk="610")
    data = {name: getattr(row, name) for name in ArticleData.__dataclass_fields__}
    edit_article(actor=SETUP, code="610", version=1, article=ArticleData(**data | {"name": "Deras"}))
    again = client.post(address, sent)
    assert again.status_code == 409
    assert "Namn: Kort → Deras" in text_of(again)
    assert client.post(address, fields_of(again)).status_code == 302
    text = text_of(client.get(reverse("article_history", args=["610"])))
    assert "Namn: från Deras → till Mitt" in text
    assert "Utförande: från Liggande → till Stående" in text


def test_what_has_been_ordered_is_not_asked_for_again(world: Any) -> None:
    world.order()
    client, address = admin(world), reverse("article_edit", args=["631"])
    page = client.get(address)
    assert set(fields_of(page)) == {"version", "name", "generation", "valid_from", "valid_to"}
    assert "Artikeln har beställts" in text_of(page)
    late = client.post(address, {**fields_of(page), "name": "Nytt", "valid_from": f"{clock.today() + dt.timedelta(days=9)}"})
    assert (late.status_code, late.context["form"]["name"].value()) == (409, "Nytt")
    assert "Den första dagen kan inte vara senare än 2020-01-01." in text_of(late)
    unordered = text_of(client.get(reverse("article_edit", args=["610"])))
    assert "Artikeln är beställningsbar för 3 organisationer. Får den en senare första dag" in unordered
    assert client.post(address, {**fields_of(page), "generation": "6", "photo": "yes"}).status_code == 302
    row = Article.objects.get(pk="631")
    assert (row.generation, row.photo) == ("6", False)


def test_few_queries(world: Any) -> None:
    client = issuer(world)
    for address in (reverse("articles"), reverse("article", args=["631"]), at(NAME, world.city)):
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        assert len(queries) <= MOST_QUERIES


def walk(page: Page, portal: str, hands: Hands, see: Any, world: Any) -> None:
    """The issuer opens the catalogue, which the walk of customisations looks at, and takes an article from an organisation."""
    page.goto(f"{portal}/administrera/")
    hands.press(page.get_by_role("link", name="Artiklar"))
    page.wait_for_url("**/administrera/artiklar/")
    page.goto(f"{portal}/administrera/organisation/{world.city.id}/")
    hands.press(page.get_by_role("link", name="Administrera artiklar"))
    see.look(page, "articles")
    hands.choose(page.get_by_label("631 Kort REK"))
    hands.press(button(page, "Spara"))
    told(page, "Beställningsbara artiklar är sparade.")
    assert orderable(world.city) == ["610", "631"]


def test_by_keyboard_as_by_mouse_and_looked_at(world: Any, portal: str, browser: Browser) -> None:
    eye = Looker("administration-articles")
    with desk(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        eye.follow(page.context)
        walk(page, portal, Both(), eye, world)
