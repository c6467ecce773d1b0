"""The ceremony's protocol: who, when, which keys with which attributes, and the hash of every output (spec F9)."""

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from django.conf import settings
from django.db import transaction

from pki.domain.ceremony_file import CeremonyFile
from pki.models import CertificateAuthority, Crl, Event, HsmKey, OcspResponse, OcspSigner, ProfileVersion
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.files import write_atomically


def write(ceremony: CeremonyFile, authorities: Sequence[CertificateAuthority], *, started: dt.datetime, actor_ref: str) -> Path:
    """Writes the protocol as JSON and as text, records its hash as an event, and returns the JSON file."""
    content = describe(ceremony, authorities, started=started)
    folder = Path(settings.PKI_CEREMONY_DIR)
    stem = _free_stem(folder)
    document = json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n"
    path = folder / f"{stem}-transcript.json"
    write_atomically(path, document, mode=0o640)
    write_atomically(folder / f"{stem}-transcript.txt", "\n".join(lines(content)).encode() + b"\n", mode=0o640)
    with transaction.atomic(durable=True):
        Event.record(
            actor_ref=actor_ref,
            action="ceremony.completed",
            subject_type="ceremony",
            subject_ref=ceremony.sha256,
            facts={"title": ceremony.title, "transcript": path.name, "transcript_sha256": sha256_hex(document)},
        )
    return path


def _free_stem(folder: Path) -> str:
    day = clock.today().isoformat()
    number = 1
    while (folder / f"{day if number == 1 else f'{day}-{number}'}-transcript.json").exists():
        number += 1
    return day if number == 1 else f"{day}-{number}"


def describe(ceremony: CeremonyFile, authorities: Sequence[CertificateAuthority], *, started: dt.datetime) -> dict[str, Any]:
    """The protocol as plain values."""
    ids = [ca.id for ca in authorities]
    signers = OcspSigner.objects.filter(ca_id__in=ids).select_related("ca").order_by("ca_id", "not_after")
    key_ids = {ca.key_id for ca in authorities} | {signer.key_id for signer in signers}
    made = HsmKey.objects.filter(key_id__in=key_ids) | HsmKey.objects.filter(
        purpose__in=["kek", "secret-derive"], retired_at=None
    )
    return {
        "ceremony": ceremony.title,
        "environment": ceremony.environment,
        "file_sha256": ceremony.sha256,
        "started": started.isoformat(timespec="seconds"),
        "ended": clock.now().isoformat(timespec="seconds"),
        "participants": [{"role": each.role, "name": each.name} for each in ceremony.participants],
        "keys": [_key(key) for key in made.order_by("label")],
        "authorities": [_authority(ca) for ca in authorities],
        "ocsp_signers": [{"ca": each.ca.slug} | _certificate(bytes(each.certificate_der)) for each in signers],
        "crls": [_crl(each) for each in Crl.objects.filter(ca_id__in=ids).select_related("ca").order_by("ca_id", "number")],
        "ocsp_answers": list(_answers(ids)),
        "profiles": {str(each): each.sha256 for each in ProfileVersion.objects.order_by("name", "version")},
    }


def _key(key: HsmKey) -> dict[str, Any]:
    public = bytes(key.public_key_der)
    return {
        "label": key.label,
        "purpose": key.purpose,
        "token": key.token_label,
        "cka_id": key.key_id,
        "algorithm": key.algorithm,
        "public_key_sha256": sha256_hex(public) if public else None,
        "attributes": key.attributes,
    }


def _authority(ca: CertificateAuthority) -> dict[str, Any]:
    return {
        "slug": ca.slug,
        "generation": ca.generation,
        "common_name": ca.common_name,
        "state": ca.state,
        "cka_id": ca.key_id,
        "file": f"{ca.file_stem}.cer",
        "definition_sha256": ca.definition_sha256,
    } | _certificate(bytes(ca.certificate_der))


def _certificate(der: bytes) -> dict[str, Any]:
    certificate = x509.load_der_x509_certificate(der)
    return {
        "serial": f"{certificate.serial_number:X}",
        "issuer": certificate.issuer.rfc4514_string(),
        "subject": certificate.subject.rfc4514_string(),
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "signature_algorithm": certificate.signature_algorithm_oid._name,
        "certificate_sha256": sha256_hex(der),
        "tbs_sha256": sha256_hex(certificate.tbs_certificate_bytes),
    }


def _crl(published: Crl) -> dict[str, Any]:
    return {
        "ca": published.ca.slug,
        "number": published.number,
        "entries": published.entries,
        "file": published.file_name,
        "this_update": published.this_update.isoformat(),
        "next_update": published.next_update.isoformat(),
        "sha256": published.sha256,
    }


def _answers(ca_ids: Sequence[int]) -> Iterator[dict[str, Any]]:
    found = OcspResponse.objects.filter(certificate__ca_id__in=ca_ids).select_related("certificate__ca")
    for answer in found.order_by("certificate__ca_id", "certificate__serial", "cert_id_hash"):
        yield {
            "ca": answer.certificate.ca.slug,
            "serial": answer.certificate.serial,
            "cert_id_hash": answer.cert_id_hash,
            "next_update": answer.next_update.isoformat(),
            "sha256": sha256_hex(bytes(answer.der)),
        }


def lines(content: dict[str, Any]) -> Iterator[str]:
    """The protocol as text for witnesses to read and sign."""
    yield f"PROTOKOLL: {content['ceremony']}"
    yield f"Miljö: {content['environment']}"
    yield f"Ceremonifilens SHA-256: {content['file_sha256']}"
    yield f"Början: {content['started']}   Slut: {content['ended']}"
    yield ""
    for person in content["participants"]:
        yield f"{person['role']}: {person['name']}    Underskrift: ______________________"
    for title, key in (
        ("NYCKLAR", "keys"),
        ("UTFÄRDARE", "authorities"),
        ("OCSP-SIGNERARE", "ocsp_signers"),
        ("SPÄRRLISTOR", "crls"),
        ("OCSP-SVAR", "ocsp_answers"),
    ):
        yield from ("", title)
        for entry in content[key]:
            yield ""
            for name, value in entry.items():
                shown = ", ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else value
                yield f"  {name}: {shown}"
    yield from ("", "PROFILER")
    for name, digest in content["profiles"].items():
        yield f"  {name}: {digest}"
