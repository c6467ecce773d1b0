"""The frame of the portal's pages: tabs by right, who is logged in, help, error pages in and out of it, and its components."""

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template import engines
from django.test import Client, override_settings
from django.urls import path

from issuance.authz import Action, Actor, Role
from issuance.authz.roles import ALLOWED
from issuance.people.models.persons import Person
from issuance.roles.models.grants import RoleGrant
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Gone, Invalid, NotFound, TooManyRequests, Unavailable
from siths_portal.lib.pages import error_pages
from siths_portal.lib.pages.forms import Form
from siths_portal.wiring import urls_portal
from tests.access import form_pages
from tests.portal import portal_client

CONFIGURATION = {Role.MASTER_DATA_ADMIN, Role.GLOBAL_READER, Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER, Role.READER}
INVOICES = {Role.FINANCE_ADMIN, Role.GLOBAL_READER, Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER, Role.CUSTOMER_FINANCE}
STATUS = {
    "ordered": "Beställd", "sent": "Skickat", "new": "Ny", "active": "Aktiv", "revoked": "Spärrat", "expired": "Utgånget",
    "activated_unsigned": "Aktiverat, underskrift saknas", "cancelled": "Avbrutet",
}  # fmt: skip


def client_of(actor: Actor) -> Client:
    return portal_client(Person.objects.get(pk=actor.person_id))


def drawn(template: str, **context: object) -> str:
    return str(engines["django"].from_string(template).render(context))


def component(name: str, given: str = "", **context: object) -> str:
    return drawn(f'{{% include "components/{name}.html" {given} %}}', **context)


def tabs(body: str) -> list[str]:
    menu = re.search(r'aria-label="Huvudmeny">(.*?)<div class="rail-account">', body, re.DOTALL)
    return re.findall(r"<span>([^<>]+)</span></a>", menu[1]) if menu else []


@pytest.mark.parametrize("role", list(Role))
def test_tabs_follow_the_rights(world: Any, role: Role) -> None:
    body = client_of(world.officer(role=role)).get("/sok/").content.decode()
    searching = ["Sök"] * (Action.VIEW in ALLOWED[role])
    invoices, operating = ["Fakturor"] * (role in INVOICES), ["PKI"] * (role is Role.PKI_OPERATOR)
    configuring = ["Administrera"] * (role in CONFIGURATION)
    keeping = ["Reservkort"] * (Action.KEEP_STOCK in ALLOWED[role])
    caring = ["Registervård"] * (Action.KEEP_REGISTER in ALLOWED[role])
    assert tabs(body) == ["Dagen", *searching, *keeping, *caring, *configuring, *invoices, *operating]
    assert bool(re.search(r'<a class="rail-link" href="/sok/" aria-current="true"', body)) is bool(searching)


def test_the_head_tells_who_is_logged_in_and_lets_out_by_post_alone(world: Any) -> None:
    client = client_of(world.officer())
    body = client.get("/sok/").content.decode()
    assert (
        '<span class="site-user-name" title="Handläggare Provsson">Handläggare Provsson</span>'
        '<span class="site-user-role" title="ID-administratör, Regionen">ID-administratör, Regionen</span>' in body
    )
    for address in ("/installningar/", "/hjalp/#sok"):
        assert f'href="{address}"' in body
    assert re.search(r'<form method="post" action="/logga-ut/">', body)
    assert 'aria-label="Du är här"' in body
    assert "Provsson" not in re.search(r"<title>(.*?)</title>", body, re.DOTALL)[1]  # type: ignore[index]


