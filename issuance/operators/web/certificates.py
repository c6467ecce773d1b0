"""Pages of certificates: the search, its hits, one certificate with all its data, and its files. Every view of a certificate
records an event (ADR 0080).
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from issuance.authz import Actor
from issuance.operators.queries import operator_certificates, pki_words
from issuance.operators.queries.operator_certificates import CertificateHits, Owner
from issuance.operators.queries.pki_words import moment
from issuance.operators.services import certificate_searches
from issuance.operators.web.forms import CertificateSearchForm
from issuance.operators.web.lists import CertificateList
from issuance.operators.web.section import PKI
from issuance.people.queries import officers
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.records.domain import wording
from issuance.records.web.forms import tried
from issuance.records.web.frame import Link, actor_of, render_page, session_id_of
from issuance.records.web.values import row
from pki.operators import certificates
from pki.operators.certificates import CertificateRecord
from siths_portal.lib.files.downloads import attachment


@require_http_methods(["GET", "HEAD", "POST"])
@PKI.requires()
def search(request: HttpRequest) -> HttpResponse:
    """Shows the form, with a CA preselected by `?utfardare=`, and redirects to the hits of a posted search."""
    if request.method != "POST":
        return _page(request, CertificateSearchForm(initial={"ca": request.GET.get("utfardare", "")}))
    form = CertificateSearchForm(request.POST)
    actor, session_id = actor_of(request), session_id_of(request)
    found, status = tried(form, lambda: certificate_searches.search(actor=actor, session_id=session_id, **form.criteria()))
    return redirect("pki_certificate_hits", found.id) if found else _page(request, form, status=status)


@require_safe
@PKI.requires()
def hits(request: HttpRequest, search_id: UUID) -> HttpResponse:
    """Shows a page of the current hits of a search of the user's own session. Raises NotFound."""
    actor = actor_of(request)
    found = certificate_searches.own(actor=actor, session_id=session_id_of(request), search_id=search_id)
    result = CertificateHits(actor, found)
    context = {"list": CertificateList(request, result).shown(), "looked_through": result.looked_through}
    return _page(request, CertificateSearchForm(initial=found.form), context)


@require_safe
@PKI.requires()
def certificate(request: HttpRequest, certificate_id: UUID) -> HttpResponse:
    """Shows a certificate with every field and its history. Raises NotFound."""
    actor = actor_of(request)
    found, owner = operator_certificates.record(actor=actor, certificate_id=certificate_id)
    _record_disclosure(actor, owner, certificate_id)
    refs = {each.actor_ref for each in found.events} | {each.requester for each in found.revocations}
    names = officers.names(actor, refs)
    status = pki_words.shown_status(found)
    context = {
        "found": found,
        "tag": pki_words.tagged(pki_words.CERTIFICATE_STATES, status),
        "use": wording.label(pki_words.PROFILE, found.profile),
        "facts": list(_facts(found, owner)),
        "serial": [row(line.label, line.value, code=True, copy=True) for line in found.serial.lines()],
        "published": list(_published(found)),
        "revocations": [_revocation(each, names) for each in found.revocations],
        "events": [_event(each, names) for each in found.events],
        "sections": found.decoded.sections if found.decoded else (),
        "functions": list(_functions(found, owner)),
    }
    return render_page(request, PKI, "operators/certificate.html", context, here="certificates")


@require_safe
@PKI.requires()
def certificate_pem(request: HttpRequest, certificate_id: UUID) -> HttpResponse:
    """Returns the certificate as a PEM file. Raises NotFound, also if it was never signed."""
    return attachment(
        certificates.certificate_pem(_file(request, certificate_id)),
        media_type="application/x-pem-file",
        filename="certifikat.pem",
    )


@require_safe
@PKI.requires()
def certificate_der(request: HttpRequest, certificate_id: UUID) -> HttpResponse:
    """Returns the certificate as DER (RFC 2585 section 4.1). Raises as `certificate_pem`."""
    return attachment(_file(request, certificate_id), media_type="application/pkix-cert", filename="certifikat.cer")


def _file(request: HttpRequest, certificate_id: UUID) -> bytes:
    actor = actor_of(request)
    der, owner = operator_certificates.der(actor=actor, certificate_id=certificate_id)
    _record_disclosure(actor, owner, certificate_id)
    return der


def _record_disclosure(actor: Actor, owner: Owner, certificate_id: UUID) -> None:
    if owner.person_id is None:
        disclosures.record_certificate(actor=actor, certificate_id=certificate_id)
    else:
        disclosures.record(actor=actor, person_id=owner.person_id, shown=Shown.CERTIFICATE, subject=certificate_id)


