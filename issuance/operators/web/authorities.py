"""Pages of CAs and of the keys in the tokens."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from issuance.operators.queries import pki_words
from issuance.operators.queries.pki_words import minute, moment
from issuance.operators.web import ca_states
from issuance.operators.web.health import headline
from issuance.operators.web.lists import DestroyedKeyList
from issuance.operators.web.section import PKI
from issuance.records.domain import wording
from issuance.records.web.frame import Link, actor_of, render_page
from issuance.records.web.values import bytes_of, number, row
from pki.operators.approvals import ca_state_matter, waiting_count
from pki.operators.authorities import AuthorityLine, AuthorityRecord, authority_certificate, authority_lines, authority_record
from pki.operators.certificates import certificate_pem
from pki.operators.keys import KeyView, keys_in_use
from siths_portal.lib import clock
from siths_portal.lib.files.downloads import attachment

SIGNER_SOON = dt.timedelta(days=10)
"""Responders are renewed 15 days before they end; fewer days than this mean that the renewal fails."""

CA_SOON = dt.timedelta(days=90)

_FAULTY = ("missing", "drifted")
"""Findings of the inventory that mean that a key is not as recorded."""


@require_safe
@PKI.requires()
def authority_list(request: HttpRequest) -> HttpResponse:
    """Shows every CA with its state, CRL and responder, and the number of open requests."""
    lines = [_line(line) for line in authority_lines()]
    waiting = waiting_count()
    return render_page(
        request,
        PKI,
        "operators/authorities.html",
        {
            "lines": lines,
            "waiting": waiting,
            "headline": headline(actor_of(request)),
            "troubled": sum(each["troubled"] for each in lines),
        },
        here="authorities",
    )


@require_safe
@PKI.requires()
def authority(request: HttpRequest, slug: str, generation: int) -> HttpResponse:
    """Shows one CA with all its data. Raises NotFound."""
    found, matter = authority_record(slug, generation), ca_state_matter(slug, generation)
    context = {
        "found": found,
        "matter": matter,
        "state": _state(found.line.state),
        "means": pki_words.meaning(pki_words.CA_STATES, found.line.state),
        "facts": _facts(found),
        "published": _published(found),
        "identity": _identity(found),
        "responders": [_responder(each) for each in found.responders],
        "counts": [_count(each) for each in found.counts],
        "estimated": any(each.estimated for each in found.counts),
        "functions": list(_functions(found)),
    }
    return render_page(request, PKI, "operators/authority.html", context, here="authorities")


@require_safe
@PKI.requires()
def authority_pem(request: HttpRequest, slug: str, generation: int) -> HttpResponse:
    """Returns the CA's certificate as a PEM file. Raises NotFound."""
    der = authority_certificate(slug, generation)
    return attachment(certificate_pem(der), media_type="application/x-pem-file", filename=f"{slug}-{generation}.pem")


@require_safe
@PKI.requires()
def authority_der(request: HttpRequest, slug: str, generation: int) -> HttpResponse:
    """Returns the CA's certificate as DER (RFC 2585 section 4.1). Raises NotFound."""
    der = authority_certificate(slug, generation)
    return attachment(der, media_type="application/pkix-cert", filename=f"{slug}-{generation}.cer")


@require_safe
@PKI.requires()
def key_list(request: HttpRequest) -> HttpResponse:
    """Shows the keys in the tokens and the destroyed keys."""
    destroyed = DestroyedKeyList(request).shown()
    in_use = [] if destroyed.first_url else keys_in_use()
    context = {
        "in_use": [_key(each) for each in in_use],
        "faulty": sum(each.finding in _FAULTY for each in in_use),
        "destroyed": [_key(each) for each in destroyed.lines],
        "next_url": destroyed.next_url,
        "previous_url": destroyed.previous_url,
        "first_url": destroyed.first_url,
    }
    return render_page(request, PKI, "operators/keys.html", context, here="keys")


def _state(state: str) -> dict[str, str]:
    return pki_words.tagged(pki_words.CA_STATES, state)


def _line(line: AuthorityLine) -> dict[str, Any]:
    now = clock.now()
    newest = line.newest_list
    publishes = line.state in ("active", "status_only", "retired", "offline")
    ends_soon = line.not_after is not None and line.not_after - now < CA_SOON
    list_late = publishes and line.key_id and (newest is None or _is_late(newest, now))
    signer_soon = line.signer_until is not None and line.signer_until - now < SIGNER_SOON
    return {
        "line": line,
        "state": _state(line.state),
        "not_after": wording.day(line.not_after),
        "publishes": publishes,
        "ends_soon": ends_soon,
        "list_due": newest and (minute(newest.due) or _("Den sista")),
        "list_late": list_late,
        "signer_days": (line.signer_until - now).days if line.signer_until else None,
        "signer_soon": signer_soon,
        "troubled": bool(publishes and (ends_soon or list_late or signer_soon)) or line.state == "compromised",
    }


def _is_late(newest: Any, now: dt.datetime) -> bool:
    """Returns whether a CRL should have been replaced by now. The last CRL of a CA has no due time and is never late."""
    return any(moment is not None and moment < now for moment in (newest.due, newest.next_update))