def test_the_account_block_has_the_widest_role_and_where_it_holds(world: Any, django_assert_max_num_queries: Any) -> None:
    def told(actor: Actor) -> list[str]:
        client = client_of(actor)
        with django_assert_max_num_queries(3):
            return re.findall('<span class="site-user-role"[^>]*>([^<]*)</span>', client.get("/hjalp/").content.decode())

    def also(actor: Actor, role: Role, **place: Any) -> Actor:
        RoleGrant.objects.create(role=role, person_id=actor.person_id, valid_from=clock.now() - dt.timedelta(days=1), **place)
        return actor

    issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
    assert told(issuer) == [f"Ansvarig utgivare, {world.area.name}"] * 2, "in the top bar, and in the menu of a phone"
    assert told(also(issuer, Role.READER, organisation=world.city)) == [f"Ansvarig utgivare, {world.area.name}"] * 2
    clerk = also(world.officer(), Role.ID_ADMINISTRATOR, organisation=world.clinic)
    assert told(clerk)[0] == f"ID-administratör, {min(world.region.name, world.clinic.name)} och 1 till"
    operator = world.officer(role=Role.PKI_OPERATOR)
    assert told(operator)[0] == "Förvaltningsadmin PKI"
    also(also(operator, Role.MASTER_DATA_ADMIN), Role.FINANCE_ADMIN)
    assert told(operator)[0] == "Förvaltningsadministratör"


def test_the_first_page_is_the_way_in_or_dagen(world: Any) -> None:
    body = Client().get("/").content.decode()
    assert re.search(r'<form method="post" action="/logga-in/" class="actions">', body)
    assert len(re.findall(r"<button (?![^>]*aria-hidden)", body)) == 1
    assert tabs(body) == []
    assert client_of(world.officer()).get("/").url == "/dagen/"
    assert client_of(world.officer()).get("/", follow=True).redirect_chain == [("/dagen/", 302)]


def test_the_help_page_is_open_to_those_who_cannot_log_in(world: Any, django_assert_max_num_queries: Any) -> None:
    clerk = client_of(world.officer())
    with django_assert_max_num_queries(0):
        outside = Client().get("/hjalp/")
    with django_assert_max_num_queries(3):
        inside = clerk.get("/hjalp/")
    for answer in (outside, inside):
        body = answer.content.decode()
        assert answer.status_code == 200
        for words in ("Utökat sökomfång", "Spärra", "kvittens", 'class="key">Alt<', settings.ACCESSIBILITY_CONTACT, "support"):
            assert words in body
        for status in STATUS.values():
            assert f"<span>{status}</span>" in body
        for address in re.findall(r'<a class="ds-link" href="(/[^"]*)"', body):
            assert Client().get(address).status_code in (200, 302), address
    assert "Logga ut" in inside.content.decode()
    assert "Logga ut" not in outside.content.decode()


def test_about_tells_what_the_tool_is_and_settings_hold_what_is_ones_own(world: Any) -> None:
    with override_settings(PROGRAM_VERSION="7.8.9", PROGRAM_BUILD="abc123", ENVIRONMENT_NAME="Provmiljön"):
        body = Client().get("/om-verktyget/").content.decode()
    assert '<a class="ds-link" href="/om-verktyget/">Om verktyget</a>' in body
    assert "<h1>Om verktyget</h1>" in body
    told = ("7.8.9 (abc123)", "Provmiljön", settings.OPERATOR_NAME, settings.SUPPORT_CONTACT, settings.ACCESSIBILITY_CONTACT)
    assert [words for words in told if words not in body] == []
    for heading in ("Kontakt", "Det här loggas", "Kakor", "Tillgänglighet", "Licenser"):
        assert re.search(rf"<h2[^>]*>{heading}</h2>", body)
    reader, day = world.officer(role=Role.READER), clock.today() + dt.timedelta(days=5)
    RoleGrant.objects.create(
        role="revoker", organisation=world.clinic, person_id=reader.person_id, valid_from=clock.start_of_day(day)
    )
    own = client_of(reader).get("/installningar/").content.decode()
    for words in ("Handläggare Provsson", "Dina roller", "Regionen", "Här är du inloggad"):
        assert words in own
    told = re.sub(r"<[^>]+>", "", own.split('id="own-roles"')[1])
    assert "LäsRegionen" in told
    assert f"Spärr (börjar {day})Kliniken" in told


