"""`pki_reconcile`: compares issued certificates on cards with orders and receipts."""

from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from pki.issuing import reconciling
from pki.models import Certificate
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Compares all of them now. Prints one line for each without an order or receipt, and exits with 1 if there is one.

    A line has the CA and the serial, as `pki_revoke` and `ops_incident_export` want them.
    """

    help = "Jämför utfärdade certifikat på kort med beställningar och kvittenser."

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs the comparison."""
        row = reconciling.run()
        certificates = Certificate.objects.select_related("ca").in_bulk([UUID(each["certificate"]) for each in row.examples])
        for each in row.examples:
            certificate = certificates[UUID(each["certificate"])]
            said = f"{certificate.ca.slug} {certificate.serial}, {certificate.status}"
            self.stdout.write(f"{each['certificate']}: {each['reason']}, {said}")
        self.stdout.write(f"{row.compared} certifikat jämförda, {row.found} utan beställning eller kvittens")
        if row.found:
            raise CommandError(f"{row.found} certifikat saknar beställning eller kvittens", returncode=1)
