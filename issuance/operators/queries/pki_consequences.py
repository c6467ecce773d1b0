"""The consequences of a change of a CA's state, in Swedish, for the operators who request, approve and execute it."""

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from pki.approvals import ApprovalAction
from pki.operators.approvals import ApprovalView
from pki.operators.authorities import AuthorityRecord, authority_record


def of_ca_state(found: AuthorityRecord, target: str) -> list[str]:
    """Returns the consequences of changing the CA to state `target`, the gravest first."""
    return list({"active": _active, "status_only": _status_only, "retired": _retired, "compromised": _compromised}[target](found))


def of_matter(matter: ApprovalView) -> list[str]:
    """Returns the consequences of a change of a CA's state that can still be executed. Returns an empty list for other
    approvals.
    """
    if matter.action != ApprovalAction.CA_STATE or not matter.is_waiting:
        return []
    return of_ca_state(authority_record(matter.document["slug"], matter.document["generation"]), matter.document["to"])


def _active(found: AuthorityRecord) -> Iterator[str]:
    again = found.line.state == "status_only"
    yield _("Utfärdaren utfärdar certifikat igen.") if again else _("Utfärdaren tas i bruk och utfärdar certifikat.")
    if found.generations:
        yield _("Om flera generationer utfärdar går nya beställningar till den nyaste.")
    yield _("Spärrlistor och OCSP-svar publiceras.")
    yield _("Går att ångra: utfärdaren kan sättas till bara status igen.")


def _status_only(found: AuthorityRecord) -> Iterator[str]:
    yield _stops()
    yield from _certificates(found, _("gäller som förut och kan spärras."))
    yield _("Spärrlistor och OCSP-svar publiceras som förut.")
    yield _("Går att ångra: utfärdaren kan sättas att utfärda igen.")


def _retired(found: AuthorityRecord) -> Iterator[str]:
    yield _("Går inte att ångra. En ny generation får ta över.")
    yield _stops()
    yield from _certificates(found, _("gäller till giltighetstidens slut, och kan spärras."))
    yield _("Spärrlistor och OCSP-svar publiceras tills det sista certifikatet har gått ut.")
    yield _("Den sista spärrlistan gäller för alltid.")


def _compromised(found: AuthorityRecord) -> Iterator[str]:
    yield _("Går inte att ångra.")
    yield _("Inga nya spärrlistor och OCSP-svar publiceras, eftersom ingen kan lita på det som nyckeln har signerat.")
    yield from _certificates(found, _("går inte att lita på och slutar fungera när publicerade svar och listor har gått ut."))
    if found.children:
        names = ", ".join(name for _slug, _generation, name in found.children)
        yield _("Det drabbar också utfärdarna under den: {names}.").format(names=names)
    if found.parent:
        yield _("Utfärdarens eget certifikat spärras inte här. Roten spärrar det vid en ceremoni. Förbered ceremonin genast.")
    else:
        yield _("En rot kan inte spärras. Alla som litar på roten måste ta bort den ur sina system.")


def _stops() -> str:
    return _("Utfärdaren tar inte emot nya beställningar. Beställda certifikat blir klara.")


def _certificates(found: AuthorityRecord, what: str) -> Iterator[str]:
    """Yields a sentence with the number of issued certificates that are not revoked, expired ones included."""
    counted = next((each for each in found.counts if each.status == "issued"), None)
    if counted is None or not counted.number:
        return
    about = _("Cirka ") if counted.estimated else ""
    number = ngettext("{n} certifikat som inte är spärrat", "{n} certifikat som inte är spärrade", counted.number)
    yield f"{about}{number.format(n=counted.number)} {what}"
