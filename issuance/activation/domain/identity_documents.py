"""Labels of the identity documents that identify a holder."""

from collections.abc import Mapping

from django.utils.translation import gettext_noop as _

IDENTITY_DOCUMENT: Mapping[str, str] = {
    "driving_licence": _("Körkort"),
    "passport": _("Pass (vinröd bok)"),
    "tax_agency_id": _("Skatteverkets id-kort"),
    "sis_id": _("SIS-godkänt id-kort"),
    "national_id": _("Nationellt id-kort"),
}
