"""Every field of a day takes years of four figures: a browser takes six, where no last day is told."""

import re
from typing import Any

import pytest
from django.urls import reverse

from issuance.authz import Role
from tests.issuance.organisations.test_pages import admin, at, client_of, issuer


@pytest.mark.parametrize("name", ["organisation_fee", "article_new", "organisation_role_add", "pki_certificates"])
def test_no_page_takes_a_year_of_six_figures(world: Any, name: str) -> None:
    client = issuer(world) if name == "organisation_role_add" else admin(world)
    if name == "pki_certificates":
        client = client_of(world.officer(role=Role.PKI_OPERATOR))
    address = at(name, world.city) if name.startswith("organisation") else reverse(name)
    fields = re.findall(r'<input[^>]*type="date"[^>]*>', client.get(address).content.decode())
    assert fields
    assert all('max="9999-12-31"' in field for field in fields), fields
