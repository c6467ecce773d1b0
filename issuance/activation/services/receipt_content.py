"""The content of a receipt (kvittens): its fields as data, the terms in force, and the page with both.

rules/issuance 5.5 lists the fields. They never include a code, photo, address or number of an identity document. Users' texts
are template values, never templates (S39).
"""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils.translation import gettext

from issuance.activation.domain.identity_documents import ATTESTATION, FULL, IDENTITY_DOCUMENT, RELATION
from issuance.activation.models import Identification
from issuance.authz import Actor
from issuance.carriers.models import Carrier, Eid
from issuance.orders.models.orders import CardOrder
from issuance.orders.services.order_checks import common_name
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person, Post
from issuance.people.services import people
from issuance.receipt_texts.models import ReceiptText
from issuance.records.domain import wording
from issuance.roles.services.actors import actor_of_person
from issuance.roles.services.subjects import person_of
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.registry import Registry

SCHEMA = "siths-receipt/1"
TEMPLATE_VERSION = "2"
LANGUAGE = "sv"
TERMS_VERSION = "2"
# Signed versions never change; a new wording is a new file.
TERMS_FILES = {"1": "activation/receipt/terms-1.sv.txt", "2": "activation/receipt/terms-2.sv.txt"}
_SIGNING_PROFILES = ("person-id-sign", "person-hsaid-sign")
"""The certificates that a holder can sign a receipt with. A reserve card has only the second."""
HEADING = "Kvittens för mottagande av SITHS eID på kort"
SUMMARY = (
    "Jag har läst villkoren och vet vilka regler som gäller när jag använder min e-legitimation, hur jag hanterar kort och koder "
    "och vad jag gör om jag förlorar dem.",
    "Kort, e-legitimation och koder är personliga. Jag hanterar dem som värdehandlingar och förvarar kort och koder var för sig.",
    "Jag lämnar tillbaka kortet när min anställning eller mitt uppdrag upphör.",
)
SIGN_MESSAGE = "Jag godkänner Allmänna villkor för SITHS e-legitimation, kvitterar mitt kort och aktiverar SITHS eID."


@dataclass(frozen=True)
class Section:
    """A section of the terms."""

    heading: str
    paragraphs: Sequence[str]


@dataclass(frozen=True)
class Terms:
    """A version of the general terms: the verbatim `text`, archived under `sha256`, and the same text in sections."""

    version: str
    language: str
    title: str
    sections: Sequence[Section]
    text: str = field(repr=False)
    sha256: str


@dataclass(frozen=True)
class Preview:
    """A receipt as pages and the eID app show it. `regional_addition` is empty if there is none."""

    heading: str
    summary: Sequence[str]
    terms_title: str
    terms_version: str
    sign_message: str
    card_serial: str
    holder_name: str
    person_id: str
    regional_addition: str


@dataclass(frozen=True)
class Signer:
    """An officer who signed that a card is handed out, and the document that the officer was shown."""

    officer_ref: str
    identity_document: str
    signed_at: dt.datetime


HAND_OUTS = Registry[Callable[[Collection[UUID]], Sequence[Signer]]]()
"""Functions that return who signed the hand-out of eIDs with these ids. Packages above register them."""


@dataclass(frozen=True)
class Subject:
    """Holder, card and transaction of a receipt. `certificates` are the carrier's by profile; `identification` may be unsaved."""

    receipt_id: UUID
    transaction_id: UUID
    carrier: Carrier
    order: CardOrder
    eids: Sequence[Eid]
    certificates: Mapping[str, pki.CertificateView]
    identification: Identification
    officer: Actor


def current_terms() -> Terms:
    """Returns the general terms in force."""
    return terms(TERMS_VERSION)


@cache
def terms(version: str) -> Terms:
    """Returns a version of the terms, in Swedish. The file is read as text, never as a template. Raises KeyError."""
    text = (Path(settings.BASE_DIR) / "templates" / TERMS_FILES[version]).read_text()
    title, *parts = text.split("\n== ")
    sections = []
    for part in parts:
        heading, _, body = part.partition("\n")
        sections.append(Section(heading, [paragraph.strip() for paragraph in body.split("\n\n") if paragraph.strip()]))
    return Terms(version, LANGUAGE, title.strip(), sections, text, sha256_hex(text.encode()))


def regional_addition(organisation: Organisation) -> ReceiptText | None:
    """Returns the newest version of the organisation's own addition. If it has none or uses the inherited one, returns that of
    the nearest organisation above.
    """
    above = [f"{organisation.scope_path[: end + 1]}" for end, letter in enumerate(organisation.scope_path) if letter == "/"]
    found = ReceiptText.objects.filter(organisation__scope_path__in=above).select_related("organisation")
    newest = {row.organisation_id: row for row in found.order_by("version")}
    own = (row for row in newest.values() if not row.from_above)
    return max(own, key=lambda row: len(row.organisation.scope_path), default=None)


