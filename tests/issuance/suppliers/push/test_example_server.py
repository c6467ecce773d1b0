"""The server for push of the guide (docs/supplier/example/push.mjs), a Node process over mutual TLS."""

import datetime as dt
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from issuance.orders.services import ordering
from issuance.suppliers.models import SupplierChange
from issuance.suppliers.push.models import PushAnswer, PushDelivery
from issuance.suppliers.push.services import reconciliation, sending
from issuance.suppliers.services import supplier_intake
from siths_portal.lib import clock
from siths_portal.lib.http import webhooks
from tests.issuance.suppliers.push.conftest import ROOT
from tests.issuance.suppliers.push.test_push import ME, state_of, states

SERVER = ROOT / "docs" / "supplier" / "example" / "push.mjs"


@pytest.fixture
def address(push_folder: Path, world: Any, settings: Any) -> Iterator[str]:
    """The supplier of the world's orders takes push by the example."""
    from authn.models import ServiceClient

    folder, own = push_folder / "supplier", Ed25519PrivateKey.generate()
    (folder / "push.key").write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with subprocess.Popen(["node", SERVER, "0", folder], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        settings.SUPPLIER_PUSH_HOSTS, settings.SUPPLIER_PUSH_FOLDER = [url.removeprefix("https://")], str(push_folder)
        push = {"url": url, "keys": [webhooks.public_key_text(own.public_key())]}
        ServiceClient.objects.create(client_ref=ME, kind="supplier", name="Byrån", push=push)
        yield url
        process.terminate()


def test_the_example_takes_orders_and_changes_and_says_what_it_believes(world: Any, address: str) -> None:
    order, withdrawn = world.order(), world.order()
    ordering.cancel_order(actor=world.officer(), order_id=withdrawn.id)
    sending.push_to(ME)
    assert state_of(order) == "accepted"
    told = SupplierChange.objects.filter(push_delivery__state="delivered").values_list("kind", flat=True)
    assert set(told) == {"cancelled"}
    before = states()
    assert set(before) == {"delivered", "needless"}
    sending.send_again(PushDelivery.objects.filter(order=order))
    sending.push_to(ME)
    assert states() == before, "the same order once more gets an answer that counts"
    assert PushAnswer.objects.filter(delivery__order=order).count() == 1
    assert reconciliation.reconcile(ME) == 0


def test_the_example_answers_only_the_portal(address: str, push_folder: Path) -> None:
    portal = webhooks.read_private_keys(push_folder / "signing.keys")
    another = [Ed25519PrivateKey.generate()]
    certificates = {name: [str(push_folder / place / f"client.{end}") for end in ("pem", "key")] for name, place in
                    (("portal", "."), ("another", "supplier"))}  # fmt: skip
    late = clock.now() - dt.timedelta(minutes=6)
    for keys, client, sent_at in (
        (another, "portal", clock.now()), (portal, "another", clock.now()), (portal, "portal", late),
    ):  # fmt: skip
        headers = webhooks.signed_headers(keys, message_id="a", sent_at=sent_at, body=b"{}")
        cert = (certificates[client][0], certificates[client][1])
        answer = requests.post(
            f"{address}/orders", b"{}", headers=headers, cert=cert, verify=str(push_folder / "ca.pem"), timeout=20
        )
        assert answer.status_code == 401
    assert supplier_intake.queued_orders(client_ref=ME) == []
