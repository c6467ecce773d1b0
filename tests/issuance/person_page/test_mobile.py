"""Mobilt SITHS as a carrier: it stands on the person's page with its device, and is revoked. Mina sidor will issue it."""

import datetime as dt
import secrets
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from issuance.authz import Role
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.people.models.persons import Post
from issuance.records.services import steps
from pki import service as pki
from pki.models import Certificate
from siths_portal.lib import clock
from tests.issuance.migrated import CA
from tests.issuance.person_page.test_pages import client_of, migrated, text_of

pytestmark = pytest.mark.usefixtures("authorities")


DEVICE, SHOWN = "Elins <i>telefon</i>", "Elins &lt;i&gt;telefon&lt;/i&gt;"
"""A device as its holder has named it, and as every page shows it (S39)."""


def mobile(post: Post) -> Carrier:
    """A mobile eID in use, with its two certificates."""
    now = clock.now()
    carrier = Carrier(
        kind="mobile_eid", origin="migrated", person=post.person, organisation=post.organisation, device=DEVICE,
        state="active", valid_from=now, valid_to=now + dt.timedelta(days=700), activated_at=now, created_at=now,
    )  # fmt: skip
    with transaction.atomic():
        steps.begin([carrier], "migrated", actor_ref="system:migration", facts={})
        for profile in ("mobile-auth", "mobile-sign"):
            row = pki.SerialOnly(serial="01" + secrets.token_hex(15), not_before=now, not_after=carrier.valid_to)
            (made,) = pki.plan_serial_only([row], ca=CA, actor_ref="system:migration")
            CarrierCertificate.objects.create(certificate_id=made, carrier=carrier, profile=profile)
    return carrier


def test_it_is_shown_with_its_device_and_revoked_beside_the_card(world: Any) -> None:
    post = world.post()
    card, carrier = migrated(post), mobile(post)
    client = client_of(world.officer(role=Role.REVOKER))
    page = client.get(reverse("person", args=[post.person_id]))
    text = text_of(page)
    for said in (f"Mobilt SITHS i bruk: {SHOWN}", f"Enhet {SHOWN}", "Spärra Mobilt SITHS"):
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
    assert SHOWN in told
    links = CarrierCertificate.objects.filter(carrier=carrier).values_list("certificate_id", flat=True)
    assert set(Certificate.objects.filter(pk__in=list(links)).values_list("status", flat=True)) == {"revoked"}
    assert Carrier.objects.get(pk=card.pk).state == "active"
    history = text_of(client.get(reverse("carrier_history", args=[carrier.pk])))
    assert f"Historik för Mobilt SITHS {SHOWN}" in history


def test_only_cards_need_an_article(world: Any) -> None:
    carrier = mobile(world.post())
    with pytest.raises(IntegrityError, match="issuance_carrier_article"), transaction.atomic():
        Carrier.objects.filter(pk=carrier.pk).update(kind="ordinary_card")