def build(subject: Subject, addition: ReceiptText | None) -> dict[str, Any]:
    """Returns the receipt's fields as JSON values. Machines read their canonical JSON (`canonical`)."""
    carrier, order, identification = subject.carrier, subject.order, subject.identification
    person_id = people.person_id_of(carrier.holder_id)
    organisation = carrier.organisation
    in_force = current_terms()
    signing = subject.certificates[signing_profile(subject.certificates)]
    return {
        "schema": SCHEMA,
        "language": LANGUAGE,
        "receipt": {"id": str(subject.receipt_id), "template_version": TEMPLATE_VERSION, "heading": HEADING},
        "terms": {"version": in_force.version, "title": in_force.title, "sha256": in_force.sha256, "summary": list(SUMMARY)},
        "regional_addition": _addition(addition),
        "holder": {
            "name": common_name(carrier.holder),
            "given_name": carrier.holder.given_name_in_use,
            "surname": carrier.holder.surname,
            "person_id": {"kind": person_id.kind.value, "value": person_id.value},
        },
        "organisation": {"name": organisation.name, "hsa_id": organisation.hsa_id},
        "issuing_area": organisation.area.name,
        "office": {"name": order.office.name, "number": order.office.office_number},
        "carrier": {
            "card_serial": carrier.card_serial,
            "article": {"code": order.article.code, "name": order.article.name},
            "assurance_level": carrier.assurance_level,
            "valid_to": _moment(carrier.valid_to),
        },
        "eids": [
            {
                "hsa_id": eid.hsa_id,
                "organisation": eid.organisation.name,
                "assurance_level": eid.assurance_level,
                "valid_to": _moment(eid.valid_to),
            }
            for eid in subject.eids
        ],
        "certificates": [_certificate(subject.certificates[profile]) for profile in sorted(subject.certificates)],
        "identification": {
            "document": identification.identity_document,
            "rule": _rule(identification.identity_document),
            "officer": _officer(subject.officer, organisation),
            "place": order.office.name,
            "at": _moment(identification.at),
            **_attestor(identification),
        },
        "order": {"id": str(order.id), "ordered_at": _moment(order.ordered_at), "sent_at": _moment(order.sent_at)},
        "signature": {
            "transaction": str(subject.transaction_id),
            "sign_message": SIGN_MESSAGE,
            "format": "PAdES B-B, RSASSA-PKCS1-v1_5 SHA-256",
            "certificate_sha256": sha256_hex(signing.der or b""),
            "prepared_at": _moment(clock.now()),
        },
        **_hand_out(subject),
    }


def signing_profile(profiles: Collection[str]) -> str:
    """Returns the profile of the certificate that signs the receipt of a card with these certificates. Raises StopIteration."""
    return next(profile for profile in _SIGNING_PROFILES if profile in profiles)


def _rule(document: str) -> str:
    """Returns in words what the clerk compared."""
    if document == ATTESTATION:
        return "Intygad av en annan person, som visade en egen giltig svensk id-handling vid besöket"
    origin = "svensk" if document in FULL else "utländsk"
    return f"Giltig och hel {origin} id-handling jämförd med innehavaren vid personligt besök"


def _attestor(identification: Identification) -> dict[str, Any]:
    """Returns name and relation of who attested, without their person-id. Returns an empty dict without an attestation."""
    attestation = getattr(identification, "attestation", None)
    if attestation is None:
        return {}
    return {"attestor": {"name": attestation.attestor_name, "relation": attestation.relation}}


def canonical(content: Mapping[str, Any]) -> bytes:
    """Returns the canonical JSON of the fields, which is attached to the PDF and hashed."""
    return canonical_json(dict(content))


def preview(content: Mapping[str, Any]) -> Preview:
    """Returns the part of a receipt's fields that pages and the app show."""
    person_id = content["holder"]["person_id"]
    return Preview(
        heading=content["receipt"]["heading"],
        summary=content["terms"]["summary"],
        terms_title=content["terms"]["title"],
        terms_version=content["terms"]["version"],
        sign_message=content["signature"]["sign_message"],
        card_serial=wording.card_serial(content["carrier"]["card_serial"]),
        holder_name=content["holder"]["name"],
        person_id=wording.person_number(person_id["kind"], person_id["value"]),
        regional_addition=(content["regional_addition"] or {}).get("text", ""),
    )


def _relation(content: Mapping[str, Any]) -> str:
    attestor = content["identification"].get("attestor")
    return wording.label(RELATION, attestor["relation"]) if attestor else ""


