"""The ceremony record: participants, times, approvals, keys with attributes, and the hash of every output (rules/pki 7.2).

It is canonical JSON, stored in the database. The files in `PKI_CEREMONY_DIR`, one for machines and one to read and sign, are
written from there.
"""

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from django.conf import settings
from django.db.models import Q

from pki.authorities.queries import certificate_of
from pki.domain.ceremony_file import Act, CeremonyFile
from pki.models import (
    Approval,
    CaState,
    CertificateAuthority,
    CertificateBlob,
    Crl,
    Event,
    HsmKey,
    KeyCeremony,
    OcspResponse,
    OcspSigner,
    ProfileVersion,
)
from pki.models.choices import SERVICE_PURPOSES
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.files.atomic import write_atomically


def canonical(content: dict[str, Any]) -> tuple[str, str]:
    """Returns the record's text in canonical form, and the hash of its bytes."""
    document = canonical_json(content)
    return document.decode(), sha256_hex(document)


def file_name(record: KeyCeremony) -> str:
    """Returns the name of the record's JSON file; the file to read has the suffix `.txt`."""
    return f"{record.started_at:%Y-%m-%d}-{record.file_sha256[:12]}-transcript.json"


def readable(record: KeyCeremony) -> bytes:
    """Returns the record of a finished ceremony as text to read and sign, in UTF-8."""
    return "\n".join(lines(json.loads(record.transcript), record.transcript_sha256)).encode() + b"\n"


def keep(record: KeyCeremony) -> Path:
    """Writes the record of a finished ceremony to its folder, unless it is there, and returns the JSON file."""
    path = Path(settings.PKI_CEREMONY_DIR) / file_name(record)
    for each, content in ((path.with_suffix(".txt"), readable(record)), (path, record.transcript.encode())):
        if not each.exists() or each.read_bytes() != content:
            write_atomically(each, content, mode=0o640)
    return path


@dataclass(frozen=True)
class Span:
    """When the ceremony first began and when it ended, by the clock of all its times."""

    started: dt.datetime
    finished: dt.datetime


def describe(
    ceremony: CeremonyFile, authorities: Sequence[CertificateAuthority], span: Span, approval: dict[str, Any]
) -> dict[str, Any]:
    """Returns the record as plain values. `authorities` are all CAs that the ceremony concerns; `approval()` gives `approval`."""
    since = span.started.replace(microsecond=0)
    made = [ca for ca in authorities if ca.created_at >= span.started]
    offline = [ca for ca in authorities if ca.state == CaState.OFFLINE]
    signers = OcspSigner.objects.filter(ca__in=authorities, certificate__created_at__gte=span.started)
    signers = signers.select_related("ca", "certificate__profile_version").order_by("ca_id", "not_after")
    key_ids = {ca.key_id for ca in made} | {signer.key_id for signer in signers}
    keys = HsmKey.objects.filter(Q(key_id__in=key_ids) | Q(purpose__in=SERVICE_PURPOSES, created_at__gte=span.started))
    return {
        "ceremony": ceremony.title,
        "environment": ceremony.environment,
        "file_sha256": ceremony.sha256,
        "clock": {"zone": "UTC", "started": _seconds(span.started), "finished": _seconds(span.finished)},
        "participants": [{"role": each.role, "name": each.name} for each in ceremony.participants],
        "approval": approval,
        "keys": [_key(key) for key in keys.order_by("label")],
        "authorities": [_authority(ca) | {"made": ca in made} for ca in authorities],
        "ocsp_signers": [_signer(each) for each in signers],
        "acts": [_act(act) for act in ceremony.acts],
        "crls": [_crl(each) for each in _lists(made, offline, span.started)],
        "ocsp_answers": list(_answers(offline, since)),
        "profiles": _profiles(made, signers),
    }


