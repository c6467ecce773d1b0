"""Blanketter efter ett avbrott: requests on paper, entered many at once (rules/issuance 6.5)."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from issuance.authz import Action
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.revocation.services import paper_requests
from issuance.revocation.services.paper_requests import CarriedOut, MatchedRequest
from issuance.revocation.web.paper_forms import MORE, MOST, PaperForm, in_row, in_words
from siths_portal.lib.errors import Invalid
from siths_portal.lib.ids import id_of


@require_http_methods(["GET", "HEAD", "POST"])
@SEARCH.requires(Action.REVOKE_CARRIER)
def paper_revocations(request: HttpRequest) -> HttpResponse:
    """Shows rows to fill in, then what they name, and then revokes it. Raises Forbidden."""
    typed: Mapping[str, str] = request.POST or getattr(request, "kept_form", {})
    count = _count(typed.get("rader", ""))
    if request.method != "POST":
        return _page(request, PaperForm(count=count))
    if "fler" in request.POST:
        return _page(request, PaperForm(count=count + MORE, initial=request.POST.dict()))
    form = PaperForm(request.POST, count=count)
    form.is_valid()
    if not (requests := form.requests()):
        form.add_error("person_1", in_row(1, _("Fyll i minst en rad.")))
    ready = [paper for paper in requests if paper.row not in form.faulty]
    if "kontrollerad" in request.POST:
        return _carry_out(request, form, ready)
    matched = paper_requests.match(actor=actor_of(request), requests=requests)
    form.take_rows(matched)
    found = [row for row in matched if row.paper.row not in form.faulty]
    return _review(request, form, found) if found else _page(request, form, status=Invalid.http_status)


def _carry_out(request: HttpRequest, form: PaperForm, ready: Sequence[paper_requests.PaperRequest]) -> HttpResponse:
    shown: dict[int, UUID] = {}
    for paper in ready:
        if (subject := id_of(request.POST.get(f"sak_{paper.row}", ""))) is not None:
            shown[paper.row] = subject
    confirmed = [paper for paper in ready if paper.row in shown]
    done = paper_requests.carry_out(actor=actor_of(request), requests=confirmed, shown=shown)
    carried_out = {row.paper.row for row in (*done.revoked, *done.held)}
    behind = [paper for paper in form.requests() if paper.row not in carried_out]
    left = PaperForm(form.left(behind), count=form.count)
    left.is_valid()
    left.take_rows(paper_requests.match(actor=actor_of(request), requests=left.requests()))
    left.take_rows(done.faulty)
    _disclose(request, [*done.revoked, *done.held])
    return _page(request, left if behind else None, done=done)


def _review(request: HttpRequest, form: PaperForm, found: Sequence[MatchedRequest]) -> HttpResponse:
    _disclose(request, found)
    return render_page(
        request, SEARCH, "revocation/paper_review.html", {"form": form, "found": [(row, in_words(row.paper)) for row in found]}
    )


def _page(request: HttpRequest, form: PaperForm | None, *, done: CarriedOut | None = None, status: int = 200) -> HttpResponse:
    context = {"form": form, "done": done, "may_grow": form is not None and form.count < MOST}
    return render_page(request, SEARCH, "revocation/paper.html", context, status=status)


def _disclose(request: HttpRequest, rows: Sequence[MatchedRequest]) -> None:
    for person_id in {row.carrier.holder_id for row in rows if row.carrier}:
        disclosures.record(actor=actor_of(request), person_id=person_id, shown=Shown.REVOCATION)


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else MORE
