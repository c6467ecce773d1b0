"""Pages of requested global roles: who waits, the decision of a second person, and taking one's own back (ADR 0296)."""

import datetime as dt
import re
from typing import Any

import pytest
from django.urls import reverse

from issuance.authz import Actor, Role
from issuance.roles.models.role_requests import RoleRequest
from issuance.roles.services.role_periods import Period
from siths_portal.lib import clock
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.roles.test_pages import client_of
from tests.issuance.roles.test_role_requests import administrator, requested


@pytest.fixture
def two(world: Any) -> tuple[Actor, Actor]:
    return administrator(world), administrator(world, given_name="Ester", surname="Andra")


def test_the_second_person_is_told_and_decides(world: Any, two: tuple[Actor, Actor]) -> None:
    row = requested(two[0], world.post(given_name="Bo", surname="Ny").person)
    mine, other = client_of(two[0]), client_of(two[1])
    overview, address = reverse("administration"), reverse("role_request", args=[row.pk])
    assert "väntar på ditt beslut" not in text_of(mine.get(overview))
    assert "1 begärd roll väntar på ditt beslut" in text_of(other.get(overview))
    listed = text_of(other.get(reverse("role_requests")))
    assert "Ny, Bo , Förvaltningsadmin PKI" in listed
    assert "Väntar på dig" in listed
    page = other.get(address)
    assert not re.search(r'name="decision"[^>]* checked', page.content.decode())
    for words in ("Förvaltningsadmin PKI", "Ny i förvaltningen", "Begära masspärr"):
        assert words in text_of(page), words
    for sent, why in (({}, "Välj om du godkänner"), ({"decision": "reject"}, "Skriv varför du avslår")):
        refused = other.post(address, sent)
        assert (refused.status_code, why in text_of(refused)) == (422, True)
    told = other.post(address, {"decision": "approve"}, follow=True)
    assert "Ny, Bo har fått rollen Förvaltningsadmin PKI." in text_of(told)
    assert "Ingen roll väntar på beslut" in text_of(told)
    assert row.person.role_grants.get().role == Role.PKI_OPERATOR
    assert other.post(address, {"decision": "approve"}).status_code == 409
    assert "Beslutad av Ester Andra" in text_of(mine.get(address))


def test_the_requester_reads_why_not_and_takes_it_back(world: Any, two: tuple[Actor, Actor]) -> None:
    row = requested(two[0], world.post().person)
    client, address = client_of(two[0]), reverse("role_request", args=[row.pk])
    page = text_of(client.get(address))
    assert "Du har själv lämnat begäran. Be en kollega att besluta." in page
    assert "Spara beslutet" not in page
    assert client.post(address, {"decision": "approve"}).status_code == 403
    assert client_of(two[1]).post(reverse("role_request_withdraw", args=[row.pk])).status_code == 403
    told = client.post(reverse("role_request_withdraw", args=[row.pk]), follow=True)
    assert "Begäran om rollen Förvaltningsadmin PKI är återtagen." in text_of(told)
    assert RoleRequest.objects.get().state == "withdrawn"


def test_somebody_newer_reads_why_not(world: Any, two: tuple[Actor, Actor]) -> None:
    row = requested(two[0], world.post().person)
    newer = client_of(administrator(world))
    assert "Din behörighet är yngre än begäran." in text_of(newer.get(reverse("role_request", args=[row.pk])))
    assert "väntar på ditt beslut" not in text_of(newer.get(reverse("administration")))


def test_a_role_that_is_to_begin_is_not_told_as_given(world: Any, two: tuple[Actor, Actor]) -> None:
    day = clock.today() + dt.timedelta(days=5)
    row = requested(two[0], world.post(given_name="Bo", surname="Ny").person, period=Period(first=day))
    told = client_of(two[1]).post(reverse("role_request", args=[row.pk]), {"decision": "approve"}, follow=True)
    assert f"Ny, Bo får rollen Förvaltningsadmin PKI från och med {day}." in text_of(told)


def test_a_list_costs_few_queries(world: Any, two: tuple[Actor, Actor], django_assert_max_num_queries: Any) -> None:
    for _ in range(4):
        requested(two[0], world.post().person)
    client = client_of(two[1])
    with django_assert_max_num_queries(12):
        assert text_of(client.get(reverse("role_requests"))).count("Väntar på dig") == 4


def test_the_persons_roles_show_what_is_requested(world: Any, two: tuple[Actor, Actor]) -> None:
    row = requested(two[0], world.post(given_name="Bo", surname="Ny").person)
    address = reverse("person_roles", args=[row.person_id])
    page = client_of(two[1]).get(address)
    assert "Roller som väntar på beslut" in text_of(page)
    assert reverse("role_request", args=[row.pk]) in page.content.decode()
    issuer = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER)).get(address)
    assert (issuer.status_code, "Roller som väntar på beslut" in text_of(issuer)) == (200, False)