def _page(
    request: HttpRequest, form: CertificateSearchForm, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    return render_page(
        request, PKI, "operators/certificates.html", {"form": form, **(context or {})}, here="certificates", status=status
    )


def _facts(found: CertificateRecord, owner: Owner) -> Iterator[dict[str, Any]]:
    ca_url = reverse("pki_authority", args=[found.ca, found.generation])
    yield row(_("Utfärdare"), f"{found.ca_name} ({found.generation})", url=ca_url, action=_("Visa"))
    version = _("{profile}, version {version}").format(profile=pki_words.profile(found.profile), version=found.profile_version)
    yield row(_("Profil"), version if found.profile else _("bara serienumret finns här"))
    if found.profile_sha256:
        yield row(_("Profilens SHA-256"), found.profile_sha256, code=True)
    yield row(_("Giltigt från"), moment(found.not_before))
    yield row(_("Giltigt till"), moment(found.not_after))
    yield row(_("Planerat"), moment(found.created_at))
    if found.signing_started_at:
        attempts = _("{moment}, försök {n}").format(moment=moment(found.signing_started_at), n=found.signing_attempts)
        yield row(_("Signering påbörjad"), attempts)
    if found.issued_at:
        yield row(_("Signerat och sparat"), moment(found.issued_at))
    if found.verified is not None:
        right, wrong = _("stämmer med utfärdarens nyckel"), _("stämmer inte med utfärdarens nyckel")
        yield row(_("Signaturen"), right if found.verified else wrong)
    if found.held:
        yield row(_("Vilande"), _("tills kortets innehavare har valt legitimeringskod"))
    if found.failure:
        yield row(_("Fel"), found.failure)
    if found.revoked_at:
        reason = wording.label(pki_words.REASON, found.reason)
        yield row(_("Spärrat"), moment(found.revoked_at))
        yield row(_("Orsak i spärrlistan"), f"{reason} ({found.reason})")
    if found.invalidity_date:
        yield row(_("Ogiltigt sedan (invalidityDate)"), moment(found.invalidity_date))
    for label, value in (
        (_("Certifikat-id"), str(found.id)),
        (_("Innehavarens referens"), found.subject_ref),
        (_("Kortets referens"), found.carrier_ref),
        (_("Enhetens referens"), found.unit_ref),
        (_("Beställarens referens"), found.client_ref),
        (_("Nyckelns SHA-256"), found.spki_sha256),
        (_("Signerat innehåll, SHA-256"), found.tbs_sha256),
    ):
        if value:
            yield row(label, value, code=True)
    if owner.person_id:
        yield row(_("Person"), _("känd i portalen"), url=reverse("person", args=[owner.person_id]), action=_("Visa"))


def _published(found: CertificateRecord) -> Iterator[dict[str, Any]]:
    for answer in found.answers:
        text = _("{start} till {end}").format(start=moment(answer.this_update), end=moment(answer.next_update))
        note = _("aktuellt") if answer.current else _("ersätts eller har gått ut")
        yield row(_("OCSP-svar, {name}").format(name=answer.cert_id_hash.upper()), f"{text}, {note}")
    if not found.answers:
        if found.held:
            none = _("revoked, certificateHold; signeras för varje fråga och gäller i tio minuter")
        else:
            none = _("inget är signerat än") if found.published.answers_ocsp else _("inget publiceras för certifikatet")
        yield row(_("OCSP-svar"), none)
    if not found.revoked_at:
        yield row(_("Spärrlista"), _("finns inte i någon lista"))
    elif found.published.crl_since:
        number = _("nummer {n}, sedan {moment}").format(n=found.crl_number, moment=moment(found.published.crl_since))
        yield row(_("Spärrlista"), number)
    elif found.published.crl_due:
        yield row(_("Spärrlista"), _("nästa, planerad {moment}").format(moment=moment(found.published.crl_due)))
    else:
        yield row(_("Spärrlista"), _("publiceras inte här"))


def _revocation(each: Any, names: dict[str, str]) -> list[dict[str, Any]]:
    return [
        row(_("Begäran kom in"), moment(each.received_at)),
        row(_("Beslutad"), moment(each.decided_at)),
        row(_("Gäller från"), moment(each.effective_at)),
        row(_("Begärd av"), pki_words.who(names, each.requester)),
        row(_("Kanal"), wording.label(pki_words.REVOCATION_CHANNEL, each.channel)),
        row(_("Orsak"), f"{wording.label(pki_words.REASON, each.reason)} ({each.reason})"),
        *([row(_("Motivering"), each.justification)] if each.justification else []),
        *([row(_("Ogiltigt sedan"), moment(each.invalidity_date))] if each.invalidity_date else []),
    ]


def _event(each: Any, names: dict[str, str]) -> dict[str, str]:
    what = wording.label(pki_words.EVENT, each.action)
    return {"at": moment(each.at), "what": what, "who": pki_words.who(names, each.actor_ref)}


def _functions(found: CertificateRecord, owner: Owner) -> Iterator[Link]:
    none = _("Det finns inget signerat certifikat.")
    yield Link(_("Hämta certifikatet (PEM)"), reverse("pki_certificate_pem", args=[found.id]), found.signed, none)
    yield Link(_("Hämta certifikatet (DER)"), reverse("pki_certificate_der", args=[found.id]), found.signed, none)
    if owner.person_id:
        yield Link(_("Till personen"), reverse("person", args=[owner.person_id]))
