"""/komponenter/: every component of the pages in every state, with invented content. Only development serves it."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import ngettext_lazy
from django.views.decorators.http import require_safe

from siths_portal.lib.lists import Column, Empty, Kind, Lines, List, Tag, View
from siths_portal.lib.pages.charts import Share, shares
from siths_portal.lib.pages.forms import Form

_COLOURS = (
    ("ground", "Mark", "sidan"),
    ("sheet", "Blad", "allt man läser"),
    ("deep", "Djup", "ett nästa steg"),
    ("mark", "Märke", "9,0:1 mot djup"),
    ("accent", "Accent", "7,3:1 mot vitt"),
    ("tint", "Ton", "valt, här är du"),
    ("reserve", "Reserv", "9,1:1 mot vitt"),
    ("danger", "Fara", "bara spärr och fel"),
)

_FACES: tuple[dict[str, str], ...] = (
    {"says": "Skickat: lyst kant betyder att något återstår", "kind": "ordinary_card", "state": "sent", "last": "9240"},
    {"says": "Aktivt, liggande", "kind": "ordinary_card", "state": "active", "last": "3188"},
    {"says": "Beställt, inget nummer än", "kind": "ordinary_card", "state": "ordered", "last": ""},
    {"says": "Spärrat eller utgånget", "kind": "ordinary_card", "state": "invalid", "last": "7731"},
    {"says": "Reservkort", "kind": "reserve_card", "state": "active", "last": "5512"},
    {"says": "Stående kort", "kind": "ordinary_card", "state": "active", "last": "0417", "format": "portrait"},
    {"says": "Mobilt SITHS", "kind": "mobile_eid", "state": "active", "last": ""},
)

_TAGS = (
    "ordered", "in_production", "sent", "new", "active", "activated_unsigned", "revoked", "expired", "protected", "failed",
    "returned", "cancelled",
)  # fmt: skip

_STAGES = (
    {"state": "done", "text": "Kortet är beställt", "note": "6 november"},
    {"state": "done", "text": "Skickat till innehavaren", "note": "16 november"},
    {"state": "now", "text": "Aktivera kortet", "note": "76 dagar kvar"},
    {"state": "later", "text": "Spärra det gamla kortet"},
)

_GROUPS: tuple[dict[str, Any], ...] = (
    {
        "heading": "I dag",
        "rows": (
            {
                "title": "Prov Provsson", "url": "#rader", "tag": "Spärras i kväll", "tag_kind": "missing", "icon": "hourglass",
                "color": "urgent", "text": "Har valt sin kod men inte skrivit under. Kortet slutar på 6120.",
                "action": "Fortsätt aktivera",
            },
            {
                "title": "Reservkort väntar på kontroll", "url": "#rader", "icon": "people", "color": "reserve",
                "text": "En annan ID-administratör har identifierat personen.", "action": "Kontrollera",
            },
        ),
    },
    {
        "heading": "När du hinner",
        "rows": (
            {"title": "Kort som går ut inom 60 dagar", "url": "#rader", "number": "146", "text": "118 har ett nytt på väg."},
            {"title": "Lova Lovasson", "url": "#rader", "time": "09.31", "text": "Aktiverade kortet som slutar på 4417"},
        ),
    },
)  # fmt: skip

_FUNCTIONS = (
    {"name": "Nytt SITHS eID ordinarie kort", "url": "#funktioner", "allowed": True, "icon": "plus"},
    {"name": "Historik", "url": "#funktioner", "allowed": True, "icon": "history"},
    {"name": "Lås upp kort", "url": "", "allowed": False, "reason": "Kortet är inte aktiverat än."},
)


_OPTIONS = (
    {"value": "k", "label": "Körkort", "key": "1"},
    {"value": "p", "label": "Pass", "hint": "Svenskt, giltigt", "key": "2"},
)

_FACTS: tuple[dict[str, Any], ...] = (
    {"label": "Organisation", "value": "Regionen"},
    {"label": "Serienummer", "value": "9752 1043 104 7320 9240", "code": True},
)


class _SampleForm(Form):
    reference = forms.CharField(label="Fakturareferens", help_text="Kunden kräver den på fakturan.")
    number = forms.CharField(label="Person-id", max_length=13)
    document = forms.ChoiceField(
        label="Vilken id-handling?",
        choices=(("k", "Körkort"), ("p", "Pass"), ("i", "Nationellt id-kort")),
        widget=forms.RadioSelect,
    )
    confirmed = forms.BooleanField(label="Jag har kontrollerat uppgifterna")
    file = forms.FileField(label="Foto", required=False, widget=forms.FileInput)


class _SampleList(List[dict[str, str]]):
    """A list in its frame, with rows that are already read."""

    columns = (
        Column(key="namn", heading="Namn", value="name", sort="name"),
        Column(key="kort", heading="Kort", value="card", kind=Kind.NUMBER, sort="card"),
        Column(key="status", heading="Status", kind=Kind.TAG, value=lambda line: Tag(line["state"], line["said"])),
    )
    counted_as = ngettext_lazy("{n} kort", "{n} kort")
    caption = "Skickade kort"
    table_id = "skickade"
    order = "namn"

    def rows(self) -> Lines[dict[str, str]]:
        """Returns two lines."""
        return Lines(
            [
                {"name": "Almsson, Hjalmar", "card": "…1530", "state": "sent", "said": "Skickat"},
                {"name": "Sandsson, Lovisa", "card": "…0417", "state": "active", "said": "Aktivt"},
            ]
        )

    def views(self) -> Sequence[View]:
        """Returns two views."""
        return (View("Alla", "#", "31", here=True), View("Spärras inom 7 dagar", "#", "4", urgent=True))

    def shares(self) -> Sequence[Share]:
        """Returns three shares."""
        parts = (("Inom 7 dagar", 4, "share-2"), ("Inom 30 dagar", 9, "share-1"), ("Senare", 18, "share-pale"))
        return shares([Share(name, str(number), number, colour) for name, number, colour in parts])

    def remark(self) -> str:
        """Returns a sentence."""
        return "Hälften har väntat 40 dagar eller mer."


class _EmptyList(_SampleList):
    table_id = "inga"
    empty = Empty("Inget kort väntar", "Kort som är skickade men inte aktiverade visas här.")

    def rows(self) -> Lines[dict[str, str]]:
        """Returns no line."""
        return Lines([])

    def views(self) -> Sequence[View]:
        """Returns none."""
        return ()


@login_not_required
@require_safe
def component_sheet(request: HttpRequest) -> HttpResponse:
    """Shows every component in every state."""
    wrong = _SampleForm({"number": "18480312-9818-12345"})
    context = {
        "tab": "",
        "colours": _COLOURS,
        "faces": _FACES,
        "tags": _TAGS,
        "stages": _STAGES,
        "stopped": ({"state": "done", "text": "Beställt"}, {"state": "stop", "text": "Leverantören svarade inte"}),
        "groups": _GROUPS,
        "functions": _FUNCTIONS,
        "form": wrong,
        "clean": _SampleForm(),
        "options": _OPTIONS,
        "figures": ({"value": "41 280", "name": "personer"}, {"value": "738", "name": "aktiverade", "before": "oktober 702"}),
        "facts": _FACTS,
        "person": {"given_names": "Prov", "surname": "Provsson", "person_id": "18900101-9802", "is_protected": False},
        "list": _SampleList(request).shown(),
        "empty_list": _EmptyList(request).shown(),
    }
    return render(request, "portal/component_sheet.html", context)
