"""The lists of the operators' pages: 25 rows a page, the newest first. The page's heading names the table."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from issuance.operators.queries import pki_words
from issuance.operators.queries.operator_certificates import CertificateHits
from issuance.operators.web import import_rows, mass_rows
from issuance.operators.web.section import names_of
from issuance.people.queries import officers
from issuance.records.domain import wording
from issuance.records.web.frame import actor_of
from pki.approvals import REQUIRED, ApprovalAction
from pki.ceremonies import ProposalView, ceremonies, open_proposals
from pki.mass_revocation import MassRevocationView, mass_revocations
from pki.operators.approvals import ApprovalView, closed_approvals, waiting_approvals
from pki.operators.certificate_search import CertificateLine
from pki.operators.imports import ImportLine, import_findings, imports
from pki.operators.keys import destroyed_keys
from siths_portal.lib.lists import Column, Empty, Kind, Lines, List, Source


def _link(name: str, item: str) -> Any:
    """Returns a function that links a row's object `item` to the page `name`."""
    return lambda row: reverse(name, args=[row[item].id])


class OperatorList(List[Any]):
    """The base of these lists. Rows are mappings."""

    css = "operators-table"
    order = "-"
    page_size = 25


def _approvals(row: Mapping[str, Any]) -> str:
    request = row["request"]
    return _("{given} av {required}").format(given=request.approved_by, required=request.required)


class ApprovalList(OperatorList):
    """Closed approval requests; with `waiting` the open ones, the oldest first."""

    counted_as = ngettext_lazy("{n} ärende", "{n} ärenden")
    columns = (
        Column(key="arende", heading=gettext_lazy("Ärende"), value="title", link=_link("pki_approval", "request")),
        Column(key="sort", heading=gettext_lazy("Sort"), value="action", extra=True),
        Column(key="av", heading=gettext_lazy("Begärt av"), value="requester"),
        Column(key="begart", heading=gettext_lazy("Begärt"), value="created_at", kind=Kind.MOMENT),
        Column(key="godkannanden", heading=gettext_lazy("Godkännanden"), value=_approvals, kind=Kind.NUMBER),
        Column(key="status", heading=gettext_lazy("Status"), value="tag", kind=Kind.TAG),
    )

    def __init__(self, request: HttpRequest, *, waiting: bool = False) -> None:
        super().__init__(request)
        self.waiting = waiting
        self.table_id = "oppna" if waiting else "avslutade"

    def rows(self) -> Source[Any]:
        """See `List`."""
        return Lines(self._lines(waiting_approvals())) if self.waiting else closed_approvals().mapped(self._lines)

    def _lines(self, found: Sequence[ApprovalView]) -> list[dict[str, Any]]:
        names = names_of(self.request, [each.requester_ref for each in found])
        return [
            {
                "request": each,
                "title": pki_words.matter(names, each.action, each.summary, each.document),
                "action": wording.label(pki_words.APPROVAL_ACTION, each.action),
                "tag": pki_words.tagged(pki_words.APPROVAL_STATES, each.state),
                "requester": pki_words.who(names, each.requester_ref),
                "created_at": pki_words.minute(each.created_at),
            }
            for each in found
        ]


