"""Pages of key ceremonies: prepared and performed ones, and one ceremony with its approvals, history and ceremony record.

People with the root's token perform a ceremony at the command line. The pages only show and explain.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from issuance.operators.queries import pki_words
from issuance.operators.queries.pki_words import minute, moment
from issuance.operators.web.lists import CeremonyList, PreparedList
from issuance.operators.web.section import PKI
from issuance.people.queries import officers
from issuance.records.domain import wording
from issuance.records.web.frame import Link, actor_of, render_page
from issuance.records.web.values import row
from pki import ceremonies as pki_ceremonies
from pki.ceremonies import CeremonyRecord, OutputView, ProposalView
from pki.operators import approvals
from pki.operators.approvals import ApprovalView
from pki.operators.ceremonies import CeremonyEvent, ceremony_events, ceremony_protocol, ceremony_remaining, protocol_content
from siths_portal.lib.files.downloads import attachment

SECTION = "ceremonies"
SIGNED, PERFORMED, KEPT = 2, 3, 4
"""The numbers of the steps after preparation, as `steps` counts them."""


@require_safe
@PKI.requires()
def ceremony_list(request: HttpRequest) -> HttpResponse:
    """Shows the prepared ceremonies and the started ones, the newest first."""
    shown = CeremonyList(request).shown()
    context = {
        "list": shown,
        "prepared": None if shown.first_url else PreparedList(request, prepared_tag).shown(),
        "functions": [Link(_("Förbered en ceremoni"), reverse("pki_ceremony_propose"))],
    }
    return render_page(request, PKI, "operators/ceremonies.html", context, here=SECTION)


@require_safe
@PKI.requires()
def ceremony(request: HttpRequest, ceremony_id: UUID) -> HttpResponse:
    """Shows one ceremony with everything recorded about it. Raises NotFound."""
    found = pki_ceremonies.ceremony(ceremony_id)
    approval = approvals.approval(found.approval_id)
    events = ceremony_events(found.view.file_sha256)
    names = officers.names(actor_of(request), [each.actor_ref for each in events])
    finished = bool(found.transcript)
    content = protocol_content(found.transcript) if finished else {}
    context = {
        "found": found,
        "state": pki_words.tagged(pki_words.CEREMONY_STATES, found.view.state),
        "means": pki_words.meaning(pki_words.CEREMONY_STATES, found.view.state),
        "steps": steps(KEPT + 1 if finished else PERFORMED, failed=found.view.state == "failed"),
        "facts": list(_facts(found)),
        "approvals": list(_approvals(approval)),
        "approval_facts": _approval_facts(approval),
        "history": [event(each, names) for each in events],
        "remaining": None if finished else ceremony_remaining(found.file_text),
        "made": list(_made(content)),
        "outputs": [_output(each) for each in found.outputs],
        "functions": list(_functions(found)),
    }
    return render_page(request, PKI, "operators/ceremony.html", context, here=SECTION)


@require_safe
@PKI.requires()
def protocol_json(request: HttpRequest, ceremony_id: UUID) -> HttpResponse:
    """Returns the ceremony record as canonical JSON. Raises NotFound."""
    found = ceremony_protocol(ceremony_id)
    return attachment(found.document, media_type="application/json", filename=found.name)


@require_safe
@PKI.requires()
def protocol_text(request: HttpRequest, ceremony_id: UUID) -> HttpResponse:
    """Returns the ceremony record as text to read and sign. Raises NotFound."""
    found = ceremony_protocol(ceremony_id)
    filename = found.name.removesuffix(".json") + ".txt"
    return attachment(found.readable, media_type="text/plain; charset=utf-8", filename=filename)


@require_safe
@PKI.requires()
def ceremony_file(request: HttpRequest, ceremony_id: UUID) -> HttpResponse:
    """Returns the executed ceremony file, byte for byte. Raises NotFound."""
    found = pki_ceremonies.ceremony(ceremony_id)
    return yaml_file(found.file_text, found.view.file_sha256)


def yaml_file(text: str, sha256: str) -> HttpResponse:
    """Returns a download of a ceremony file. Its hash is the one that the approvers signed."""
    return attachment(text.encode(), media_type="application/yaml", filename=file_name(sha256))


def file_name(sha256: str) -> str:
    """Returns the file name of the download of the file with this hash."""
    return f"ceremoni-{sha256[:12]}.yaml"


def steps(now: int, *, failed: bool = False) -> list[dict[str, str]]:
    """Returns the steps of a ceremony as stages of a track. Steps before `now` are done; step `now` may have failed."""
    texts = (
        (_("Förberedd"), _("Filen är granskad och uppladdad.")),
        (_("Underskriven"), _("Godkännarna har skrivit under filen, var och en med sin egen nyckel.")),
        (_("Genomförd"), _("Kommandot pki_ceremony har följt filen, med rotens modul ansluten.")),
        (_("Arkiverad"), _("Protokollet är skrivet och kan hämtas och skrivas under.")),
    )

    def state(number: int) -> str:
        if number == now:
            return "stop" if failed else "now"
        return "done" if number < now else "later"

    return [{"state": state(number), "text": name, "note": text} for number, (name, text) in enumerate(texts, start=1)]


def event(each: CeremonyEvent, names: Mapping[str, str]) -> dict[str, str]:
    """Returns a line of the history. A ceremony's own events carry its file's hash as the actor."""
    by = _("Kommandot pki_ceremony") if each.actor_ref.startswith("ceremony:") else pki_words.who(names, each.actor_ref)
    what = wording.label(pki_words.CEREMONY_EVENT, each.action)
    return {"at": moment(each.at), "what": what, "who": by, "failure": str(each.facts.get("failure", ""))}


def prepared_tag(view: ProposalView) -> dict[str, str]:
    """Returns the tag for the progress of a prepared ceremony's signatures."""
    if view.faulty:
        return {"kind": "missing", "text": _("Underskrift gäller inte längre")}
    if view.is_signed:
        return {"kind": "sent", "text": _("Underskriven")}
    return {"kind": "queued", "text": _("Väntar på underskrifter")}


