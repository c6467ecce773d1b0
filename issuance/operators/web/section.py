"""The section of the operators' pages: its required permission, its menu, and the names that its pages show."""

import datetime as dt
from collections.abc import Iterable, Mapping

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from issuance.authz import Action
from issuance.people.queries import officers
from issuance.records.web.frame import MenuEntry, Section, actor_of
from pki.operators.authorities import authority_names

AT_ONCE = dt.timedelta(0)
"""Actions on the PKI require a login made for them (ADR 0072)."""

PKI = Section(
    "pki_authorities",
    Action.VIEW_PKI,
    everywhere=True,  # CAs belong to no organisation
    menu=(
        MenuEntry("authorities", "pki_authorities", _("Utfärdare")),
        MenuEntry("keys", "pki_keys", _("Nycklar")),
        MenuEntry("certificates", "pki_certificates", _("Certifikat")),
        MenuEntry("mass", "pki_mass_revocations", _("Masspärr")),
        MenuEntry("approvals", "pki_approvals", _("Ärenden")),
        MenuEntry("ceremonies", "pki_ceremonies", _("Ceremonier")),
        MenuEntry("imports", "pki_imports", _("Importer")),
        MenuEntry("status", "pki_status", _("Status")),
        MenuEntry("health", "pki_health", _("Driftläge")),
    ),
)


def names_of(request: HttpRequest, refs: Iterable[str]) -> Mapping[str, str]:
    """Returns the names of the people behind `refs` that the actor may see, and of all CAs by `<slug>:<generation>`."""
    return officers.names(actor_of(request), refs) | authority_names()
