"""A transport certificate, which a blank reserve card carries, or any other of a card's opens no API and logs nobody in.

It is genuine, in force, under our own root, and its key is at hand; here it is even registered as a client's by mistake.
"""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from siths_portal.dev import nginx
from siths_portal.dev.probes import accepts
from siths_portal.simulators.card import TRANSPORT, Card, new_serial
from siths_portal.simulators.idp_cards import HSA_PROFILE, PERSON_PROFILE, CardRefused, Cards
from siths_portal.simulators.idp_people import LOA2
from tests.issuance.suppliers.api.stage import process
from tests.pki.orders import csr, order, plan
from tests.ports import free_port

pytestmark = pytest.mark.django_db(transaction=True)
CALLS = {
    "supplier": ("GET", "orders?status=queued", {}),
    "pki": ("POST", "certificates/search", {"json": {"subject_ref": "function:1"}}),
}
KINDS = {"supplier": "supplier", "pki": "service"}


def certified(profile: str, folder: Path) -> tuple[str, str]:
    """A certificate of the profile with its issuer, and its key, in files."""
    from pki import service
    from pki.issuing import signing as issuing

    key = ec.generate_private_key(ec.SECP256R1())
    ids = plan(order(profile, csr_der=csr(key), subject_ref=f"subject:{profile}"))
    assert issuing.sign_reserved(ids) == 1
    (view,) = service.certificates(ids)
    chain = [view.der, *service.chain(view.ca)[:-1]]
    pem = b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in chain)
    (folder / f"{profile}.pem").write_bytes(pem)
    (folder / f"{profile}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(folder / f"{profile}.pem"), str(folder / f"{profile}.key")


@pytest.fixture
def front(stage: Any, tmp_path: Path) -> Iterator[str]:
    """The address of a front before the same face, which trusts what `demo_tls` lets it: the Function CA and the root."""
    from pki import service

    house = dataclasses.replace(stage.house, root=tmp_path, port_base=free_port() - 443)
    (tmp_path / "var").mkdir()
    (house.var / "tls").mkdir()
    for name in ("server.pem", "server.key"):
        (house.var / "tls" / name).write_bytes((stage.house.var / "tls" / name).read_bytes())
    bundle = b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in service.chain("function"))
    (house.var / "tls" / "clients-ca.pem").write_bytes(bundle)
    assert house.api_socket == stage.house.api_socket
    command = ["/usr/sbin/nginx", "-e", "stderr", "-c", str(nginx.write(house))]
    with process(command, tmp_path / "nginx.log", lambda: accepts(house.port("api"))):
        yield f"https://localhost:{house.port('api')}"


def ask(front: str, stage: Any, api: str, identity: tuple[str, str]) -> requests.Response:
    method, path, options = CALLS[api]
    return requests.request(
        method, f"{front}/api/{api}/v1/{path}", cert=identity, verify=str(stage.server_ca), timeout=40, **options
    )


def register(stage: Any, api: str, profile: str, folder: Path) -> None:
    """The certificate is entered for a client, as an operator might by mistake."""
    from authn import service

    entry = {
        "client_ref": "reserve", "name": "Reservkort", "kind": KINDS[api], "certificates": [{"file": f"{profile}.pem"}],
    }  # fmt: skip
    (folder / "clients.json").write_text(json.dumps({"clients": [entry]}))
    service.sync_clients(folder / "clients.json")


PROFILES = ("transport", "person-hsaid-auth", "person-id-auth", "mobile-auth", "seal")


def test_what_is_no_functions_opens_no_api_even_if_it_is_registered(
    stage: Any, front: str, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """One front for all certificates, of which each is first unknown and then a client's of the one API and of the other."""
    for profile in PROFILES:
        identity = certified(profile, tmp_path)
        for api in CALLS:
            with subtests.test(profile=profile, unknown_to=api):
                unknown = ask(front, stage, api, identity)
                assert unknown.status_code == 401  # by the front, where the use is not a client's, or by the face
        for api in CALLS:
            with subtests.test(profile=profile, registered_with=api):
                register(stage, api, profile, tmp_path)
                before = len(stage.log("api"))
                answer = ask(front, stage, api, identity)
                assert answer.status_code == 401
                assert answer.json()["code"] in ("client-certificate-required", "authentication-failed")
                if profile != "seal":
                    assert '"reason": "no-function"' in stage.log("api")[before:]


def test_a_functions_certificate_does_when_it_is_registered(
    stage: Any, front: str, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """What is refused above is refused for what it is."""
    identity = certified("function", tmp_path)
    for api in CALLS:
        assert ask(front, stage, api, identity).status_code == 401
    for api in CALLS:
        with subtests.test(api=api):
            register(stage, api, "function", tmp_path)
            assert ask(front, stage, api, identity).status_code == 200


def put_on(card: Card, container: str, profile: str, **changes: Any) -> None:
    """A certificate of the profile is on the card, in this container."""
    from pki import service
    from pki.issuing import signing as issuing

    request = x509.load_pem_x509_csr(card.csrs(code="123456", profiles=[container])[container].encode())
    der = request.public_bytes(Encoding.DER)
    ids = plan(order(profile, csr_der=der, card_number=card.serial, subject_ref=f"card:{container}", **changes))
    assert issuing.sign_reserved(ids) == 1
    certificate = x509.load_der_x509_certificate(service.certificates(ids)[0].der)
    card.store_certificates({container: certificate.public_bytes(Encoding.PEM).decode()}, code="123456")


def test_a_card_with_it_logs_nobody_in_at_the_identity_provider(demo_pki, tmp_path) -> None:
    """Whatever container on the card it lies in."""
    from pki import service

    card = Card.make(tmp_path / "cards", new_serial(), puk="12345678", transport_code="123456")
    for name in (HSA_PROFILE, PERSON_PROFILE):
        put_on(card, name, "transport", subject={"serialNumber": card.serial})
    (tmp_path / "trust").mkdir()
    for number, der in enumerate(service.chain("person-hsaid-2")):
        (tmp_path / "trust" / f"{number}.cer").write_bytes(der)
    reader = Cards(tmp_path / "cards", tmp_path / "trust")
    (seen,) = reader.seen()
    with pytest.raises(CardRefused, match="inget certifikat för en person"):
        reader.prove(seen.serial, "123456")


def test_a_reserve_card_is_its_holders_when_they_have_chosen_its_code(demo_pki, tmp_path) -> None:
    """Its certificates name no number, and have the level of the card."""
    profiles = [TRANSPORT, HSA_PROFILE]
    card = Card.make(tmp_path / "cards", new_serial(), puk="12345678", transport_code="123456", profiles=profiles)
    put_on(card, TRANSPORT, "transport", subject={"serialNumber": card.serial})
    put_on(card, HSA_PROFILE, HSA_PROFILE, ca="person-hsaid-2")
    reader = Cards(tmp_path / "cards", tmp_path)
    assert [seen.name for seen in reader.seen()] == ["Reservkort"]
    card.change_code("123456", "654321")
    (seen,) = reader.seen()
    assert (seen.name, seen.personnummer, seen.acr, seen.ready) == ("Åsa Östberg", "", LOA2, True)
