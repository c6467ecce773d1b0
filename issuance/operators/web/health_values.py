"""Values of the health page beside their limits, and the page where each kind of finding is looked into."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from issuance.operators.queries import pki_health_words as health_words
from issuance.records.web.values import number
from pki.health import LIMITS, Limit, SeenFinding

_CA = re.compile(r"(?P<slug>[\w-]+):(?P<generation>\d+)")
_OF_A_CA = ("ca", "hsm", "ocsp-signer")
_MANY = ("ca", "ocsp-signer", "händelsekedja")
"""Kinds with a finding for each CA or chain. The table has a row for the worst of each."""

_PAGES: Mapping[str, tuple[str, str, Any]] = {
    "token": ("pki_keys", "", gettext_lazy("Visa nycklarna")),
    "crl": ("pki_status", "#listor", gettext_lazy("Visa spärrlistorna")),
    "ocsp": ("pki_status", "#svar", gettext_lazy("Visa OCSP-svaren")),
    "ocsp-svar": ("pki_status", "#svar", gettext_lazy("Visa OCSP-svaren")),
    "ocsp-lager": ("pki_status", "#lager", gettext_lazy("Visa lagret")),
    "ocsp-process": ("pki_status", "#lager", gettext_lazy("Visa lagret")),
    "nyckelinventering": ("pki_health", "#inventering", gettext_lazy("Visa avvikelserna")),
    "händelsekedja": ("pki_health", "#loggen", gettext_lazy("Visa genomgångarna")),
    "klocka": ("pki_health", "#klockan", gettext_lazy("Visa klockan")),
}


def page_of(subject: str) -> tuple[str, str]:
    """Returns the URL of the page about a finding, and the text of the link; empty if no page shows more."""
    kind, _space, name = subject.partition(" ")
    if kind in _OF_A_CA and (found := _CA.match(name)):
        return reverse("pki_authority", args=[found["slug"], int(found["generation"])]), _("Visa utfärdaren")
    if kind not in _PAGES:
        return "", ""
    url_name, fragment, text = _PAGES[kind]
    return reverse(url_name) + fragment, str(text)


def severity_tag(severity: int) -> dict[str, str]:
    """Returns the kind and the text of the tag of a `Severity`."""
    return {"kind": health_words.SEVERITY_TAG[int(severity)], "text": _(health_words.SEVERITY[int(severity)])}


def rows(findings: Iterable[SeenFinding], authorities: Mapping[str, str]) -> list[dict[str, Any]]:
    """Returns the measured values that have a limit, in the order of the checks. `authorities` has the names of CAs."""
    found: dict[str, SeenFinding] = {}
    for each in findings:
        kind = each.subject.partition(" ")[0]
        if not each.measure or kind not in LIMITS:
            continue
        key = kind if kind in _MANY else each.subject
        if key not in found or _worse(each, found[key], LIMITS[kind]):
            found[key] = each
    return [_row(each, LIMITS[each.subject.partition(" ")[0]], authorities) for each in found.values()]


def _worse(each: SeenFinding, other: SeenFinding, limit: Limit) -> bool:
    return each.value < other.value if limit.least else each.value > other.value


def _row(each: SeenFinding, limit: Limit, authorities: Mapping[str, str]) -> dict[str, Any]:
    """Returns a row with the arguments of a meter. The scale ends at two or three times the limit."""
    value = abs(each.value)
    top = max(limit.value * (2 if limit.least else 3), 1)
    return {
        "title": health_words.title_of(each.subject, authorities),
        "tag": severity_tag(each.severity),
        "value": _written(value, each.measure),
        "limit": (_("minst {n}") if limit.least else _("högst {n}")).format(n=_written(limit.value, each.measure)),
        "meter": {
            "value": f"{min(value, top):.0f}",
            "max": f"{top:.0f}",
            "mark": f"{limit.value:.0f}",
            "least": limit.least,
        },
    }


def _written(value: float, measure: str) -> str:
    count = round(value)
    if measure == "seconds" and count >= 120:
        return ngettext("{n} minut", "{n} minuter", count // 60).format(n=number(count // 60))
    if measure == "seconds":
        return _("{n} s").format(n=number(count))
    return ngettext("{n} dag", "{n} dagar", count).format(n=number(count)) if measure == "days" else number(count)