def _facts(found: CeremonyRecord) -> Iterator[dict[str, Any]]:
    yield row(_("Miljö"), found.view.environment, code=True)
    yield row(_("Började"), moment(found.view.started_at))
    yield row(_("Avslutades"), moment(found.view.finished_at) or _("inte än"))
    if found.view.failure:
        yield row(_("Felet som avbröt"), found.view.failure, code=True)
    for each in found.participants:
        yield row(each.role, each.name)
    yield row(_("Filens SHA-256"), found.view.file_sha256, code=True, copy=True)
    if found.view.transcript_sha256:
        yield row(_("Protokollets SHA-256"), found.view.transcript_sha256, code=True, copy=True)


def _approvals(approval: ApprovalView) -> Iterator[dict[str, Any]]:
    """Yields every approver in the file and whether they approved."""
    for each in approval.document.get("approvers", ()):
        given = approval.decision_of(each["ref"])
        yield {
            "name": each["name"],
            "certificate_sha256": each["certificate_sha256"],
            "tag": {"kind": "active", "text": _("Skrev under")} if given else {"kind": "info", "text": _("Deltog inte")},
            "at": moment(given.at) if given else "",
        }


def _approval_facts(approval: ApprovalView) -> dict[str, Any]:
    return {
        "asked": approval.document.get("required", approval.required),
        "given": approval.approved_by,
        "until": minute(approval.expires_at),
    }


def _made(content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the chapters of the ceremony record that have lines."""
    chapters: Sequence[tuple[str, str, Any]] = (
        (_("Nycklar"), "keys", lambda e: (wording.label(pki_words.PURPOSE, e["purpose"]), f"{e['label']}, {e['algorithm']}")),
        (_("Utfärdare"), "authorities", _authority),
        (_("OCSP-svarare"), "ocsp_signers", lambda e: (e["ca"], _("serienummer {serial}").format(serial=e["serial"]))),
        (_("Åtgärder"), "acts", _act),
        (_("Spärrlistor"), "crls", lambda e: (e["ca"], _("nr {n}, {m} poster").format(n=e["number"], m=e["entries"]))),
        (_("OCSP-svar"), "ocsp_answers", lambda e: (e["ca"], f"{e['of']}, {e['status']}, {e['cert_id_hash']}")),
    )
    for heading, key, columns in chapters:
        if content.get(key):
            yield {"heading": heading, "rows": [row(*columns(each)) for each in content[key]]}


def _authority(entry: Mapping[str, Any]) -> tuple[str, str]:
    state = pki_words.label(pki_words.CA_STATES, entry["state"])
    made = _("ny") if entry.get("made") else _("fanns redan")
    return entry["common_name"], f"{made}, {state.lower()}, {_('serienummer')} {entry['serial']}"


def _act(entry: Mapping[str, Any]) -> tuple[str, str]:
    what = wording.label(pki_words.CEREMONY_ACT, entry["act"])
    value = wording.label({**pki_words.labels(pki_words.CA_STATES), **pki_words.REASON}, entry["value"])
    about = ", ".join(filter(None, (f"{entry['ca']} {entry['generation']}", value, entry.get("justification", ""))))
    return what, about


def _output(each: OutputView) -> dict[str, str]:
    return {"kind": wording.label(pki_words.CEREMONY_OUTPUT, each.kind), "name": each.name, "sha256": each.sha256}


def _functions(found: CeremonyRecord) -> Iterator[Link]:
    arguments = [found.view.id]
    if found.transcript:
        yield Link(_("Hämta protokollet (text)"), reverse("pki_ceremony_protocol_text", args=arguments))
        yield Link(_("Hämta protokollet (JSON)"), reverse("pki_ceremony_protocol", args=arguments))
    yield Link(_("Hämta ceremonifilen (YAML)"), reverse("pki_ceremony_file", args=arguments))
    yield Link(_("Visa ärendet"), reverse("pki_approval", args=[found.approval_id]))
