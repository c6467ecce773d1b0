"""Log-in to Mina sidor with the certificate of a card in the holder's own computer, on the levels that the site takes."""

from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from django.test import Client

from authn.models import Event, Session
from authn.services import log_in
from authn.web import card, login
from issuance.carriers.models import Carrier
from pki import service as pki
from siths_portal.lib.http.rate_limits import MinuteBudget
from tests.access.faces import face
from tests.issuance.activated import activated_card, pem
from tests.issuance.minasidor.mina import OWN, mina_sidor
from tests.issuance.reserve_cards.blank import stocked
from tests.pressing import FORM, MAIN

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("demo_pki")]

HEADER = "X-SSL-Client-Cert"


@pytest.fixture(autouse=True)
def _minute(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LOGIN_BASE_URL = "https://login.example.org"
    for module, name in ((log_in, "_state_refusals"), (login, "_STARTS"), (card, "_PRESENTED")):
        monkeypatch.setattr(module, name, MinuteBudget())


def logged_in(client: Client, der: bytes) -> Any:
    """The site's answer to a browser that comes back from the front with this certificate."""
    form = urlencode({"next": "/", "idp": "certificate", **MAIN})
    sent = client.post("/logga-in/", form, content_type=FORM)
    (state,) = parse_qs(urlsplit(sent["Location"]).query)["state"]
    with face("login", MTLS_CERTIFICATE_HEADER=HEADER, MINASIDOR_BASE_URL=OWN, PORTAL_BASE_URL=OWN, ALLOWED_HOSTS=["testserver"]):
        answer = Client().get("/logga-in/", {"state": state}, headers={HEADER: quote(pem(der))})
    assert answer.status_code == 303
    parts = urlsplit(answer["Location"])
    return client.get(f"{parts.path}?{parts.query}")


def means() -> dict[str, str]:
    return dict(Session.objects.filter(ended_at=None).exclude(subject_ref="").values_list("subject_ref", "means"))


def test_a_holder_logs_in_on_level_three_and_two(world: Any) -> None:
    made = activated_card(world)
    der = made.certificates["person-id-auth"]
    with mina_sidor():
        assert logged_in(Client(), der)["Location"] == "/"
        assert means() == {f"holder:{made.carrier.person_id}": "loa3"}
        Carrier.objects.update(assurance_level=2)
        assert logged_in(Client(), der)["Location"] == "/"
        assert "loa2" in set(Session.objects.values_list("means", flat=True))


def test_a_transport_certificate_opens_a_session_of_the_card_there_and_nothing_in_the_portal(world: Any, settings: Any) -> None:
    (blank,) = stocked(world)
    carrier = blank.carrier
    (view,) = pki.certificates(list(carrier.certificates.values_list("certificate_id", flat=True)))
    assert view.der is not None
    with mina_sidor():
        assert logged_in(Client(), view.der)["Location"] == "/"
        assert means() == {f"card:{carrier.pk}": "card"}
    settings.PORTAL_BASE_URL, settings.ALLOWED_HOSTS = OWN, ["testserver"]
    assert logged_in(Client(), view.der).status_code == 400
    assert Event.objects.get(action="login.refused").facts["reason"] == "certificate-level"
