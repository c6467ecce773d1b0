"""`pki_issue --profile P --csr F`: issues one certificate for an operator, through the same service as other callers."""

import datetime as dt
from argparse import ArgumentTypeError
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from asn1crypto.core import UTF8String
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from pki import service
from pki.domain import alternative_names, names
from pki.domain.profiles import PROFILES, Profile
from pki.hsm import HsmError
from pki.issuing import signing
from pki.management import arguments
from siths_portal.lib import clock
from siths_portal.lib.certificates.unreadable import UNREADABLE
from siths_portal.lib.errors import DomainError
from siths_portal.lib.files.atomic import write_atomically
from siths_portal.lib.files.path_arguments import output_file, readable_file
from siths_portal.lib.processes.commands import CheckedCommand

_OFFERED = sorted(name for name, profile in PROFILES.items() if profile.orderable and not profile.is_on_carrier)


def _profile(name: str) -> str:
    """Returns the name of a profile. Raises ArgumentTypeError if it is unknown; the service refuses one that no CA offers."""
    if name not in PROFILES:
        raise ArgumentTypeError(f"okänd certifikatprofil; välj bland {', '.join(_OFFERED)}")
    return name


class Command(CheckedCommand):
    """Plans and signs in this process, which needs the token's PIN. The request gives names that no option gives.

    Refuses the profiles of cards and mobiles: no operator may alone get an eID in another person's name (DIGG K3.4).
    """

    help = "Utfärdar ett certifikat från en certifikatbegäran (PKCS #10, PEM eller DER)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the arguments."""
        offered = ", ".join(_OFFERED)
        parser.add_argument("--profile", required=True, type=_profile, metavar="PROFIL", help=f"certifikatprofil: {offered}")
        parser.add_argument("--csr", required=True, type=readable_file, metavar="FIL", help="certifikatbegäran")
        parser.add_argument("--ca", metavar="NAMN", help="utfärdaren, om profilen har flera")
        parser.add_argument(
            "--subject", action="append", default=[], metavar="NAMN=VÄRDE", help="till exempel commonName=api.example"
        )
        parser.add_argument("--san", action="append", default=[], metavar="SLAG=VÄRDE", help="till exempel dNSName=api.example")
        parser.add_argument("--days", type=int, metavar="N", help="giltighetstid; annars profilens längsta")
        parser.add_argument("--subject-ref", metavar="REF", help="vems nyckeln är; annars function:<commonName>")
        parser.add_argument(
            "--out", type=output_file, metavar="FIL", help="skriv certifikatet (PEM) dit i stället för på skärmen"
        )
        parser.add_argument("--chain", action="store_true", help="ta med utfärdarnas certifikat utom roten")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Exits with 0 and the certificate, 1 if it is not issued, 2 for wrong use."""
        profile = PROFILES[options["profile"]]
        if profile.is_on_carrier:
            reason = "personers e-legitimationer beställs i portalen, där ingen kan skaffa en ensam"
            raise CommandError(reason, returncode=1)
        request = _request(options["csr"])
        try:
            subject = _pairs(options["subject"], names.OIDS) or _subject(request)
            alternative = _pairs(options["san"], alternative_names.KINDS) or _alternative(request)
            order = service.CertificateOrder(
                ca=options["ca"] or _only_issuer(profile),
                profile=profile.name,
                subject=subject,
                subject_alternative=alternative,
                csr_der=request.public_bytes(Encoding.DER),
                subject_ref=options["subject_ref"] or f"function:{subject.get('commonName', '')}"[:80],
                carrier_ref="",
                card_number=None,
                not_after=clock.now() + dt.timedelta(days=options["days"] or profile.max_days) - dt.timedelta(minutes=5),
            )
            (view,) = _issue(order)
        except DomainError as error:
            reasons = "; ".join(f"{field}: {' '.join(texts)}" for field, texts in error.fields.items())
            raise CommandError(f"{error.message} {reasons}".strip(), returncode=1) from None
        except HsmError as error:
            raise CommandError(f"HSM: {type(error).__name__}", returncode=1) from None
        if view.der is None:
            raise CommandError(f"certifikatet är inte utfärdat: {view.status}", returncode=1)
        above = service.chain(view.ca, view.generation)[:-1] if options["chain"] else []
        pem = b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in [view.der, *above])
        if options["out"] is None:
            self.stdout.write(pem.decode(), ending="")
            return
        write_atomically(options["out"], pem)
        self.stdout.write(f"{view.ca} {view.serial} gäller till {view.not_after.astimezone(clock.STOCKHOLM):%Y-%m-%d %H:%M}")


def _issue(order: service.CertificateOrder) -> list[service.CertificateView]:
    ids = _plan(order)
    signing.sign_reserved(ids)
    # The worker may have claimed it before this process.
    return service.wait_until_settled(ids, seconds=10)


@transaction.atomic(durable=True)
def _plan(order: service.CertificateOrder) -> list[UUID]:
    return service.plan_certificates([order], actor_ref=arguments.operator_ref(), unit_ref="")


def _request(path: Path) -> x509.CertificateSigningRequest:
    try:
        content = path.read_bytes()
        return x509.load_pem_x509_csr(content) if content.lstrip().startswith(b"-----") else x509.load_der_x509_csr(content)
    except OSError as error:
        raise CommandError(f"certifikatbegäran går inte att läsa: {error.strerror}", returncode=2) from None
    except UNREADABLE:
        raise CommandError("filen är ingen certifikatbegäran (PKCS #10 i PEM eller DER)", returncode=2) from None


def _only_issuer(profile: Profile) -> str:
    active = [each.slug for each in service.authorities() if each.state == "active" and each.slug in profile.issuers]
    if len(set(active)) != 1:
        raise CommandError(f"ange --ca: {', '.join(sorted(set(active))) or 'ingen utfärdare har profilen'}", returncode=2)
    return active[0]


def _pairs(given: list[str], known: Iterable[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not value or name not in known:
            raise CommandError(f"skriv NAMN=VÄRDE med något av {', '.join(known)}", returncode=2)
        found.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in found.items()}


def _subject(request: x509.CertificateSigningRequest) -> dict[str, str]:
    by_oid = {oid: name for name, oid in names.OIDS.items()}
    return {by_oid.get(each.oid, each.oid.dotted_string): str(each.value) for each in request.subject}


def _alternative(request: x509.CertificateSigningRequest) -> dict[str, str]:
    try:
        wanted = list(request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return {}
    found: dict[str, list[str]] = {}
    for kind, name in zip(alternative_names.kinds(wanted), wanted, strict=True):
        value = UTF8String.load(name.value).native if isinstance(name, x509.OtherName) else name.value
        found.setdefault(kind, []).append(str(value))
    return {kind: ",".join(values) for kind, values in found.items()}
