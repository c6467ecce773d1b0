"""Mobilt SITHS as a carrier: it stands on the person's page with its device, and is revoked. Mina sidor will issue it."""

import datetime as dt
import secrets
from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from issuance.authz import Role, system
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.imports.services import migration
from issuance.people.models.persons import Post
from pki.models import Certificate
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid, NotFound
from tests.issuance.migrated import CA
from tests.issuance.person_page.test_pages import client_of, migrated, text_of

pytestmark = pytest.mark.usefixtures("authorities")


DEVICE, SHOWN = "Elins <i>telefon</i>", "Elins &lt;i&gt;telefon&lt;/i&gt;"
"""A device as its holder has named it, and as every page shows it (S39)."""


def mobile(post: Post) -> Carrier:
    """A mobile eID in use, with its two certificates."""
    now = clock.now()
    serials = {profile: "01" + secrets.token_hex(15) for profile in migration.MOBILE_PROFILES}
    given = migration.MigratedMobile(post.pk, DEVICE, now, now + dt.timedelta(days=700), now, serials)
    return migration.register_migrated_mobile(actor=system("migration"), mobile=given, ca=CA)


def test_it_is_shown_with_its_device_and_revoked_beside_the_card(world: Any) -> None:
    post = world.post()
    card, carrier = migrated(post), mobile(post)
    client = client_of(world.officer())
    page = client.get(reverse("person", args=[post.person_id]))
    text = text_of(page)
    for said in (f"Mobilt SITHS i bruk: {SHOWN}", "Spärra Mobilt SITHS"):
        assert said in text, said
    assert "Aktivt, utan giltigt SITHS eID" not in text
    address = reverse("carrier_revoke", args=[carrier.pk])
    said = text_of(client.get(address))
    assert "Vilket mobilt SITHS?" in said
    assert "klipp det genom chippet" not in said
    now = clock.now().astimezone(clock.STOCKHOLM)
    answers = {
        "reason": "lost_or_stolen", "requester": "holder", "channel": "phone", "received_at": f"{now:%Y-%m-%dT%H:%M}",
        "confirm": post.person.identifiers.get().value[-4:],
    }  # fmt: skip
    done = client.post(address, answers)
    assert done.status_code == 302, text_of(done)
    told = text_of(client.get(done["Location"]))
    assert "Mobilt SITHS är spärrat" in told
    assert "Beställ ett nytt kort" not in told
    assert SHOWN in told
    links = CarrierCertificate.objects.filter(carrier=carrier).values_list("certificate_id", flat=True)
    assert set(Certificate.objects.filter(pk__in=list(links)).values_list("status", flat=True)) == {"revoked"}
    assert Carrier.objects.get(pk=card.pk).state == "active"
    history = text_of(client.get(reverse("carrier_history", args=[carrier.pk])))
    assert f"Historik för Mobilt SITHS {SHOWN}" in history


def test_a_mobile_of_the_earlier_portal_is_checked(world: Any) -> None:
    post, now = world.post(), clock.now()
    right = migration.MigratedMobile(
        post.pk, DEVICE, now, now + dt.timedelta(days=9), now, {"mobile-auth": "01", "mobile-sign": "02"}
    )
    for wrong, code in (
        ({"certificate_serials": {"mobile-auth": "01"}}, "certificate-serials"),
        ({"valid_to": now}, "migrated-times"),
        ({"activated_at": now + dt.timedelta(days=1)}, "migrated-times"),
    ):
        with pytest.raises(Invalid, match=code):
            migration.register_migrated_mobile(actor=system("migration"), mobile=replace(right, **wrong), ca=CA)
    with pytest.raises(NotFound):
        migration.register_migrated_mobile(actor=world.officer(role=Role.READER), mobile=right, ca=CA)
    assert not Carrier.objects.exists()


def test_only_cards_need_an_article(world: Any) -> None:
    carrier = mobile(world.post())
    with pytest.raises(IntegrityError, match="issuance_carrier_article"), transaction.atomic():
        Carrier.objects.filter(pk=carrier.pk).update(kind="ordinary_card")
