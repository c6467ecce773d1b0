"""Pages of imports of CAs: the list, one with its plan, progress, findings and report, and the report as files (ADR 0177).

The import itself is a command, since it reads a folder where the operator has it; two others approve it on the pages of matters.
"""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRefresh

from authn.web import made_by_the_page
from issuance.operators.web import import_rows
from issuance.operators.web.section import PKI, names_of
from issuance.records.web.frame import render_page
from issuance.records.web.lists import cursor, first_url, next_url
from issuance.records.web.refreshing import refreshing
from pki.operators import imports
from siths_portal.lib.downloads import attachment

SECTION = "imports"
PAGE = 25
_MEDIA_TYPES = {
    "json": "application/json",
    "txt": "text/plain; charset=utf-8",
    "sig": "application/octet-stream",
    "pem": "application/x-pem-file",
}


@require_safe
@PKI.requires()
def import_list(request: HttpRequest) -> HttpResponse:
    """Imports that were asked for, the newest first."""
    found = imports.import_lines(after=cursor(request), limit=PAGE + 1)
    names = names_of(request, [each.requester_ref for each in found])
    context = {
        "rows": [import_rows.line(each, names) for each in found[:PAGE]],
        "next_url": next_url(request, found[PAGE - 1].id if len(found) > PAGE else None),
        "first_url": first_url(request),
    }
    return render_page(request, PKI, "operators/import_list.html", context, here=SECTION)


@require_safe
@PKI.requires()
def import_one(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """One import as it stands. htmx fetches the part that changes, `?lage=` being the state the page shows. Raises NotFound."""
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
    """The findings of one kind, in the order in which they were found. Raises NotFound."""
    text = request.GET.get("efter", "")
    after = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
    found = imports.import_findings(import_id, kind, after=after)
    context = {
        "found": found,
        "title": found.text[:1].upper() + found.text[1:],
        "import_url": reverse("pki_import", args=[import_id]),
        "next_url": next_url(request, found.after),
        "first_url": first_url(request),
    }
    return render_page(request, PKI, "operators/import_findings.html", context, here=SECTION)


@require_safe
@PKI.requires()
def import_report(request: HttpRequest, import_id: UUID, kind: str) -> HttpResponse:
    """The report as JSON or text, its signature, or the signature's public key, to save. Raises NotFound."""
    found = imports.import_report(import_id, kind)
    return attachment(found.content, media_type=_MEDIA_TYPES[kind], filename=found.name)
