"""The pages of Mina sidor by Django's test client, over the database of its environment: one process of the portal's benchmark.

`pages` and how many requests of each; the answer is a line of JSON.
"""

import gc
import json
import os
import random
import sys
from functools import partial
from typing import Any

import django

os.environ["SITHS_FACE"] = "minasidor"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.urls import reverse  # noqa: E402

from issuance.carriers.models import CarrierCertificate, Eid  # noqa: E402
from issuance.minasidor.web.urls import urlpatterns  # noqa: E402
from tests.bench.portal_requests import Request  # noqa: E402
from tests.bench.portal_worker import measured  # noqa: E402
from tests.issuance.minasidor.mina import holder_client  # noqa: E402

HOLDERS = 300
"""Holders among whom each request draws one; each has a session."""

EXPECTED = (200, 302)

MORE = ("settings", "session_state")
"""Pages of log-in that every holder opens."""


class Holders:
    """Holders with a card in use, each with a client and the ids of what is theirs."""

    def __init__(self) -> None:
        self.chance = random.Random(550)
        active = Eid.objects.filter(state="active", carrier__state="active", carrier__person__is_protected=False)
        drawn = active.order_by("?").select_related("carrier__person")[:HOLDERS]
        profile = CarrierCertificate.objects.filter(eid__in=[eid.pk for eid in drawn], profile__endswith="-sign")
        certificates = dict(profile.values_list("eid_id", "certificate_id"))
        self.holders = [
            (
                holder_client(eid.carrier.holder),
                {"carrier_id": eid.carrier_id, "eid_id": eid.pk, "certificate_id": certificates.get(eid.pk, eid.pk)},
            )
            for eid in drawn
        ]

    def pages(self) -> list[str]:
        """Every page that this log-in is offered and whose address names nothing but these ids: not the middle of an errand."""
        known = set(self.holders[0][1])
        names = [*(str(page.name) for page in urlpatterns if set(page.pattern.converters) <= known), *MORE]
        return [name for name in names if self.page(name).send().status_code in EXPECTED]

    def page(self, name: str) -> Request:
        """A page of a random holder's."""
        client, ids = self.chance.choice(self.holders)
        pattern = next((page.pattern for page in urlpatterns if page.name == name), None)
        arguments = [ids[key] for key in pattern.converters] if pattern else []
        return Request(client, reverse(name, args=arguments))


def main(count: int) -> None:
    """Measures every page."""
    settings.DEBUG, settings.ALLOWED_HOSTS = False, ["testserver"]
    holders = Holders()
    gc.collect()
    gc.freeze()
    found: dict[str, Any] = {name: measured(partial(holders.page, name), count, EXPECTED) for name in holders.pages()}
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[2]))
