"""Swedish names of the roles."""

from collections.abc import Mapping

from django.utils.translation import gettext_noop as _

ROLE: Mapping[str, str] = {
    "master_data_admin": _("Förvaltningsadmin grunddata"),
    "pki_operator": _("Förvaltningsadmin PKI"),
    "finance_admin": _("Förvaltningsadmin ekonomi"),
    "system_admin": _("Förvaltningsadministratör"),
    "global_revoker": _("Global Spärr"),
    "global_reader": _("Global Läs"),
    "responsible_issuer": _("Ansvarig utgivare"),
    "deputy_issuer": _("Biträdande utgivare"),
    "id_administrator": _("ID-administratör"),
    "reserve_card_admin_loa3": _("Reservkortshandläggare tillitsnivå 3"),
    "reserve_card_admin_loa2": _("Reservkortshandläggare tillitsnivå 2"),
    "revoker": _("Spärr"),
    "reader": _("Läs"),
    "customer_finance": _("Ekonomiansvarig"),
}
