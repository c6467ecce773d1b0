"""Rows and links of the pages of imports."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.operators.queries import pki_import_words as import_words
from issuance.operators.queries import pki_words
from issuance.operators.queries.pki_words import moment
from issuance.records.domain import wording
from issuance.records.web.frame import Link
from issuance.records.web.values import bytes_of, number, row
from pki.operators.imports import ComparisonView, FindingCount, ImportLine, ImportRecord, ImportStep


def line(found: ImportLine, names: Mapping[str, str]) -> dict[str, Any]:
    """Returns one row of the list."""
    return {
        "found": found,
        "name": pki_words.imported(names, found.slug, found.generation, found.common_name),
        "tag": _tag(found.state),
        "requester": pki_words.who(names, found.requester_ref),
        "created_at": moment(found.created_at)[:16],
        "done": _("{done} av {total}").format(done=number(found.position), total=number(found.rows)),
        "findings": number(found.findings) if found.has_begun else "–",
    }


def progress(found: ImportRecord) -> dict[str, Any]:
    """Returns the part of the page that changes while the import runs. When `shown_state` changes, the browser reloads the
    page.
    """
    own = found.line
    follows = found.is_running
    return {
        "found": found,
        "shown_state": f"{own.state}-{'pagar' if follows else 'star'}",
        "state": _tag(own.state),
        "means": pki_words.meaning(import_words.IMPORT_STATES, own.state),
        "is_started": own.has_begun,
        "follows": follows,
        "stopped": own.state in ("certificates", "lists") and not follows,
        "percent": min(own.position * 100 // own.rows, 100) if own.rows else 100,
        "done": number(own.position),
        "total": number(own.rows),
        "last_batch_at": moment(own.last_batch_at),
        "sums": [
            {"name": wording.label(import_words.IMPORT_COUNT, name), "value": number(found.counts.get(name, 0))}
            for name in ("new", "new_revoked", "revoked", "unchanged")
        ]
        + [{"name": wording.label(import_words.IMPORT_COUNT, "findings"), "value": number(own.findings)}],
        "pace": _pace(found),
    }


def _pace(found: ImportRecord) -> str:
    """Returns the rate and the estimated time left. Returns an empty string while no estimate is possible."""
    if not found.is_running or found.rate < 1:
        return ""
    minutes = math.ceil(max(found.line.rows - found.line.position, 0) / found.rate / 60)
    left = ngettext("ungefär {n} minut kvar", "ungefär {n} minuter kvar", minutes).format(n=number(minutes))
    return _("{rate} rader i sekunden, {left}.").format(rate=number(int(found.rate)), left=left)


def body(found: ImportRecord, names: Mapping[str, str]) -> dict[str, Any]:
    """Returns the rest of the page: facts, plan and outcome, differences, findings, files, the old CRLs and the events."""
    own, arguments = found.line, [found.line.id]
    listed = {each.kind for each in found.differences()}
    return {
        "title": _("Import av {name}").format(name=pki_words.imported(names, own.slug, own.generation, own.common_name)),
        "facts": list(_facts(found, names)),
        "outcome": _outcome(found),
        "differences": [_finding(each, arguments) for each in found.differences()] if found.line.has_begun else [],
        "findings": [_finding(each, arguments) for each in found.findings if each.kind not in listed],
        "files": [{"file": each, "size": bytes_of(each["size"])} for each in found.inputs],
        "lists": [_list(each) for each in found.report["lists"]] if found.report else [],
        "report": list(_report(found)) if found.report else [],
        "steps": [_step(each, names) for each in found.steps],
        "comparisons": [_comparison(each, names) for each in found.comparisons],
        "functions": list(_functions(found)),
    }


def _facts(found: ImportRecord, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    own, matter = found.line, reverse("pki_approval", args=[found.line.id])
    approved = _("{given} av {required}").format(given=found.approval.approved_by, required=found.approval.required)
    who = ", ".join(pki_words.who(names, each.approver_ref) for each in found.approval.decisions if each.decision == "approved")
    yield row(_("Godkännanden"), f"{approved}: {who}" if who else approved, url=matter, action=_("Visa ärendet"))
    yield row(_("Begärd av"), pki_words.who(names, own.requester_ref))
    yield row(_("Begärd"), moment(own.created_at))
    if own.started_at:
        yield row(_("Påbörjad"), moment(own.started_at))
        yield row(_("Senaste omgången"), moment(own.last_batch_at) or _("ingen än"))
    if own.finished_at:
        yield row(_("Klar"), moment(own.finished_at))
    yield row(_("Format"), found.format, code=True)
    yield row(_("Nyckeln"), _("finns i ett annat system") if found.is_external else _("finns i modulen här"))
    yield row(_("Utfärdarens certifikat, SHA-256"), found.certificate_sha256, code=True)
    yield row(_("Underlagets SHA-256"), found.inputs_sha256, code=True, copy=True)


def _outcome(found: ImportRecord) -> list[dict[str, Any]]:
    """Returns the counts of the dry run next to those of the import. The dry run keeps only some of them."""
    done = dict(found.counts) | {"findings": found.line.findings}
    names = [name for name in import_words.IMPORT_COUNT if name in found.plan or done.get(name)]
    return [
        {
            "label": wording.label(import_words.IMPORT_COUNT, name),
            "plan": number(found.plan[name]) if name in found.plan else "–",
            "done": number(done.get(name, 0)) if found.line.has_begun else "–",
            "differs": bool(found.line.finished_at and name in found.plan and found.plan[name] != done.get(name, 0)),
        }
        for name in names
    ]


def _finding(each: FindingCount, arguments: list[Any]) -> dict[str, Any]:
    url = reverse("pki_import_findings", args=[*arguments, each.kind]) if each.number else ""
    return {"text": each.text[:1].upper() + each.text[1:], "number": number(each.number), "url": url}


def _list(each: Mapping[str, Any]) -> dict[str, Any]:
    return {"list": each, "entries": number(each["entries"]), "scope": each["scope"] or _("alla certifikat")}


def _report(found: ImportRecord) -> Iterator[dict[str, Any]]:
    report = found.report or {}
    yield row(_("Utfärdade här nu"), number(report["rows"]["issued"]))
    yield row(_("Spärrade här nu"), number(report["rows"]["revoked"]))
    yield row(_("Nästa spärrlista får ett nummer över"), report["crl_number_above"])
    yield row(_("Rapportens SHA-256"), found.report_sha256, code=True, copy=True)
    if found.signature_key_id:
        yield row(_("Underskriven"), moment(found.signed_at))
        yield row(_("Med nyckeln (CKA_ID)"), found.signature_key_id, code=True)
    else:
        yield row(_("Underskriven"), _("inte än, pki-worker gör det när modulen svarar"))


def _step(each: ImportStep, names: Mapping[str, str]) -> dict[str, str]:
    facts, detail = each.facts, ""
    if each.action == "certificates.imported":
        detail = _("{count} rader, till rad {position}").format(count=number(facts["count"]), position=number(facts["position"]))
    return {
        "at": moment(each.at),
        "what": wording.label(import_words.IMPORT_EVENT, each.action),
        "detail": detail,
        "who": pki_words.who(names, each.actor_ref),
    }


def _comparison(each: ComparisonView, names: Mapping[str, str]) -> dict[str, Any]:
    """Returns one comparison with the old service's CRLs."""
    many = sum(kind.number for kind in each.differences)
    return {
        "at": moment(each.at),
        "who": pki_words.who(names, each.actor_ref),
        "lists": ", ".join(_("{place} nummer {number}").format(place=one["place"], number=one["number"]) for one in each.lists),
        "differs": bool(many),
        "said": ngettext("{n} skillnad", "{n} skillnader", many).format(n=number(many)) if many else _("Säger detsamma"),
        "kinds": [f"{kind.text}: {number(kind.number)}" for kind in each.differences],
        "serials": [{"serial": serial, "text": text} for serial, text in each.serials],
        "later": number(each.later),
    }


def _functions(found: ImportRecord) -> Iterator[Link]:
    own = found.line
    if found.report:
        kinds = [("txt", _("Hämta rapporten (text)")), ("json", _("Hämta rapporten (JSON)"))]
        if found.signature_key_id:
            kinds += [("sig", _("Hämta underskriften")), ("pem", _("Hämta underskriftens nyckel"))]
        for kind, text in kinds:
            yield Link(text, reverse("pki_import_report", args=[own.id, kind]))
    if own.has_begun:
        yield Link(_("Visa utfärdaren"), reverse("pki_authority", args=[own.slug, own.generation]))
    yield Link(_("Visa ärendet"), reverse("pki_approval", args=[own.id]))


def _tag(state: str) -> dict[str, str]:
    return pki_words.tagged(import_words.IMPORT_STATES, state)