def outputs(content: dict[str, Any]) -> list[dict[str, str]]:
    """Returns every output by kind, name and hash."""
    made = [("key", key["label"], key["public_key_sha256"]) for key in content["keys"] if key["public_key_sha256"]]
    made += [("certificate", each["file"], each["certificate_sha256"]) for each in content["authorities"] if each["made"]]
    made += [("ocsp-signer", each["ca"], each["certificate_sha256"]) for each in content["ocsp_signers"]]
    made += [("crl", each["file"], each["sha256"]) for each in content["crls"]]
    made += [("ocsp-answer", f"{each['serial']} {each['cert_id_hash']}", each["sha256"]) for each in content["ocsp_answers"]]
    return [{"kind": kind, "name": name, "sha256": digest} for kind, name, digest in made]


def _seconds(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="seconds")


def approval(ceremony: CeremonyFile, record: KeyCeremony) -> dict[str, Any]:
    """Returns who requested the ceremony, and who approved it with which certificate."""
    rows = Approval.objects.filter(request_id=record.approval_id).order_by("id")
    names = {each.ref: each.name for each in ceremony.approvers}
    return {
        "request": str(record.approval_id),
        "document_sha256": record.approval.document_sha256,
        "requester": ceremony.requester,
        "required": ceremony.required,
        "approvers": [each.name for each in ceremony.approvers],
        "approvals": [
            {
                "name": names.get(row.approver_ref, row.approver_ref),
                "certificate_sha256": sha256_hex(bytes(row.certificate_der or b"")),
                "signature_sha256": sha256_hex(bytes(row.signature or b"")),
                "recorded": _seconds(row.at),
            }
            for row in rows
        ],
    }


def _profiles(made: Sequence[CertificateAuthority], signers: Iterable[OcspSigner]) -> dict[str, str]:
    """Returns the hash of each profile version that a certificate uses."""
    own = [row.profile_version_id for row in map(certificate_of, made) if row]
    used = ProfileVersion.objects.filter(id__in=[*own, *(each.certificate.profile_version_id for each in signers)])
    return {str(each): each.sha256 for each in used.order_by("name", "version")}


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
    row = certificate_of(ca)
    return {
        "slug": ca.slug,
        "generation": ca.generation,
        "common_name": ca.common_name,
        "state": ca.state,
        "cka_id": ca.key_id,
        "file": f"{ca.file_stem}.cer",
        "profile": str(row.profile_version) if row else None,
        "definition_sha256": ca.definition_sha256,
    } | _certificate(bytes(ca.certificate_der))


def _signer(signer: OcspSigner) -> dict[str, Any]:
    described = {"ca": signer.ca.slug, "profile": str(signer.certificate.profile_version)}
    return described | _certificate(bytes(signer.certificate_der))


def _certificate(der: bytes) -> dict[str, Any]:
    certificate = x509.load_der_x509_certificate(der)
    return {
        "serial": f"{certificate.serial_number:X}",
        "issuer": certificate.issuer.rfc4514_string(),
        "subject": certificate.subject.rfc4514_string(),
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "signature_algorithm": certificate.signature_algorithm_oid._name,
        "extensions": [each.oid.dotted_string for each in certificate.extensions],
        "certificate_sha256": sha256_hex(der),
        "tbs_sha256": sha256_hex(certificate.tbs_certificate_bytes),
    }


def _act(act: Act) -> dict[str, Any]:
    ca = CertificateAuthority.objects.select_related("parent").get(slug=act.slug, generation=act.generation)
    described = {
        "act": act.kind,
        "ca": act.slug,
        "generation": act.generation,
        "value": act.value,
        "justification": act.justification,
    }
    row = certificate_of(ca)
    if act.kind == "revoke" and row is not None and row.revoked_at is not None:
        blob = CertificateBlob.objects.get(certificate=row)
        described |= {"revoked_at": _seconds(row.revoked_at), "certificate_sha256": sha256_hex(bytes(blob.der))}
    return described


