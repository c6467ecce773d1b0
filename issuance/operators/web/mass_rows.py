"""Rows and links of the pages of mass revocation."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.authz import Action, Actor, policy
from issuance.operators.models import MassTrial
from issuance.operators.queries import pki_words
from issuance.operators.queries.pki_words import minute, moment
from issuance.operators.services import mass_revocations
from issuance.operators.web.documents import rows_of
from issuance.records.web.frame import Link
from issuance.records.web.values import number, row
from pki.mass_revocation import MassRevocationGroup, MassRevocationView

LIVE = ("running", "publishing")
"""States that change without an operator's action."""

_LONGEST_SHOWN = 20
_CA = re.compile(r"[\w-]+:\d+")
"""The form of a CA's name in a failure text."""


def line(found: MassRevocationView, names: Mapping[str, str]) -> dict[str, Any]:
    """Returns one row of the list."""
    return {
        "found": found,
        "title": pki_words.mass(names, found.document),
        "tag": _tag(found),
        "requester": pki_words.who(names, found.requested_by_ref),
        "created_at": minute(found.created_at),
        "done": _("{done} av {total}").format(done=number(found.done), total=number(found.total)),
    }


def list_functions(actor: Actor) -> Iterator[Link]:
    """Yields the actions that the list offers."""
    allowed = policy.holds(actor, Action.MASS_REVOKE)
    yield Link(_("Ny masspärr"), reverse("pki_mass_new"), allowed, _("Din behörighetsroll tillåter inte masspärr."))


def trial(found: MassTrial, names: Mapping[str, str]) -> dict[str, Any]:
    """Returns a dry run for its page: counts by CA and profile, unmatched values of the lists, and the criteria."""
    counted = found.counted
    groups = [MassRevocationGroup(**each) for each in counted["groups"]]
    return {
        "trial": found,
        "criteria": rows_of(_shown(found.selection), names),
        "total": number(counted["total"]),
        "revocable": number(counted["revocable"]),
        "already": number(counted["total"] - counted["revocable"]),
        "as_of": moment(found.as_of),
        "by_ca": groups_of(groups, names),
        "unmatched": list(_unmatched(counted)),
        "examples": counted["unmatched_examples"],
    }


