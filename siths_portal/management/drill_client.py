"""The client of `ops_restore_drill`: orders certificates, lists what it got, and compares the list after the restore."""

import datetime as dt
import json
from itertools import batched
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.db import connection, transaction

from pki import service
from pki.crl import building
from pki.domain.ocsp_request import CertId
from pki.issuing import signing
from pki.models import Certificate, CertificateAuthority, CertificateBlob
from pki.ocsp import presigning, status
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.files.atomic import write_atomically

CA, PROFILE, ACTOR = "function", "function", "client:drill"
BATCH = 50
AFTERWARDS = 20
"""Certificates that are issued after the restore, to show that no serial comes back."""


def issue(count: int, file: Path, *, revoke_new: int, revoke_old: int) -> int:
    """Gets `count` certificates, revokes some of them and of the list's first ones, and writes the list. Returns its length."""
    listed = _listed(file)
    earlier = len(listed["certificates"])
    for number in range(0, count, BATCH):
        listed["certificates"] += _issue(min(BATCH, count - number), earlier + number)
    ended = [*listed["certificates"][:revoke_old], *listed["certificates"][earlier : earlier + revoke_new]]
    for each in ended:
        each["revoked"] = True
    if ended:
        with transaction.atomic(durable=True):
            service.plan_revocation(
                [UUID(each["id"]) for each in ended],
                reason="keyCompromise",
                actor_ref=ACTOR,
                received_at=clock.now(),
                channel="api",
            )
    presigning.presign([UUID(each["id"]) for each in listed["certificates"]])
    listed["crl"] = building.publish_crl(CertificateAuthority.objects.current(CA).id).number
    listed["transaction"] = _transaction()
    write_atomically(file, json.dumps(listed).encode())
    return len(listed["certificates"])


def _listed(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text()) if file.exists() else {"certificates": []}


def _issue(count: int, first: int) -> list[dict[str, Any]]:
    orders = [_order(first + number) for number in range(count)]
    with transaction.atomic(durable=True):
        ids = service.plan_certificates(orders, actor_ref=ACTOR, unit_ref="")
    signing.sign_reserved(ids)
    got = service.certificates(ids)
    return [{"id": str(each.id), "serial": each.serial, "sha256": sha256_hex(each.der or b""), "revoked": False} for each in got]


def _order(number: int) -> service.CertificateOrder:
    key = ec.generate_private_key(ec.SECP256R1())
    name = f"drill-{number}.demo.example.com"
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
    subject = {
        "countryName": "SE",
        "organizationName": "Demo e-legitimationer AB",
        "commonName": name,
        "serialNumber": f"SE2321000016-D{number}",
    }
    return service.CertificateOrder(
        ca=CA,
        profile=PROFILE,
        subject=subject,
        subject_alternative={"dNSName": name},
        csr_der=request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER),
        subject_ref=f"function:{name}",
        carrier_ref="",
        card_number=None,
        not_after=clock.now() + dt.timedelta(days=90),
    )


def _transaction() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        return int(cursor.fetchone()[0])


def compare(file: Path) -> list[str]:
    """Returns a Swedish line for each difference between the restored system and the client's list."""
    listed = _listed(file)
    wanted = {each["id"]: each for each in listed["certificates"]}
    faults = []
    if _transaction() <= listed["transaction"]:
        faults.append("transaktionerna har nummer som redan är lästa")
    while presigning.presign_due():
        pass
    ca = CertificateAuthority.objects.current(CA)
    for part in batched(wanted, 500, strict=False):
        rows = {str(row.id): row for row in Certificate.objects.filter(id__in=part)}
        ders = dict(CertificateBlob.objects.filter(certificate__in=part).values_list("certificate_id", "der"))
        for id_ in part:
            if id_ not in rows:
                faults.append(f"{wanted[id_]['serial']}: certifikatet saknas")
            elif sha256_hex(bytes(ders.get(UUID(id_), b""))) != wanted[id_]["sha256"]:
                faults.append(f"{wanted[id_]['serial']}: certifikatet är ett annat")
            elif _answer(ca, rows[id_]) != ("revoked" if wanted[id_]["revoked"] else "good"):
                faults.append(f"{wanted[id_]['serial']}: OCSP svarar fel")
    faults += _crl_faults(ca, listed)
    again = {each["serial"] for each in listed["certificates"]} & {each["serial"] for each in _issue(AFTERWARDS, len(wanted))}
    return faults + [f"{serial}: serienumret gavs igen" for serial in sorted(again)]


def _answer(ca: CertificateAuthority, row: Certificate) -> str:
    try:
        return status.answer(CertId("sha256", ca.name_sha256, ca.key_sha256, int(row.serial, 16))).status
    except status.TryLater:
        return "tryLater"


def _crl_faults(ca: CertificateAuthority, listed: dict[str, Any]) -> list[str]:
    """Compares a new CRL, which the restored token signs, with the list."""
    made = building.publish_crl(ca.id)
    crl = x509.load_der_x509_crl(building.crl_path(ca, None).read_bytes())
    serials = {each.serial_number for each in crl}
    faults = [] if made.number > listed["crl"] else ["spärrlistans nummer är inte högre än före förlusten"]
    missing = [each["serial"] for each in listed["certificates"] if each["revoked"] and int(each["serial"], 16) not in serials]
    return faults + [f"{serial}: saknas på spärrlistan" for serial in missing]