def _lists(made: Sequence[CertificateAuthority], offline: Sequence[CertificateAuthority], started: dt.datetime) -> list[Crl]:
    """Returns the first CRL of each new CA, since the worker makes later ones, and every CRL of offline CAs."""
    recent = Crl.objects.filter(this_update__gte=started.replace(microsecond=0)).select_related("ca").order_by("ca_id", "number")
    others = [ca for ca in made if ca not in offline]
    # A CRL has whole seconds; only its event shows that it was published before the ceremony began, within the same second.
    before = _published(offline, started.replace(microsecond=0), started)
    own = [each for each in recent.filter(ca__in=offline) if (str(each.ca_id), each.number) not in before]
    return [*own, *recent.filter(ca__in=others).distinct("ca_id")]


def _published(authorities: Sequence[CertificateAuthority], since: dt.datetime, until: dt.datetime) -> set[tuple[str, int]]:
    """Returns the CRLs that were published from `since` and before `until`, by CA and number."""
    about = Event.objects.filter(subject_type="certificate_authority", subject_ref__in=[str(ca.id) for ca in authorities])
    found = about.filter(action="crl.published", at__gte=since, at__lt=until)
    return set(found.values_list("subject_ref", "facts__number"))


def _crl(published: Crl) -> dict[str, Any]:
    return {
        "ca": published.ca.slug,
        "generation": published.ca.generation,
        "number": published.number,
        "entries": published.entries,
        "file": published.file_name,
        "this_update": published.this_update.isoformat(),
        "next_update": published.next_update.isoformat() if published.next_update else None,
        "sha256": published.sha256,
    }


def _answers(offline: Sequence[CertificateAuthority], since: dt.datetime) -> Iterator[dict[str, Any]]:
    found = OcspResponse.objects.filter(ca__in=offline, this_update__gte=since).select_related("certificate__ca")
    for answer in found.order_by("ca_id", "certificate__serial", "cert_id_hash"):
        yield {
            "ca": answer.certificate.ca.slug,
            "of": answer.certificate.subject_ref,
            "status": answer.certificate.status,
            "serial": answer.certificate.serial,
            "cert_id_hash": answer.cert_id_hash,
            "this_update": answer.this_update.isoformat(),
            "next_update": answer.next_update.isoformat(),
            "sha256": sha256_hex(bytes(answer.der)),
        }


def lines(content: dict[str, Any], digest: str) -> Iterator[str]:
    """Yields the record as text for witnesses to read and sign; `digest` is the hash of its canonical form."""
    yield f"PROTOKOLL: {content['ceremony']}"
    yield f"Miljö: {content['environment']}"
    yield f"Ceremonifilens SHA-256: {content['file_sha256']}"
    yield f"Protokollets SHA-256: {digest}"
    yield f"Början: {content['clock']['started']}   Slut: {content['clock']['finished']}"
    yield ""
    for person in content["participants"]:
        yield f"{person['role']}: {person['name']}    Underskrift: ______________________"
    approval = content["approval"]
    given = f"{len(approval['approvals'])}, minst {approval['required']} krävs"
    yield from ("", f"GODKÄNNANDEN: {given}, begärt av {approval['requester']}")
    yield from _entries(approval["approvals"])
    for title, key in (
        ("NYCKLAR", "keys"),
        ("UTFÄRDARE", "authorities"),
        ("OCSP-SIGNERARE", "ocsp_signers"),
        ("ÅTGÄRDER", "acts"),
        ("SPÄRRLISTOR", "crls"),
        ("OCSP-SVAR", "ocsp_answers"),
    ):
        yield from ("", title)
        yield from _entries(content[key])
    yield from ("", "PROFILER")
    for name, value in content["profiles"].items():
        yield f"  {name}: {value}"


def _entries(entries: Sequence[dict[str, Any]]) -> Iterator[str]:
    for entry in entries:
        yield ""
        for name, value in entry.items():
            shown = ", ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else value
            yield f"  {name}: {shown}"
