"""`pki_ocsp_signer CA`: shows a CA's OCSP responders, and registers that of a CA whose key is in another system."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from pki.management import arguments
from pki.models import CertificateAuthority, OcspSigner
from pki.takeover import foreign_responders
from siths_portal.lib.errors import DomainError
from siths_portal.lib.files.path_arguments import output_file, readable_file
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """First writes a request for the CA, over a key in the token; then accepts the certificate that the CA issued.

    `--show` prints the serials of the certificates in use, by which `pki_revoke` replaces a responder at once.
    """

    help = (
        "Visar en utfärdares OCSP-svarare (--show). För en extern utfärdare: skriv en certifikatbegäran (--request), "
        "ta certifikatet i bruk (--certificate)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the CA and the modes."""
        parser.add_argument("ca", metavar="NAMN", help="utfärdaren, till exempel root")
        act = parser.add_mutually_exclusive_group(required=True)
        act.add_argument("--show", action="store_true", help="skriv vilka certifikat som svarar, med serienummer")
        act.add_argument("--request", type=output_file, metavar="FIL", help="gör en nyckel i modulen och skriv begäran hit (PEM)")
        act.add_argument("--certificate", type=readable_file, metavar="FIL", help="certifikatet från utfärdaren (DER eller PEM)")
        parser.add_argument("--token", default="", metavar="ETIKETT", help="modulens token, om nyckeln flyttades in")
        parser.add_argument("--key-id", default="", metavar="HEX", help="nyckelns CKA_ID, om nyckeln flyttades in")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Exits with 1 for a refused request, 2 for wrong use."""
        if bool(options["token"]) != bool(options["key_id"]) or (options["token"] and not options["certificate"]):
            raise CommandError("--token och --key-id hör ihop, och till --certificate", returncode=2)
        ca = arguments.authority(options["ca"])
        if options["show"]:
            self._show(ca)
            return
        try:
            self._request(ca, options) if options["request"] else self._accept(ca, options)
        except DomainError as error:
            raise CommandError(error.message, returncode=1) from None
        except OSError as error:
            raise CommandError(f"{options['request'] or options['certificate']}: {type(error).__name__}", returncode=1) from None

    def _show(self, ca: CertificateAuthority) -> None:
        for signer in OcspSigner.objects.filter(ca=ca, retired_at=None).select_related("certificate").order_by("not_after"):
            row = signer.certificate
            self.stdout.write(f"{ca.slug} {row.serial}: {row.status}, till {signer.not_after:%Y-%m-%d %H:%M} UTC")

    def _request(self, ca: CertificateAuthority, options: dict[str, Any]) -> None:
        options["request"].write_bytes(foreign_responders.request(ca, actor_ref=arguments.operator_ref()))
        self.stdout.write(f"{ca.slug}: begäran skriven till {options['request']}; lämna den till utfärdaren")

    def _accept(self, ca: CertificateAuthority, options: dict[str, Any]) -> None:
        signer = foreign_responders.accept(
            ca,
            options["certificate"].read_bytes(),
            token_label=options["token"],
            key_id=options["key_id"].lower(),
            actor_ref=arguments.operator_ref(),
        )
        self.stdout.write(
            f"{ca.slug}: svarar med certifikat {signer.certificate.serial}, till {signer.not_after:%Y-%m-%d %H:%M} UTC"
        )
