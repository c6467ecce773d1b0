"""The decision about rows of work, sent by the form of a list or of a row's page."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import ngettext

from issuance.authz import Actor
from issuance.records.web.forms import tried
from issuance.register_care.services import deciding, reminding
from issuance.register_care.web.forms import DecisionForm

_ACTS: Mapping[str, Callable[[Actor, Sequence[UUID], Mapping[str, Any]], int]] = {
    "remind": lambda actor, ids, _data: reminding.remind(actor=actor, item_ids=ids),
    "take_on": lambda actor, ids, _data: deciding.take_on(actor=actor, item_ids=ids),
    "postpone": lambda actor, ids, data: deciding.postpone(actor=actor, item_ids=ids, until=data["until"], reason=data["reason"]),
    "finish": lambda actor, ids, data: deciding.finish(actor=actor, item_ids=ids, reason=data["reason"]),
    "reopen": lambda actor, ids, _data: deciding.reopen(actor=actor, item_ids=ids),
}


def decide(actor: Actor, form: DecisionForm, ids: Sequence[UUID]) -> tuple[str, int]:
    """Carries out the decision about all rows or none. Returns what was done in words, "" if the form has errors, and the HTTP
    status.
    """
    done, status = tried(form, lambda: _ACTS[form.cleaned_data["decision"]](actor, ids, form.cleaned_data))
    return ("" if done is None else _told(form.cleaned_data["decision"], done)), status


def _told(decision: str, count: int) -> str:
    texts = {
        "remind": ngettext("{n} påminnelse skickas om en stund.", "{n} påminnelser skickas om en stund.", count),
        "take_on": ngettext("Du har ansvar för {n} rad.", "Du har ansvar för {n} rader.", count),
        "postpone": ngettext("{n} rad är uppskjuten.", "{n} rader är uppskjutna.", count),
        "finish": ngettext("{n} rad är avslutad.", "{n} rader är avslutade.", count),
        "reopen": ngettext("{n} rad är öppen igen.", "{n} rader är öppna igen.", count),
    }
    return texts[decision].format(n=count)
