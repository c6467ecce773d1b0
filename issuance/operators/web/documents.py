"""A document under dual control as labelled rows, with every value."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issuance.operators.queries import pki_words
from issuance.records.domain import wording

_NAMES: Mapping[str, str] = {
    "slug": _("Kortnamn"),
    "generation": _("Generation"),
    "common_name": _("Utfärdare"),
    "certificate_sha256": _("Certifikatets SHA-256"),
    "from": _("Tillstånd nu"),
    "to": _("Nytt tillstånd"),
    "justification": _("Motivering"),
    "ceremony": _("Ceremoni"),
    "environment": _("Miljö"),
    "file_sha256": _("Filens SHA-256"),
    "required": _("Godkännanden som krävs"),
    "approvers": _("Godkännare"),
    "name": _("Namn"),
    "ref": _("Referens"),
    "reason": _("Spärrorsak"),
    "selection": _("Urval"),
    "as_of": _("Räknat"),
    "total": _("Certifikat i urvalet"),
    "revocable": _("Certifikat att spärra"),
    "groups": _("Fördelning"),
    "ca": _("Utfärdare"),
    "cas": _("Utfärdare"),
    "profile": _("Profil"),
    "profiles": _("Profiler"),
    "reserved": _("Utfärdas nu"),
    "issued": _("Utfärdade"),
    "revoked": _("Redan spärrade"),
    "members_sha256": _("Certifikatens SHA-256"),
    "issued_from": _("Utfärdade från"),
    "issued_until": _("Utfärdade före"),
    "key_hashes": _("Nycklar"),
    "serials": _("Serienummer"),
    "client_ref": _("Beställare"),
    "unit_ref": _("Enhet"),
    "include_expired": _("Även utgångna"),
    "invalidity_date": _("Ogiltiga sedan"),
    "received_at": _("Begäran kom in"),
    "requester": _("Begärd av"),
    "channel": _("Kanal"),
    "mass_revocation": _("Masspärr"),
    "publish_crls": _("Nya spärrlistor genast"),
    "source_record": _("Begäran på papper"),
    "registered_by": _("Nedskriven av"),
    "kept_at": _("Var papperet finns"),
    "count": _("Antal"),
    "sha256": _("SHA-256"),
}
_NAMES_OF: Mapping[str, Mapping[str, str]] = {
    "import": {
        "format": _("Källans format"),
        "key_id": _("Nyckel (CKA_ID)"),
        "hold": _("Tillfälligt spärrade"),
        "inputs_sha256": _("Filernas SHA-256"),
        "rows": _("Rader i källan"),
        "new": _("Nya certifikat"),
        "new_revoked": _("Nya som redan är spärrade"),
        "revoked": _("Finns här och blir spärrade"),
        "papers": _("Spärras efter begäran på papper"),
        "findings": _("Avvikelser"),
    }
}
"""Labels that apply only to documents of this action. The same name means something else in other documents."""
_CODED: Mapping[str, Mapping[str, str]] = {
    "from": pki_words.labels(pki_words.CA_STATES),
    "to": pki_words.labels(pki_words.CA_STATES),
    "reason": pki_words.REASON,
    "hold": pki_words.HOLD,
    "channel": pki_words.REVOCATION_CHANNEL,
}
_PEOPLE = ("requester", "registered_by")
_CAS = frozenset({"ca", "cas"})
_PROFILES = frozenset({"profile", "profiles"})
_MOMENTS = frozenset({"as_of", "issued_from", "issued_until", "invalidity_date", "received_at"})


def refs_of(document: Mapping[str, Any]) -> list[str]:
    """Returns the references of people that a document contains."""
    return [document[name] for name in _PEOPLE if isinstance(document.get(name), str)]


def rows_of(document: Mapping[str, Any], names: Mapping[str, str], action: str = "") -> list[dict[str, Any]]:
    """Returns the document's values with their labels, in the order of the labels here. The label of a nested value begins with
    the labels around it. `names` replaces references of people and CAs (`authority_names`) by their names.
    """
    own = _NAMES_OF.get(action, {})
    labels = {name: text for name, text in _NAMES.items() if name not in own} | dict(own)
    return list(_rows(labels, names, "", document))


def _rows(labels: Mapping[str, str], names: Mapping[str, str], path: str, value: Any, name: str = "") -> Iterator[dict[str, Any]]:
    if isinstance(value, Mapping):
        if "ca" in value and "generation" in value:  # the common name of a CA identified by both contains the generation
            both = f"{value['ca']}:{value['generation']}"
            value = {key: each for key, each in value.items() if both not in names or key != "generation"} | {"ca": both}
        # PostgreSQL does not preserve the order of keys in JSON.
        places = {key: place for place, key in enumerate(labels)}
        for key, inner in sorted(value.items(), key=lambda item: places.get(item[0], len(places))):
            yield from _rows(labels, names, _joined(path, gettext(labels.get(key, key))), inner, key)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        if not any(isinstance(inner, Mapping) for inner in value):
            yield {"label": path, "value": ", ".join(_text(names, name, inner) for inner in value)}
            return
        for number, inner in enumerate(value, start=1):
            yield from _rows(labels, names, f"{path} {number}", inner, name)
    else:
        yield {"label": path, "value": _text(names, name, value), "code": name.endswith("sha256") or name == "key_id"}


def _joined(path: str, name: str) -> str:
    return f"{path}: {name}" if path else name


def _text(names: Mapping[str, str], name: str, value: Any) -> str:
    if isinstance(value, bool):
        return gettext("ja") if value else gettext("nej")
    if name in _CODED and value in _CODED[name]:
        return wording.label(_CODED[name], value)
    if name in _PROFILES and isinstance(value, str):
        return pki_words.profile(value)
    if name in _PEOPLE and isinstance(value, str):
        return pki_words.who(names, value)
    if name in _CAS and isinstance(value, str):
        return names.get(value, value)
    if name in _MOMENTS and isinstance(value, str):
        try:
            return f"{pki_words.moment(dt.datetime.fromisoformat(value))} ({value})"
        except ValueError:
            return value
    return "–" if value is None else str(value)
