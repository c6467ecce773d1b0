"""Pages of imports of CAs: the list, one import with its plan, progress, findings and report, and the report as files (ADR
0177).

A command executes the import, because it reads a folder on the operator's machine. Two other people approve it on the pages of
approval requests.
"""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRefresh

from authn.web import made_by_the_page
from issuance.operators.web import import_rows
from issuance.operators.web.lists import FindingList, ImportList
from issuance.operators.web.section import PKI, names_of
from issuance.records.web.frame import render_page
from issuance.records.web.refreshing import refreshing
from pki.operators import imports
from siths_portal.lib.files.downloads import attachment

SECTION = "imports"
_MEDIA_TYPES = {
    "json": "application/json",
    "txt": "text/plain; charset=utf-8",
    "sig": "application/octet-stream",
    "pem": "application/x-pem-file",
}


@require_safe
@PKI.requires()
def import_list(request: HttpRequest) -> HttpResponse:
    """Shows the requested imports, the newest first."""
    return render_page(request, PKI, "operators/import_list.html", {"list": ImportList(request).shown()}, here=SECTION)


@require_safe
@PKI.requires()
def import_one(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Shows one import. htmx polls the part that changes, with the shown state in `?lage=`. Raises NotFound."""
    found = imports.import_record(import_id)
    shown = import_rows.progress(found)
    if request.headers.get("HX-Request"):
        made_by_the_page(request)
        if request.GET.get("lage") != shown["shown_state"]:
            return HttpResponseClientRefresh()
        return render(request, "operators/import_progress.html", shown)
    refs = {found.line.requester_ref, *(each.approver_ref for each in found.approval.decisions)}
    refs |= {each.actor_ref for each in found.steps} | {each.actor_ref for each in found.comparisons}
    names = names_of(request, refs)
    context = shown | import_rows.body(found, names)
    context |= {"address": reverse("pki_import", args=[import_id])} | refreshing(request, live=shown["follows"])
    return render_page(request, PKI, "operators/import.html", context, here=SECTION)


@require_safe
@PKI.requires()
def import_findings(request: HttpRequest, import_id: UUID, kind: str) -> HttpResponse:
    """Shows the findings of one kind, in the order in which the import found them. Raises NotFound."""
    shown = FindingList(request, import_id, kind).shown()
    text = imports.finding_text(kind)
    context = {"list": shown, "title": text[:1].upper() + text[1:], "import_url": reverse("pki_import", args=[import_id])}
    return render_page(request, PKI, "operators/import_findings.html", context, here=SECTION)


@require_safe
@PKI.requires()
def import_report(request: HttpRequest, import_id: UUID, kind: str) -> HttpResponse:
    """Returns the report as JSON or text, its signature, or the public key of the signature, as a download. Raises NotFound."""
    found = imports.import_report(import_id, kind)
    return attachment(found.content, media_type=_MEDIA_TYPES[kind], filename=found.name)
