"""What the tests know of the stage's people and records, asked past the pages; and judges from outside."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from siths_portal.demo import receipts, status_client
from siths_portal.demo.people import DemoPerson, person
from siths_portal.demo.places import PLACES
from tests.e2e.stage import Stage
from tests.issuance.suppliers.api.stage import wait_for

LEADERS = [(place, role) for place in PLACES for role in place.roles]
FIRST_CLERK, SECOND_CLERK = 5, 6
"""ID-administrators of Västra Götalandsregionen; the first has two assignments, the second may handle protected persons."""


@dataclass(frozen=True)
class Holder:
    """Somebody who gets a card."""

    person_id: str
    number: str
    name: str

    @property
    def written(self) -> str:
        return f"{self.number[:8]}-{self.number[8:]}"


def clerk(index: int) -> DemoPerson:
    return person(index)


def name_of(one: DemoPerson) -> str:
    return f"{one.register.given_name_in_use} {one.register.surname}"


class Registry:
    """Questions to the stage's database."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def role_holder(self, index: int) -> Holder:
        """Somebody who holds a role, as the receiver of a card."""
        one = clerk(index)
        query = f"SELECT person_id FROM issuance_personidentifier WHERE value = '{one.person_id.value}' AND valid_to IS NULL"
        return Holder(self.stage.ask(query), one.person_id.value, name_of(one))

    def last_month(self) -> str:
        """The month that the demo's history was loaded for, as YYYY-MM."""
        query = "SELECT to_char(min(ordered_at AT TIME ZONE 'Europe/Stockholm'), 'YYYY-MM') FROM issuance_cardorder"
        return self.stage.ask(query)

    def carriers(self, holder: Holder) -> list[str]:
        """The states of the holder's carriers, oldest first."""
        rows = self.stage.ask(
            f"SELECT state FROM issuance_carrier WHERE person_id = '{holder.person_id}' ORDER BY created_at, id"
        )
        return rows.split()

    def eids(self, holder: Holder) -> list[str]:
        rows = self.stage.ask(
            "SELECT e.state FROM issuance_eid e JOIN issuance_carrier c ON c.id = e.carrier_id "
            f"WHERE c.person_id = '{holder.person_id}' ORDER BY e.created_at, e.id"
        )
        return rows.split()

    def serial(self, holder: Holder) -> str:
        return self.stage.ask(f"SELECT card_serial FROM issuance_carrier WHERE person_id = '{holder.person_id}'")

    def carrier(self, holder: Holder) -> str:
        return self.stage.ask(f"SELECT id FROM issuance_carrier WHERE person_id = '{holder.person_id}'")

    def await_state(self, holder: Holder, state: str, *, seconds: float = 300) -> None:
        wait_for(f"a carrier that is {state}", lambda: self.carriers(holder)[-1:] == [state], seconds=seconds)

    def certificates(self, holder: Holder) -> dict[str, tuple[x509.Certificate, x509.Certificate]]:
        """The holder's certificates by profile, each with its issuer's."""
        rows = self.stage.ask(
            "SELECT cc.profile, encode(b.der, 'hex'), encode(ca.certificate_der, 'hex') FROM issuance_carriercertificate cc "
            "JOIN issuance_carrier c ON c.id = cc.carrier_id JOIN pki_certificate t ON t.id = cc.certificate_id "
            "JOIN pki_certificateblob b ON b.certificate_id = t.id JOIN pki_certificateauthority ca ON ca.id = t.ca_id "
            f"WHERE c.person_id = '{holder.person_id}'"
        )
        found = {}
        for row in rows.splitlines():
            profile, own, issuer = row.split("|")
            found[profile] = (
                x509.load_der_x509_certificate(bytes.fromhex(own)),
                x509.load_der_x509_certificate(bytes.fromhex(issuer)),
            )
        return found

    def root(self) -> x509.Certificate:
        hexadecimal = self.stage.ask("SELECT encode(certificate_der, 'hex') FROM pki_certificateauthority WHERE slug = 'root'")
        return x509.load_der_x509_certificate(bytes.fromhex(hexadecimal))

    def forbidden(self) -> list[str]:
        """Everything that may stand in no address, title or log."""
        return self.stage.forbidden()

    def queued(self) -> str:
        """What lies in the queues of Redis, as text."""
        import redis

        client = redis.Redis(unix_socket_path=str(self.stage.house.redis.socket))
        held = [client.dump(key) or b"" for key in client.scan_iter()]
        return "\n".join(one.decode(errors="replace") for one in held)


def await_ocsp(pair: tuple[x509.Certificate, x509.Certificate], wanted: str, *, seconds: float = 150) -> None:
    """The responder that the certificate names comes to say `wanted`, by both CertID hashes.

    That it does so within five seconds is measured where nothing else runs beside it: `tests/pki/ocsp/test_f10_ocsp.py`.
    """
    for algorithm in (hashes.SHA1(), hashes.SHA256()):
        status_client.await_ocsp(*pair, algorithm, wanted, seconds=seconds)


def check_receipt(pdf: bytes, registry: Registry, holder: Holder, folder: Path) -> None:
    """pyHanko and poppler agree that the holder's card signed the whole of it."""
    signer, issuer = registry.certificates(holder)["person-id-sign"]
    # In a thread: pyHanko runs an event loop of its own, and Playwright has one in this.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(receipts.check, pdf, signer=signer, root=registry.root(), intermediates=[issuer]).result(120)
    file = folder / "kvittens.pdf"
    file.write_bytes(pdf)
    said = subprocess.run(["pdfsig", "-nocert", str(file)], capture_output=True, text=True, check=False).stdout
    assert "Signature is Valid." in said, said
    assert "Total document signed" in said, said


def crl_numbers(pair: tuple[x509.Certificate, x509.Certificate]) -> set[int]:
    """The serial numbers on the CRL that the certificate names, as it is served now."""
    points = pair[0].extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    answer = requests.get(str((points[0].full_name or [])[0].value), timeout=60)
    return {entry.serial_number for entry in x509.load_der_x509_crl(answer.content)}