def _shown(selection: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the criteria, with long lists replaced by their length."""
    return {
        name: ngettext("{n} värde", "{n} värden", len(value)).format(n=number(len(value)))
        if isinstance(value, list) and len(value) > _LONGEST_SHOWN
        else value
        for name, value in selection.items()
    }


def _unmatched(counted: Mapping[str, Any]) -> Iterator[str]:
    if n := counted["unmatched_serials"]:
        yield _("{n} serienummer träffar inget.").format(n=number(n))
    if n := counted["unmatched_keys"]:
        yield ngettext("{n} nyckel träffar inget.", "{n} nycklar träffar inget.", n).format(n=number(n))


def groups_of(groups: Any, names: Mapping[str, str]) -> list[dict[str, str]]:
    """Returns counts by CA and profile; the last row is the sum if there are several."""
    rows = [
        {
            "ca": pki_words.ca(names, each.ca, each.generation),
            "profile": pki_words.profile(each.profile or "") or _("bara serienummer"),
            "reserved": number(each.reserved),
            "issued": number(each.issued),
            "revoked": number(each.revoked),
            "total": number(each.total),
        }
        for each in groups
    ]
    if len(rows) > 1:
        counts = ("reserved", "issued", "revoked", "total")
        rows.append({"sum": "1"} | {name: number(sum(getattr(each, name) for each in groups)) for name in counts})
    return rows


def progress(found: MassRevocationView, names: Mapping[str, str]) -> dict[str, Any]:
    """Returns the part of the page that changes while the mass revocation runs."""
    return {
        "found": found,
        "state": _tag(found),
        "means": pki_words.meaning(pki_words.MASS_STATES, found.state),
        "is_started": found.started_at is not None,
        "follows": found.state in LIVE,
        "percent": found.done * 100 // found.total if found.total else 100,
        "done": number(found.done),
        "total": number(found.total),
        "sums": [
            {"name": label, "value": number(value)}
            for label, value in (
                (_("Spärrade"), found.revoked),
                (_("Skärpta"), found.changed),
                (_("Redan spärrade"), found.unchanged),
                (_("Aldrig signerade"), found.failed),
                (_("Återstår"), max(found.total - found.done, 0)),
            )
        ],
        "failure": _CA.sub(lambda ref: names.get(ref[0], ref[0]), found.failure),
        "pace": _pace(found),
        "report": list(_report(found.report, names)) if found.report else [],
        "differs": any(found.report["differences"].values()) if found.report else False,
    }


def _pace(found: MassRevocationView) -> str:
    """Returns the rate and the estimated time left. Returns an empty string while no estimate is possible."""
    if found.state != "running" or found.rate < 1:
        return ""
    minutes = math.ceil((found.total - found.done) / found.rate / 60)
    left = ngettext("ungefär {n} minut kvar", "ungefär {n} minuter kvar", minutes).format(n=number(minutes))
    return _("{rate} certifikat i sekunden, {left}.").format(rate=number(int(found.rate)), left=left)


def _report(report: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for ca, crl_number in report["crl_numbers"].items():
        value = _("nummer {n}").format(n=crl_number) if crl_number is not None else _("publiceras inte härifrån")
        yield row(_("Spärrlista, {ca}").format(ca=names.get(ca, ca)), value)
    yield row(_("OCSP-svar som väntar"), number(report["ocsp_waiting"]))
    yield row(_("Certifikatens SHA-256"), report["members_sha256"], code=True, copy=True)
    differences = report["differences"]
    for name, label in (
        ("members", _("Skillnad mot det som godkändes")),
        ("passed", _("Certifikat som inte behandlades")),
        ("revoked_meanwhile", _("Spärrade av andra under tiden")),
        ("not_revoked", _("Certifikat som inte är spärrade")),
    ):
        yield row(label, number(differences[name]))


def page_context(actor: Actor, found: MassRevocationView, names: Mapping[str, str]) -> dict[str, Any]:
    """Returns the context of the complete page."""
    return progress(found, names) | {
        "facts": list(_facts(found, names)),
        "title": pki_words.mass(names, found.document),
        "by_ca": groups_of(found.groups, names),
        "criteria": rows_of(found.document["selection"], names),
        "functions": list(_functions(actor, found)),
    }


def _facts(found: MassRevocationView, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    document = found.document
    matter = reverse("pki_approval", args=[found.approval_request_id])
    approved = _("{given} av {required}").format(given=len(found.approver_refs), required=found.required)
    who = ", ".join(pki_words.who(names, ref) for ref in found.approver_refs)
    yield row(_("Godkännanden"), f"{approved}: {who}" if who else approved, url=matter, action=_("Visa ärendet"))
    fields = ("reason", "justification", "invalidity_date", "received_at", "channel", "source_record", "publish_crls")
    yield from rows_of({name: document[name] for name in fields if document[name] is not None}, names)
    yield row(_("Begärd av"), pki_words.who(names, document["requester"]))
    yield row(_("Registrerad av"), pki_words.who(names, found.requested_by_ref))
    yield row(_("Registrerad"), moment(found.created_at))
    if found.started_at:
        yield row(_("Startad"), f"{moment(found.started_at)}, {pki_words.who(names, found.started_by_ref)}")
    if found.finished_at:
        yield row(_("Klar"), moment(found.finished_at))


def _functions(actor: Actor, found: MassRevocationView) -> Iterator[Link]:
    allowed = policy.holds(actor, Action.MASS_REVOKE)
    not_allowed = _("Din behörighetsroll tillåter inte masspärr.")
    why_not = mass_revocations.refusal(found) if allowed else not_allowed
    start = reverse("pki_mass_start", args=[found.id])
    if found.state == "stopped":
        yield Link(_("Fortsätt masspärren"), start, not why_not, why_not)
    elif found.state in ("requested", "approved"):
        yield Link(_("Starta masspärren"), start, not why_not, why_not)
    elif found.state == "running":
        yield Link(_("Stoppa masspärren"), reverse("pki_mass_stop", args=[found.id]), allowed, not_allowed)
    yield Link(_("Visa ärendet"), reverse("pki_approval", args=[found.approval_request_id]))
    yield Link(_("Ny masspärr"), reverse("pki_mass_new"), allowed, not_allowed)


def _tag(found: MassRevocationView) -> dict[str, str]:
    return pki_words.tagged(pki_words.MASS_STATES, found.state)
