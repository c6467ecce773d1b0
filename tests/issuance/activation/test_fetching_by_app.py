"""Fetching by the eID app's client and a software card, through the forms of the API: extra eID, broken-off and whole renewal,
and a reserve card that its holder activates and extends.
"""

from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from django.conf import settings
from django.test import Client
from requests.adapters import BaseAdapter

from issuance.activation.models import CertificateRequest
from issuance.activation.services import fetching
from issuance.authz import holder
from issuance.authz.actor import card
from issuance.carriers.domain.kinds import CARD_PROFILES
from issuance.carriers.models import Carrier, Eid
from issuance.orders.services import eid_orders
from issuance.reserve_cards.services import own_activation
from issuance.stock.services import receiving
from pki.issuing.certifying import certify as certify_in_the_worker
from pki.secrets import delivering
from siths_portal.simulators.card import PROFILES, Card, new_serial
from siths_portal.simulators.eid_app_client import EidAppClient
from siths_portal.simulators.eid_app_errors import CardRefused, PortalRefused
from tests.issuance.activated import CODE, Made, Plastic, activated_card
from tests.issuance.orders.bundles import bundle, prepare
from tests.issuance.orders.test_eid_orders import further_post
from tests.issuance.reserve_cards.blank import Envelope, hand_out, supply
from tests.secrets_in_clear import PUK, TRANSPORT

pytestmark = pytest.mark.usefixtures("demo_pki")


class OurViews(BaseAdapter):
    """Hands the app's calls to the views of this process."""

    def send(self, request: Any, *_arguments: Any, **_options: Any) -> requests.Response:
        """The answer to one call."""
        headers = {"Authorization": request.headers["Authorization"], "Accept": "application/json"}
        path = request.url.removeprefix(settings.MINASIDOR_BASE_URL)
        answer = Client().post(path, request.body, content_type="application/json", headers=headers)
        response = requests.Response()
        response.status_code, response._content = answer.status_code, answer.content
        response.headers.update(answer.headers)
        return response

    def close(self) -> None:
        """Holds nothing."""


def work(_seconds: float) -> None:
    """The worker's part, while the app waits for an answer."""
    delivering.deliver_secrets()
    for request in CertificateRequest.objects.all():
        certify_in_the_worker(request.pk)


@pytest.fixture
def made(world: Any, tmp_path: Path) -> Made:
    """A software card in use, with P-256 keys, which are quicker."""
    card = Card.make(tmp_path, new_serial(), puk=PUK, transport_code=TRANSPORT, keys="ec-p256", profiles=PROFILES)
    return activated_card(world, world.post(), keys=Plastic(card))


@pytest.fixture
def app(made: Made, settings: Any) -> EidAppClient:
    return client_of(made.keys.card, settings)


def client_of(card: Card, settings: Any) -> EidAppClient:
    """The app with this card in its reader, at Mina sidor."""
    settings.EID_APP_WAIT_SECONDS = 0
    client = EidAppClient(settings.MINASIDOR_BASE_URL, card, sleep=work)
    client._session.mount("http://", OurViews())
    return client


def handle_of(made: Made, order: Any) -> str:
    return fetching.open_for(actor=holder(made.carrier.holder_id), order_id=order.pk).handle


def test_an_extra_eid_and_then_a_renewal_are_fetched_with_the_card(world: Any, made: Made, app: EidAppClient) -> None:
    plastic, post = made.keys.card, further_post(world, made.carrier)
    first = plastic.certificates()
    order = eid_orders.order_additional_eid(actor=world.officer(), carrier_id=made.carrier.pk, post_id=post.pk)
    handle = handle_of(made, order)
    opened = app.start(handle)
    with pytest.raises(CardRefused, match="wrong-code"):
        app.fetch(opened, handle, "999999")
    assert app.fetch(opened, handle, CODE).state == "completed"
    assert plastic.certificates() == first, "the extra eID has a slot of its own"
    extra = x509.load_pem_x509_certificate(plastic.certificates(opened.slot)["person-hsaid-auth"].encode())
    assert extra.subject.get_attributes_for_oid(x509.NameOID.SERIAL_NUMBER)[0].value == post.hsa_id

    old = made.carrier.eids.get(hsa_id=made.order.eid.hsa_id)
    renewal = eid_orders.order_renewed_eid(actor=world.officer(), eid_id=old.pk)
    handle = handle_of(made, renewal)
    app.certify(app.start(handle), handle, CODE)
    assert plastic.certificates() == first, "what is in use stays until the portal knows of the new ones"
    handle = handle_of(made, renewal)  # the window was closed; the same keys go on
    assert app.fetch(app.start(handle), handle, CODE).state == "completed"
    assert set(plastic.certificates()) == set(CARD_PROFILES)
    assert not set(plastic.certificates().values()) & set(first.values())
    assert sorted(eid.state for eid in made.carrier.eids.all()) == ["active", "active", "revoked"]
    with pytest.raises(PortalRefused):
        app.start(handle)


def test_a_reserve_card_is_activated_and_extended_with_the_card(world: Any, tmp_path: Path, settings: Any) -> None:
    prepare(world.region, world.office)
    bundled, envelope = bundle(world.region, world.office, 1), Envelope.make(tmp_path, TRANSPORT)
    supply(bundled, [envelope])
    receiving.receive_bundle(actor=world.officer(), order_id=bundled.pk)
    hand_out(envelope, world.post(), world.officer(), document="passport")
    carrier = Carrier.objects.get(card_serial=envelope.serial)
    app, plastic = client_of(envelope.card, settings), envelope.card
    handle = own_activation.open_for(actor=card(carrier.pk)).handle
    assert app.activate_reserve_card(handle, TRANSPORT, CODE).state == "completed"
    first = plastic.certificates()

    # Two officers' cards would prove nothing more of the app.
    Carrier.objects.filter(pk=carrier.pk).update(assurance_level=3)
    Eid.objects.filter(carrier=carrier).update(assurance_level=3)
    order = eid_orders.order_extension(actor=holder(Carrier.objects.get(pk=carrier.pk).holder_id), eid_id=carrier.eids.get().pk)
    handle = fetching.open_for(actor=holder(order.carrier.holder_id), order_id=order.pk).handle
    assert app.fetch(app.start(handle), handle, CODE).state == "completed"
    second = plastic.certificates()
    assert {profile for profile in first if first[profile] == second[profile]} == {"transport"}
    assert sorted(carrier.eids.values_list("state", flat=True)) == ["active", "revoked"]