def test_help_opens_where_it_tells_of_the_page(world: Any) -> None:
    issuer = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
    assert 'href="/hjalp/#administrera"' in issuer.get("/administrera/").content.decode()
    told = issuer.get("/hjalp/").content.decode().split('<h2 id="administrera">')[1].split("<h2")[0]
    for words in ("Artiklar", "Kortanpassning", "Kvittenstext", "Innehavare", "utbildning", "Utökade sökningar", "Vad får"):
        assert words in told


def test_every_way_into_help_leads_somewhere(world: Any) -> None:
    """The table of contents, and the links of the pages, which lead to what is told of them there."""
    texts = {file: file.read_text() for file in (settings.BASE_DIR / "templates").rglob("*.html")}
    ways = {way for text in texts.values() for way in re.findall(r"(?:block help_anchor %}|url 'help' %})#([a-zåäö-]+)", text)}
    assert {"sok", "person", "bestall", "aktivera", "sparra", "administrera", "roller", "artiklar", "fran-fil"} <= ways
    led = set()
    for role in (Role.MASTER_DATA_ADMIN, Role.PKI_OPERATOR, Role.ID_ADMINISTRATOR):
        body = client_of(world.officer(role=role)).get("/hjalp/").content.decode()
        contents, text = body.split('id="hjalp-innehall"')[1].split('class="help-text')
        there = re.findall(r'<h[23] id="([^"]+)"', text.split('class="help-up"')[0])
        assert re.findall(r'href="#([^"]+)"', contents) == there, "all of it, in the order of the page"
        led |= set(there)
    assert ways <= led


