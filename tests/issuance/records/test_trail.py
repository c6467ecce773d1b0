"""Breadcrumbs: each name once, a person by the name that the page shows, and no name in the title of the tab."""

import re
from html import unescape
from typing import Any

from django.urls import reverse

from issuance.authz import Role
from issuance.offices.models import Office
from issuance.organisations.models import IssuingArea
from issuance.people.models.persons import Person
from tests.portal import portal_client


def trail(body: str) -> list[str]:
    steps = re.search(r'aria-label="Du är här">(.*?)</nav>', body, re.DOTALL)
    assert steps
    return [unescape(re.sub("<[^>]+>", "", step)) for step in re.findall("<li[^>]*>(.*?)</li>", steps[1])]


def title(body: str) -> str:
    found = re.search("<title>(.*?)</title>", body, re.DOTALL)
    assert found
    return unescape(found[1])


def test_an_area_with_the_name_of_its_organisation_has_its_kind_before_it(world: Any) -> None:
    client = portal_client(Person.objects.get(pk=world.officer(role=Role.RESPONSIBLE_ISSUER).person_id))

    def told(page: str, row: Any) -> list[str]:
        return trail(client.get(reverse(page, args=[row.pk])).content.decode())

    assert world.area.name == world.region.name
    assert told("area", world.area) == ["Administrera", "Regionen"]
    assert told("organisation", world.region) == ["Administrera", "Utgivningsområde Regionen", "Regionen"]
    assert told("organisation", world.clinic) == ["Administrera", "Utgivningsområde Regionen", "Regionen", world.clinic.name]
    assert told("office", world.office) == ["Administrera", "Regionen", world.office.name]
    Office.objects.filter(pk=world.office.pk).update(name="Regionen")
    assert told("office_history", world.office) == ["Administrera", "Utgivningsområde Regionen", "Regionen"]
    IssuingArea.objects.filter(pk=world.area.pk).update(name="Västra området")
    assert told("organisation", world.region) == ["Administrera", "Västra området", "Regionen"]


def test_a_person_has_the_name_of_the_page_and_the_tab_has_none(world: Any) -> None:
    post = world.post(given_name="Elva", surname="Tolvansson", protected=True)
    client = portal_client(Person.objects.get(pk=world.officer(protected=True).person_id))
    for address, last in ((f"sok/person/{post.person_id}", []), (f"sok/person/{post.person_id}/historik", ["Historik"])):
        body = client.get(f"/{address}/").content.decode()
        assert trail(body) == ["Dagen", "Elva Tolvansson", *last]
        assert "Tolvansson" not in title(body)
    refused = portal_client(Person.objects.get(pk=world.officer().person_id)).get(f"/sok/person/{post.person_id}/")
    assert refused.status_code == 404
    assert "Tolvansson" not in refused.content.decode(), "nor is a protected person named to those who may not see them"