def html(content: Mapping[str, Any]) -> str:
    """Returns the receipt as one self-contained HTML page. The template escapes texts and never interprets them."""
    shown = preview(content)
    certificates = {each["profile"]: each for each in content["certificates"]}
    extra = {
        "heading": shown.heading,
        "summary": shown.summary,
        "sign_message": shown.sign_message,
        "holder_number": shown.person_id,
        "card_number": shown.card_serial,
        "terms_text": terms(shown.terms_version),
        "identity_document": wording.label(IDENTITY_DOCUMENT, content["identification"]["document"]),
        "attestor_relation": _relation(content),
        "carrier_last_day": _last_day(content["carrier"]["valid_to"]),
        "identified_at": _local(content["identification"]["at"]),
        "ordered_at": _local(content["order"]["ordered_at"]),
        "sent_at": _local(content["order"]["sent_at"]),
        "prepared_at": _local(content["signature"]["prepared_at"]),
        "hand_out_rows": [
            each | {"label": wording.label(IDENTITY_DOCUMENT, each["document"]), "signed_at": _local(each["at"])}
            for each in content.get("hand_out", {}).get("officers", ())
        ],
        "signer_certificate": certificates[signing_profile(certificates)],
        "eid_rows": [eid | {"last_day": _last_day(eid["valid_to"])} for eid in content["eids"]],
        "certificate_rows": [
            {
                "use": f"{wording.certificate_use(each['profile'])}, {_kind(each['profile'])}",
                "issuer": each["issuer"],
                "serial": each["serial"],
                "last_day": _last_day(each["not_after"]),
            }
            for each in content["certificates"]
        ],
    }
    return render_to_string("activation/receipt/receipt.html", {**content, **extra})


def _kind(profile: str) -> str:
    return gettext("HSA-id") if profile.startswith("person-hsaid") else gettext("person-id")


def _hand_out(subject: Subject) -> dict[str, Any]:
    """Returns who signed the hand-out of a reserve card on level 3, by HSA-id alone; nothing for other cards."""
    ids = [eid.pk for eid in subject.eids]
    signers = [signer for found in HAND_OUTS for signer in found(ids)]
    officers = [
        {
            "hsa_id": _officer(actor_of_person(person_of(each.officer_ref)), subject.carrier.organisation)["hsa_id"],
            "document": each.identity_document,
            "at": _moment(each.signed_at),
        }
        for each in signers
    ]
    return {"hand_out": {"officers": officers}} if officers else {}


def _addition(row: ReceiptText | None) -> dict[str, Any] | None:
    if row is None or not row.regional_addition.strip():
        return None
    return {
        "organisation": row.organisation.name,
        "version": row.version,
        "text": row.regional_addition,
        "sha256": sha256_hex(row.regional_addition.encode()),
    }


def _officer(actor: Actor, organisation: Organisation) -> dict[str, str]:
    """Returns name and HSA-id of the clerk: of the assignment they logged in with, else of their valid one nearest above the
    card's organisation. A clerk with protected identity has only the HSA-id (ADR 0080).
    """
    person = Person.objects.get(pk=str(actor.person_id))
    valid = Post.objects.filter(Q(valid_to=None) | Q(valid_to__gte=clock.today()), person=person, ended_at=None)
    posts = list(valid.select_related("organisation").order_by("id"))

    def nearness(post: Post) -> tuple[bool, int]:
        path = post.organisation.scope_path
        return post.hsa_id.upper() == actor.hsa_id.upper(), len(path) if organisation.scope_path.startswith(path) else 0

    near = max(posts, key=nearness, default=None)
    return {"name": "" if person.is_protected else common_name(person), "hsa_id": near.hsa_id if near else ""}


def _certificate(view: pki.CertificateView) -> dict[str, Any]:
    certificate = x509.load_der_x509_certificate(view.der or b"")
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    named = {"digitalSignature": usage.digital_signature, "nonRepudiation": usage.content_commitment}
    return {
        "profile": view.profile,
        "issuer": str(certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value),
        "serial": view.serial,
        "not_before": _moment(view.not_before),
        "not_after": _moment(view.not_after),
        "key_usage": [name for name, is_set in named.items() if is_set],
        "sha256": sha256_hex(view.der or b""),
    }


def _moment(value: dt.datetime | None) -> str | None:
    return value.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if value else None


def _local(moment: str | None) -> str:
    """Formats a moment in Stockholm time, to the second."""
    return f"{dt.datetime.fromisoformat(moment).astimezone(clock.STOCKHOLM):%Y-%m-%d %H:%M:%S}" if moment else ""


def _last_day(moment: str | None) -> str:
    day = wording.last_day(dt.datetime.fromisoformat(moment)) if moment else None
    return day.isoformat() if day else ""