@pytest.mark.parametrize("address", ["/", "/hjalp/", "/tillganglighet/", "/dagen/", "/sok/", "/finns/inte/"])
def test_no_page_asks_the_browser_for_an_exception_from_the_policy(world: Any, address: str) -> None:
    for client in (Client(), client_of(world.officer())):
        answer = client.get(address, follow=True)
        body = answer.content.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)|hx-on", body)
        policy = answer["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "object-src 'none'" in policy
        assert (answer["Cross-Origin-Opener-Policy"], answer["Cache-Control"]) == ("same-origin", "no-store")


def test_a_very_long_address_floods_no_page(world: Any) -> None:
    """`tests/access/test_matrix.py` does the same with forms and queries."""
    client = client_of(world.officer(role=Role.FINANCE_ADMIN))
    for address in ("/{}/", "/fakturor/{}/", "/sok/person/{}/", "/administrera/artiklar/{}/", "/hjalp/?next={}"):
        answer = client.get(address.format(form_pages.LONG))
        assert answer.status_code < 500
        assert list(form_pages.faults(form_pages.parsed(answer))) == []


def test_own_scripts_are_short_and_htmx_is_told_to_need_no_exception() -> None:
    scripts = sorted((Path(settings.BASE_DIR) / "static" / "js").glob("*.js"))
    assert sum(len(script.read_text().splitlines()) for script in scripts) < 500
    for script in scripts:
        assert not re.search(r"\beval\(|new Function|innerHTML|document\.write|\.style\b", script.read_text()), script
    frame = (Path(settings.BASE_DIR) / "templates" / "portal" / "page.html").read_text()
    assert '"includeIndicatorCSS":false' in frame
    assert '"history":false' in frame


def refusal(error: Exception) -> Any:
    @login_not_required
    def view(_request: HttpRequest) -> HttpResponse:
        raise error

    return view


@login_not_required
def say(request: HttpRequest) -> HttpResponse:
    messages.success(request, "Kortet är spärrat.")
    return redirect("search")


REFUSED = {
    400: SuspiciousOperation("hemligt"), 403: PermissionDenied("hemligt"), 404: NotFound("not-found", "Det du söker finns inte."),
    409: Conflict("changed", "Kortet är redan spärrat. Ladda om sidan."), 410: Gone("gone", "Länken gäller inte längre."),
    422: Invalid("wrong", "Rätta uppgifterna."), 429: TooManyRequests("slow", "Vänta en minut.", retry_after=60),
    500: RuntimeError("hemligt"), 503: OperationalError("hemligt"),
}  # fmt: skip
urlpatterns = [
    *urls_portal.urlpatterns,
    *[path(f"fel/{status}/", refusal(error)) for status, error in REFUSED.items()],
    path("fel/away/", refusal(Unavailable("away", "Katalogen svarar inte."))),
    path("sag/", say),
]
handler400, handler403, handler404, handler500 = (
    error_pages.bad_request,
    error_pages.permission_denied,
    error_pages.page_not_found,
    error_pages.server_error,
)


@override_settings(ROOT_URLCONF=__name__, DEBUG=False, ALLOWED_HOSTS=["testserver"])
@pytest.mark.parametrize("status", list(REFUSED))
def test_an_error_is_a_page_that_says_what_to_do(world: Any, status: int) -> None:
    """In the frame for who is logged in, unless session or database may be at fault; for nobody without either."""
    error = REFUSED[status]
    for client, inside in ((Client(raise_request_exception=False), False), (client_of(world.officer()), status < 500)):
        client.raise_request_exception = False
        answer = client.get(f"/fel/{status}/")
        body = answer.content.decode()
        assert answer.status_code == status
        assert body.count("<h1") == 1
        assert getattr(error, "message", "Försök" if status == 503 else "") in body
        assert re.search(r"felkoden <code>[0-9a-f]{32}</code>", body)
        assert ("Logga ut" in body) == inside
        assert "hemligt" not in body
        assert "Till startsidan" in body
        assert answer.get("Retry-After") == {429: "60", 503: "30"}.get(status)


@override_settings(ROOT_URLCONF=__name__)
def test_error_pages_of_nobody_need_no_database(django_assert_num_queries: Any, db: None) -> None:
    with django_assert_num_queries(0):
        for address in ("/fel/404/", "/fel/503/", "/fel/away/", "/fel/429/", "/finns/inte/"):
            assert Client().get(address).status_code >= 400


@override_settings(ROOT_URLCONF=__name__)
def test_what_was_done_is_said_once_on_the_next_page(world: Any) -> None:
    client = client_of(world.officer())
    body = client.get("/sag/", follow=True).content.decode()
    assert re.search(r'role="status">\s*<div class="ds-alert toast" data-color="success"><p[^>]*>Kortet är spärrat\.</p>', body)
    assert "Kortet är spärrat" not in client.get("/sok/").content.decode()


class Choices(Form):
    """Every kind of field that pages have."""

    name = forms.CharField(label="Namn", help_text="Som i folkbokföringen")
    ground = forms.ChoiceField(label="Skäl", choices=[("a", "Borta"), ("b", "Trasigt")], widget=forms.RadioSelect)
    sure = forms.BooleanField(label="Säkert")


class TestComponents:
    @pytest.mark.parametrize("kind", list(STATUS))
    def test_a_status_is_icon_and_word(self, kind: str) -> None:
        text = component("tag", f'with kind="{kind}"')
        assert re.findall(r"<span>([^<]+)</span>", text) == [STATUS[kind]]
        icon = re.search(r"icons\.svg#([a-z]+)", text)
        assert icon is not None
        assert f'id="{icon[1]}"' in (Path(settings.BASE_DIR) / "static/img/icons.svg").read_text()

    def test_every_icon_that_is_named_is_drawn(self) -> None:
        sprite = (Path(settings.BASE_DIR) / "static/img/icons.svg").read_text()
        for template in (Path(settings.BASE_DIR) / "templates").rglob("*.html"):
            for name in re.findall(r'{% icon "([a-z]+)" %}', template.read_text()):
                assert f'id="{name}"' in sprite, (template, name)

    def test_errors_lead_to_their_fields(self) -> None:
        form = Choices({"ground": "c"})
        summary = component("error_summary", form=form)
        assert "autofocus" in summary
        ids = re.findall(r'href="#([^"]+)"', summary)
        assert ids == ["id_name", "id_ground_0", "id_sure"]
        fields = "".join(
            component(kind, field=form[name]) for kind, name in (("field", "name"), ("radios", "ground"), ("field", "sure"))
        )
        for target in ids:
            assert f'id="{target}"' in fields
        assert component("error_summary", form=Choices()).strip() == ""

    def test_a_field_is_described_by_hint_and_error(self) -> None:
        form = Choices({})
        text = component("field", 'with hint="Egen ledtext"', field=form["name"])
        assert 'aria-describedby="id_name_helptext id_name_error"' in text
        assert "Egen ledtext" in text
        assert "Som i folkbokföringen" not in text
        assert 'aria-describedby="id_name_helptext"' in component("field", field=Choices()["name"])

    def test_choices_may_say_more_than_the_field(self) -> None:
        options = [
            {"value": "a", "label": "Borta", "hint": "Stulet eller tappat", "key": "1"},
            {"value": "b", "label": "Trasigt", "disabled": True},
        ]
        text = component("radios", field=Choices({"ground": "a"})["ground"], options=options)
        assert re.search(r'value="a" checked aria-describedby="id_ground_0_hint" data-key="1"', text)
        assert re.search(r'value="b" disabled', text)
        assert "Stulet eller tappat" in text

    @pytest.mark.parametrize(
        ("days", "words", "urgent"),
        [
            (-1, "gått ut", True),
            (0, "sista dagen", True),
            (1, "1 dag kvar", True),
            (10, "10 dagar kvar", True),
            (11, "11 dagar kvar", False),
        ],
    )
    def test_days_left(self, days: int, words: str, urgent: bool) -> None:
        text = component("days_left", days=days)
        assert words in text
        assert ("days-urgent" in text) == urgent

    def test_a_track_names_the_present_stage(self) -> None:
        stages = [
            {"state": "done", "text": "Organisation", "url": "/steg/1/"},
            {"state": "now", "text": "Artikel"},
            {"state": "later", "text": "Foto"},
        ]
        text = component("track", 'with row="always"', stages=stages)
        assert 'class="track track-steps"' in text
        assert text.count('aria-current="step"') == 1
        assert "Klart:" in text
        assert re.findall(r'<a[^>]* href="([^"]+)"', text) == ["/steg/1/"]

    def test_a_function_that_is_off_says_why(self) -> None:
        functions = [
            {"name": "Nytt kort", "url": "/ny/", "allowed": True, "post": True},
            {"name": "Historik", "url": "/historik/", "allowed": True},
            {"name": "Spärra", "url": "", "allowed": False, "reason": "Kortet är redan spärrat."},
        ]
        text = component("functions", functions=functions)
        assert re.search(r'<form method="post" action="/ny/">', text)
        assert 'href="/historik/"' in text
        assert "Kortet är redan spärrat." in text
        assert text.count("<a ") == 1

    def test_a_summary_writes_what_is_missing_and_leads_to_its_change(self) -> None:
        rows = [{"label": "Kontor", "value": ""}, {"label": "Artikel", "value": "<610>", "url": "/artikel/", "action": "Ändra"}]
        text = component("summary_list", rows=rows)
        assert "<dd>–</dd>" in text
        assert "&lt;610&gt;" in text
        assert re.search(r'href="/artikel/">Ändra<span class="ds-sr-only"> artikel</span>', text)


class TestForm:
    def test_a_refusal_stands_at_the_fields_that_it_names(self) -> None:
        form = Choices({"name": "x", "ground": "a", "sure": "on"})
        assert form.is_valid()
        form.take(Invalid("wrong", "Allmänt", fields={"name": ["För kort"], "unknown": ["Annat"]}))
        assert form.errors == {"name": ["För kort"]}
        form = Choices({"name": "x", "ground": "a", "sure": "on"})
        assert form.is_valid()
        form.take(Conflict("changed", "Ladda om sidan."))
        assert form.non_field_errors() == ["Ladda om sidan."]