def _facts(found: AuthorityRecord) -> list[dict[str, Any]]:
    parent = found.parent and reverse("pki_authority", args=found.parent)
    return [
        row(_("Kortnamn"), found.line.slug, code=True),
        row(_("Generation"), found.line.generation),
        row(_("Utfärdad av"), found.line.parent or _("sig själv (rot)"), url=parent, action=_("Visa")),
        row(_("Giltig från"), moment(found.line.not_before)),
        row(_("Giltig till"), moment(found.line.not_after)),
        row(_("Nyckel (CKA_ID)"), found.line.key_id or _("finns inte här"), code=True),
        row(_("Modul"), found.token_label),
        row(_("Serienummer som utfärdaren använder"), wording.label(pki_words.SERIAL_MODE, found.serial_mode)),
        row(_("Registrerad"), moment(found.created_at)),
    ]


def _published(found: AuthorityRecord) -> list[dict[str, Any]]:
    newest = found.line.newest_list
    rows = [
        row(_("Tid mellan spärrlistor"), pki_words.span(found.crl_period)),
        row(_("En lista gäller"), pki_words.span(found.crl_validity)),
    ]
    if newest is None:
        return [row(_("Spärrlista"), _("ingen har publicerats")), *rows]
    age = pki_words.ago(clock.now() - newest.this_update)
    return [
        row(_("Nummer"), newest.number),
        row(_("Publicerad"), f"{moment(newest.this_update)}, {age}"),
        row(_("Nästa planerad"), moment(newest.due) or _("ingen, detta är den sista")),
        row(_("Gäller till"), moment(newest.next_update) or _("tills vidare")),
        row(_("Poster"), newest.entries),
        row(_("Storlek"), bytes_of(newest.size)),
        row(_("SHA-256"), newest.sha256, code=True),
        *rows,
        row(_("Adress till spärrlistan"), found.addresses["crl_url"]),
        row(_("Adress till OCSP"), found.addresses["ocsp_url"]),
        row(_("Adress till certifikatet"), found.addresses["aia_url"]),
    ]


def _identity(found: AuthorityRecord) -> list[dict[str, Any]]:
    hashes = found.certificate_hashes
    return [
        row(_("Fingeravtryck SHA-256"), found.sha256, code=True, copy=True),
        row(_("Fingeravtryck SHA-1"), found.sha1, code=True),
        row(_("Nyckelns SHA-256"), found.spki_sha256, code=True),
        row(_("Nyckelidentitet (SKI)"), found.ski, code=True),
        row(_("OCSP issuerNameHash, SHA-1"), hashes["name_sha1"], code=True),
        row(_("OCSP issuerKeyHash, SHA-1"), hashes["key_sha1"], code=True),
        row(_("OCSP issuerNameHash, SHA-256"), hashes["name_sha256"], code=True),
        row(_("OCSP issuerKeyHash, SHA-256"), hashes["key_sha256"], code=True),
        row(_("Ceremonifilens beskrivning, SHA-256"), found.definition_sha256, code=True),
    ]


def _responder(each: Any) -> dict[str, Any]:
    return {
        "responder": each,
        "not_before": wording.day(each.not_before),
        "not_after": wording.day(each.not_after),
        "retired_at": moment(each.retired_at),
    }


def _count(each: Any) -> dict[str, Any]:
    count = number(each.number)
    return {
        "name": wording.label(pki_words.STATUS_COUNTED, each.status),
        "value": _("cirka {n}").format(n=count) if each.estimated else count,
    }


def _functions(found: AuthorityRecord) -> Iterable[Link]:
    if found.certificate_id:
        yield Link(_("Visa certifikatet"), reverse("pki_certificate", args=[found.certificate_id]))
    arguments = [found.line.slug, found.line.generation]
    if found.certificate:
        yield Link(_("Hämta certifikatet (PEM)"), reverse("pki_authority_pem", args=arguments))
        yield Link(_("Hämta certifikatet (DER)"), reverse("pki_authority_der", args=arguments))
    yield Link(_("Certifikat från utfärdaren"), f"{reverse('pki_certificates')}?utfardare={arguments[0]}:{arguments[1]}")
    why_not = ca_states.obstacle(found)
    yield Link(_("Ändra tillstånd"), reverse("pki_authority_state", args=arguments), not why_not, why_not)


def _key(key: KeyView) -> dict[str, Any]:
    facts = [
        row(_("CKA_ID"), key.key_id, code=True, copy=True),
        row(_("Modul"), key.token_label),
        row(_("Algoritm"), key.algorithm),
        row(_("Ursprung"), wording.label(pki_words.PROVENANCE, key.provenance)),
        row(_("Skapad"), moment(key.created_at)),
        row(_("Används av"), ", ".join(key.used_by)),
        row(_("Egenskaper"), _attributes(key), code=True),
        row(_("Senast jämförd med modulen"), moment(key.checked_at)),
    ]
    if key.finding_facts:
        facts.append(row(_("Avvikelse"), ", ".join(f"{name}: {value}" for name, value in key.finding_facts.items())))
    if key.ceremony_sha256:
        facts.append(row(_("Ceremoni, SHA-256"), key.ceremony_sha256, code=True))
    if key.seals:
        facts.append(row(_("Förseglingar"), key.seals))
    if key.retired_at:
        facts.append(row(_("Förstörd"), moment(key.retired_at)))
    finding = pki_words.tagged(pki_words.FINDINGS, key.finding)
    return {"key": key, "purpose": wording.label(pki_words.PURPOSE, key.purpose), "facts": facts, "finding": finding}


def _attributes(key: KeyView) -> str:
    return ", ".join(
        name if value is True else f"{name}={value}" for name, value in sorted(key.attributes.items()) if value != ""
    )