class CertificateList(OperatorList):
    """Certificates from a search, or given ones."""

    counted_as = ngettext_lazy("{n} certifikat", "{n} certifikat")
    columns = (
        Column(key="serienummer", heading=gettext_lazy("Serienummer"), value="serial", css="number serial",
               link=lambda line: reverse("pki_certificate", args=[line.id])),
        Column(key="profil", heading=gettext_lazy("Profil"), value=lambda line: wording.label(pki_words.PROFILE, line.profile),
               below=lambda line: [line.profile] if line.profile in pki_words.PROFILE else []),
        Column(key="utfardare", heading=gettext_lazy("Utfärdare"),
               value=lambda line: f"{line.ca_name} ({line.generation})" if line.generation > 1 else line.ca_name),
        Column(key="fran", heading=gettext_lazy("Giltigt från"), value=lambda line: wording.day(line.not_before), kind=Kind.DAY),
        Column(key="till", heading=gettext_lazy("Giltigt till"), kind=Kind.DAY,
               value=lambda line: wording.last_day(line.not_after)),
        Column(key="status", heading=gettext_lazy("Status"), kind=Kind.TAG, value=lambda line: pki_words.tagged(
            pki_words.CERTIFICATE_STATES, pki_words.shown_status(line))),
    )  # fmt: skip
    table_id = "traffar"
    count_to = 0
    empty = Empty(
        gettext_lazy("Inga träffar"),
        gettext_lazy(
            "Kontrollera numret, eller vidga urvalet. Portalen söker serienumret i båda byteordningarna hos alla utfärdare. "
            "Fingeravtryck med SHA-1 går inte att söka på."
        ),
    )

    def __init__(self, request: HttpRequest, found: CertificateHits | Lines[CertificateLine]) -> None:
        super().__init__(request)
        self.found = found

    def rows(self) -> Source[Any]:
        """See `List`."""
        return self.found

    def nothing(self, *, past_end: bool) -> Empty | None:
        """See `List`. Shows no empty state if a page ends early because the search reached its limit."""
        looked_through = isinstance(self.found, CertificateHits) and self.found.looked_through
        return None if looked_through else super().nothing(past_end=past_end)


class ImportList(OperatorList):
    """Requested imports."""

    counted_as = ngettext_lazy("{n} import", "{n} importer")
    columns = (
        Column(key="utfardare", heading=gettext_lazy("Utfärdare"), value="name", link=_link("pki_import", "found")),
        Column(key="av", heading=gettext_lazy("Begärd av"), value="requester"),
        Column(key="begard", heading=gettext_lazy("Begärd"), value="created_at", kind=Kind.MOMENT),
        Column(key="rader", heading=gettext_lazy("Rader"), value="done", kind=Kind.NUMBER),
        Column(key="avvikelser", heading=gettext_lazy("Avvikelser"), value="findings", kind=Kind.NUMBER),
        Column(key="status", heading=gettext_lazy("Status"), value="tag", kind=Kind.TAG),
    )
    empty = Empty(
        gettext_lazy("Ingen import är begärd"),
        gettext_lazy(
            "En import läser in en utfärdare från ett annat system: först på prov, sedan när två andra personer har godkänt. "
            "Den som driver portalen begär den med kommandot pki_import."
        ),
    )

    def rows(self) -> Source[Any]:
        """See `List`."""
        return imports().mapped(self._lines)

    def _lines(self, found: Sequence[ImportLine]) -> list[dict[str, Any]]:
        names = names_of(self.request, [each.requester_ref for each in found])
        return [import_rows.line(each, names) for each in found]


class FindingList(OperatorList):
    """The findings of one kind of an import, in the order in which the import found them."""

    counted_as = ngettext_lazy("{n} avvikelse", "{n} avvikelser")
    columns = (
        Column(key="serienummer", heading=gettext_lazy("Serienummer"), value="serial", css="code digest"),
        Column(key="rad", heading=gettext_lazy("Rad i underlaget"), value="place", css="digest"),
        Column(key="mer", heading=gettext_lazy("Mer"), value="detail", css="digest"),
    )
    order = ""
    page_size = 100
    count_to = 0
    empty = Empty(gettext_lazy("Inga fler avvikelser"))

    def __init__(self, request: HttpRequest, import_id: UUID, kind: str) -> None:
        """Raises NotFound."""
        super().__init__(request)
        self.found = import_findings(import_id, kind)

    def rows(self) -> Source[Any]:
        """See `List`."""
        return self.found


