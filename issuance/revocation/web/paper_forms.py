"""The form for requests on paper: a line of fields for each, by row."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from issuance.records.queries import words
from issuance.records.web.moments import MomentField
from issuance.revocation.domain import NAMED_REQUESTERS, SWEDISH, SYSTEM_REASONS, Requester, RevocationReason
from issuance.revocation.services.paper_requests import MatchedRequest, PaperRequest
from issuance.revocation.services.revocation import RequestFields
from siths_portal.lib import clock
from siths_portal.lib.pages.forms import Form

MORE, MOST = 8, 40
"""Rows that the page begins with and adds, and the most that it has."""

_AS_ABOVE = ("reason", "requester", "channel")


def _choices(first: bool, choices: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [("", _("Välj") if first else _("Som raden ovanför")), *choices]


def _fields(row: int) -> dict[str, forms.Field]:
    """Returns the fields of a row, in the order in which a form on paper is read."""
    first = row == 1
    text = {"autocomplete": "off", "spellcheck": "false"}
    reasons = [(reason.value, SWEDISH[reason]) for reason in RevocationReason if reason not in SYSTEM_REASONS]
    moment = MomentField(label=_("Kom in"))
    moment.widget = forms.TextInput(attrs={**text, "placeholder": "2026-11-25 13:45"})
    moment.error_messages["invalid"] = in_row(row, _("Ange datum och klockslag, till exempel 2026-11-25 13:45."))
    return {
        "person": forms.CharField(label=_("Person-id eller tjänste-id"), widget=forms.TextInput(attrs=text)),
        "serial": forms.CharField(
            label=_("Kortets nummer"), widget=forms.TextInput(attrs={**text, "inputmode": "numeric", "data-scan": True})
        ),
        "eid": forms.CharField(label=_("Bara SITHS eID (tjänste-id)"), widget=forms.TextInput(attrs=text)),
        "reason": forms.ChoiceField(label=_("Spärrorsak"), choices=_choices(first, reasons)),
        "requester": forms.ChoiceField(label=_("Vem begärde?"), choices=_choices(first, list(words.REQUESTER_CHOICES.items()))),
        "requester_name": forms.CharField(label=_("Namn, om inte innehavaren"), widget=forms.TextInput(attrs=text)),
        "channel": forms.ChoiceField(label=_("Hur?"), choices=_choices(first, list(words.REQUEST_CHANNEL.items()))),
        "received_at": moment,
        "justification": forms.CharField(label=_("Beskrivning"), widget=forms.TextInput(attrs=text)),
    }


def in_row(row: int, message: Any) -> str:
    """Returns the message of an error with its row, as the summary shows it."""
    return _now("Rad {row}: {message}").format(row=row, message=message)


class PaperForm(Form):
    """Rows of requests; an empty row counts for nothing. Reason, requester and channel that are left out are those above."""

    def __init__(self, *args: Any, count: int = MORE, **options: Any) -> None:
        self.count = max(1, min(count, MOST))
        fields = {f"{name}_{row}": each for row in self._numbers for name, each in _fields(row).items()}
        for each in fields.values():
            each.required = False  # the service says by row what is missing
        vars(self)["base_fields"] = fields  # which Django copies
        super().__init__(*args, **options)

    @property
    def _numbers(self) -> range:
        return range(1, self.count + 1)

    @property
    def rows(self) -> list[tuple[int, list[BoundField]]]:
        """The fields of each row, by its number."""
        return [(row, [self[f"{name}_{row}"] for name in _fields(row)]) for row in self._numbers]

    @property
    def faulty(self) -> set[int]:
        """The numbers of the rows with errors."""
        return {int(name.rpartition("_")[2]) for name in self.errors if "_" in name}

    def requests(self) -> list[PaperRequest]:
        """Returns the rows that have something, complete or not, after validation."""
        found: list[PaperRequest] = []
        above = dict.fromkeys(_AS_ABOVE, "")
        for row in self._numbers:
            given = {name: self.cleaned_data.get(f"{name}_{row}") or "" for name in _fields(row)}
            if not any(value for name, value in given.items() if name not in _AS_ABOVE):
                continue
            above = {name: given[name] or above[name] for name in _AS_ABOVE}
            found.append(_request(row, given | above))
        return found

    def take_rows(self, rows: Iterable[MatchedRequest]) -> None:
        """Adds the errors of rows at their fields, at most one at each."""
        for row in rows:
            for name, messages in row.errors.items():
                field = f"{name}_{row.paper.row}"
                if field not in self.errors:
                    self.add_error(field, in_row(row.paper.row, messages[0]))

    def left(self, requests: Iterable[PaperRequest]) -> dict[str, Any]:
        """Returns what the form sends of these rows alone, with what they took from rows above them."""
        data: dict[str, Any] = {}
        for paper in requests:
            typed = {name: self.data.get(f"{name}_{paper.row}", "") for name in _fields(paper.row)}
            as_above = {name: paper.request.get(name, "") for name in _AS_ABOVE}
            data |= {f"{name}_{paper.row}": value for name, value in (typed | as_above).items()}
        return data


def _request(row: int, given: Mapping[str, Any]) -> PaperRequest:
    fields: RequestFields = {
        "reason": given["reason"],
        "justification": given["justification"],
        "requester": given["requester"],
        "requester_name": given["requester_name"] if given["requester"] in NAMED_REQUESTERS else "",
        "channel": given["channel"],
        "received_at": given["received_at"] or None,
    }
    return PaperRequest(row, given["person"], given["serial"], given["eid"], fields)


def in_words(paper: PaperRequest) -> str:
    """Returns the reason, who requested it and how, and when it came in, of a complete request."""
    request = paper.request
    received = request["received_at"]
    parts = [
        SWEDISH[RevocationReason(request["reason"])],
        request["justification"],
        str(words.REQUESTER_CHOICES[Requester(request["requester"])]),
        request["requester_name"],
        _now(words.REQUEST_CHANNEL[request["channel"]]),
        f"{received.astimezone(clock.STOCKHOLM):%Y-%m-%d %H:%M}" if received else "",
    ]
    return " · ".join(part for part in parts if part)
