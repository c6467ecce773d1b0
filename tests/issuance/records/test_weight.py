"""How many bytes a browser gets, compressed as the portal compresses, at the first page and at later ones."""

import gzip
import re
from pathlib import Path
from typing import Any

import brotli
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from issuance.authz import Role
from issuance.people.models.persons import Person
from siths_portal.lib.http.static_files import without_comments
from tests.portal import portal_client

FIRST = 150_000
LATER = 20_000
CSS = 30_000
PAGE_LEVEL = 6
"""The gzip level of Django's middleware for pages. Static files are compressed by Brotli, which browsers accept over TLS."""


def files_of(body: str) -> set[str]:
    """The names of the static files that the page loads."""
    found = re.findall(rf'(?:href|src)="{re.escape(settings.STATIC_URL)}([^"#?]+)', body)
    return {name for name in found if not name.endswith("icon.svg")}


def bytes_of(name: str) -> int:
    """The bytes of a static file as production serves it. A typeface is compressed already."""
    path = finders.find(name)
    assert isinstance(path, str), name
    content = Path(path).read_bytes()
    if name.endswith(".css"):
        content = without_comments(content.decode()).encode()
    return len(content) if name.endswith(".woff2") else len(brotli.compress(content))


def pages(world: Any) -> dict[str, str]:
    """The bodies of the pages that people see first and most, by address."""
    person = world.post(given_name="Prov", surname="Provsson").person
    client = portal_client(Person.objects.get(pk=world.officer(role=Role.RESPONSIBLE_ISSUER).person_id))
    addresses = [
        reverse("search"),
        reverse("person", args=[person.id]),
        reverse("administration"),
        reverse("organisation", args=[world.region.id]),
        reverse("invoices"),
        reverse("help"),
    ]
    bodies = {address: client.get(address).content.decode() for address in addresses}
    return {"/": Client().get("/").content.decode(), **bodies}


def test_pages_are_light(world: Any) -> None:
    bodies = pages(world)
    weight = {name: bytes_of(name) for body in bodies.values() for name in files_of(body)}
    common = set.intersection(*(files_of(body) for body in bodies.values()))
    for address, body in bodies.items():
        files = files_of(body)
        page = len(gzip.compress(body.encode(), PAGE_LEVEL))
        assert sum(weight[name] for name in files if name.endswith(".css")) <= CSS, address
        assert page + sum(weight[name] for name in files) <= FIRST, address
        assert page + sum(weight[name] for name in files - common) <= LATER, address