class MassList(OperatorList):
    """Mass revocations."""

    counted_as = ngettext_lazy("{n} masspärr", "{n} masspärrar")
    columns = (
        Column(key="massparr", heading=gettext_lazy("Masspärr"), value="title", link=_link("pki_mass_revocation", "found")),
        Column(key="av", heading=gettext_lazy("Begärd av"), value="requester"),
        Column(key="begard", heading=gettext_lazy("Begärd"), value="created_at", kind=Kind.MOMENT),
        Column(key="certifikat", heading=gettext_lazy("Certifikat"), value="done", kind=Kind.NUMBER),
        Column(key="status", heading=gettext_lazy("Status"), value="tag", kind=Kind.TAG),
    )

    def rows(self) -> Source[Any]:
        """See `List`."""
        return mass_revocations().mapped(self._lines)

    def _lines(self, found: Sequence[MassRevocationView]) -> list[dict[str, Any]]:
        names = names_of(self.request, [each.requested_by_ref for each in found])
        return [mass_rows.line(each, names) for each in found]

    def nothing(self, *, past_end: bool) -> Empty | None:
        """See `List`."""
        text = _(
            "En masspärr spärrar många certifikat på en gång, till exempel när nycklar är röjda. Certifikaten räknas först på "
            "prov, och minst {others} andra personer godkänner masspärren."
        ).format(others=REQUIRED[ApprovalAction.MASS_REVOCATION])
        none = Empty(_("Ingen masspärr finns"), text, reverse("pki_mass_new"), _("Ny masspärr"))
        return super().nothing(past_end=True) if past_end else none


_CEREMONY = Column[Any](key="ceremoni", heading=gettext_lazy("Ceremoni"), value="view", template="operators/ceremony_cell.html")


class CeremonyList(OperatorList):
    """Started ceremonies."""

    counted_as = ngettext_lazy("{n} ceremoni", "{n} ceremonier")
    columns = (
        _CEREMONY,
        Column(key="borjade", heading=gettext_lazy("Började"), value="started_at", kind=Kind.MOMENT),
        Column(key="avslutades", heading=gettext_lazy("Avslutades"), value="finished_at", kind=Kind.MOMENT),
        Column(key="status", heading=gettext_lazy("Status"), value="tag", kind=Kind.TAG),
    )
    table_id = "genomforda"
    empty = Empty(
        gettext_lazy("Ingen ceremoni har börjat"),
        gettext_lazy("Kommandot pki_ceremony startar en ceremoni. Sedan visas den här."),
    )
    heading_level = "3"

    def rows(self) -> Source[Any]:
        """See `List`."""
        return ceremonies().mapped(
            lambda found: [
                {
                    "view": each,
                    "url": reverse("pki_ceremony", args=[each.id]),
                    "tag": pki_words.tagged(pki_words.CEREMONY_STATES, each.state),
                    "started_at": pki_words.minute(each.started_at),
                    "finished_at": pki_words.minute(each.finished_at),
                }
                for each in found
            ]
        )


class PreparedList(OperatorList):
    """Prepared ceremonies."""

    counted_as = ngettext_lazy("{n} ceremoni", "{n} ceremonier")
    columns = (
        _CEREMONY,
        Column(key="av", heading=gettext_lazy("Registrerad av"), value="by"),
        Column(key="registrerad", heading=gettext_lazy("Registrerad"), value="at", kind=Kind.MOMENT),
        Column(key="underskrifter", heading=gettext_lazy("Underskrifter"), value="signatures", kind=Kind.NUMBER),
        Column(key="status", heading=gettext_lazy("Status"), value="tag", kind=Kind.TAG),
    )
    table_id = "forberedda"
    count_to = 0
    empty = Empty(
        gettext_lazy("Ingen ceremoni är förberedd"), gettext_lazy("Ladda upp en granskad ceremonifil för att förbereda en.")
    )
    heading_level = "3"

    def __init__(self, request: HttpRequest, tag: Callable[[ProposalView], dict[str, str]]) -> None:
        super().__init__(request)
        self.tag = tag

    def rows(self) -> Source[Any]:
        """See `List`."""
        found = open_proposals()
        names = officers.names(actor_of(self.request), [each.proposed_by_ref for each in found])
        return Lines(
            [
                {
                    "view": each,
                    "url": reverse("pki_proposal", args=[each.id]),
                    "tag": self.tag(each),
                    "by": pki_words.who(names, each.proposed_by_ref),
                    "at": pki_words.minute(each.proposed_at),
                    "signatures": _("{given} av {required}").format(given=each.given, required=each.required),
                }
                for each in found
            ]
        )


class DestroyedKeyList(OperatorList):
    """Destroyed keys. The page draws them as expandable sections, so the list has no columns."""

    counted_as = ngettext_lazy("{n} nyckel", "{n} nycklar")
    columns = ()
    by = ("created_at",)

    def rows(self) -> Source[Any]:
        """See `List`."""
        return destroyed_keys()
