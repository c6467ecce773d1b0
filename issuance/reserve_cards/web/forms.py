"""The forms of handing out a reserve card, and of the second officer's check."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from issuance.activation.domain.identity_documents import IDENTITY_DOCUMENT
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Post
from issuance.records.domain import wording
from issuance.reserve_cards.queries.reserve_cards import NewCardPage
from issuance.reserve_cards.services import handing_out
from siths_portal.lib.pages.forms import DayInput, Form

_SCANNED = forms.TextInput(
    attrs={
        "class": "ds-input number",
        "inputmode": "numeric",
        "autocomplete": "off",
        "spellcheck": "false",
        "data-check": True,
        "data-scan": True,
    }
)


def documents(level: int) -> list[dict[str, str]]:
    """Returns the documents that lead to the level as choices, each with the digit that selects it."""
    return [
        {"value": code, "label": wording.label(IDENTITY_DOCUMENT, code), "key": str(number)}
        for number, code in enumerate(handing_out.DOCUMENTS[level], 1)
    ]


class NewReserveCardForm(Form):
    """Which card, for which assignment, on which level, until when. The document may be left out on level 2."""

    card_serial = forms.CharField(
        label=_("Kortserienummer"),
        help_text=_("Skanna numret på kuvertet, eller skriv alla 19 siffror. Kuvertet ska vara obrutet."),
        max_length=40,
        widget=_SCANNED,
        error_messages={"required": _("Skanna kuvertet, eller skriv kortserienumrets 19 siffror.")},
    )
    post = forms.ChoiceField(
        label=_("Uppdrag"), widget=forms.RadioSelect, error_messages={"required": _("Välj vilket uppdrag kortet gäller.")}
    )
    assurance_level = forms.TypedChoiceField(
        label=_("Tillitsnivå"),
        coerce=int,
        widget=forms.RadioSelect,
        error_messages={"required": _("Välj tillitsnivå.")},
    )
    last_day = forms.DateField(
        label=_("Gäller till och med"),
        help_text=_("Lämna tomt för den längsta tiden."),
        required=False,
        widget=DayInput(),
        error_messages={"invalid": _("Skriv dagen som 2026-12-14.")},
    )
    identity_document = forms.ChoiceField(
        label=_("Identifiering med"),
        help_text=_(
            "Krävs på tillitsnivå 3. Med en handling kan innehavaren aktivera kortet själv på Mina sidor. Lämnar du tomt på "
            "tillitsnivå 2 identifierar du innehavaren när kortet aktiveras."
        ),
        required=False,
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, page: NewCardPage, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        posts, self.levels = page.posts, {choice.level: choice for choice in page.levels}
        if page.level_3_is_out:
            self.fields["assurance_level"].help_text = _("Tillitsnivå 3 kräver personnummer och att personen har fyllt 18 år.")
        self.post_options = [
            {"value": str(post.pk), "label": _post(post, post.organisation), "key": str(number) if number < 10 else ""}
            for number, post in enumerate(posts, 1)
        ]
        self.fields["post"].choices = [(each["value"], each["label"]) for each in self.post_options]  # type: ignore[attr-defined]
        self.fields["assurance_level"].choices = [(str(level), level) for level in self.levels]  # type: ignore[attr-defined]
        self.documents = documents(min(self.levels, default=3))
        self.fields["identity_document"].choices = [(each["value"], each["label"]) for each in self.documents]  # type: ignore[attr-defined]
        if not self.is_bound:  # otherwise the error has the focus
            self.fields["card_serial"].widget.attrs["autofocus"] = True
        if len(posts) == 1:
            self.fields["post"].initial = str(posts[0].pk)
        if len(self.levels) == 1:
            self.fields["assurance_level"].initial = str(next(iter(self.levels)))

    @property
    def level_options(self) -> list[dict[str, Any]]:
        """Returns the levels as choices, each with who signs and the longest time."""
        hints = {
            2: _now("En person. Gäller till och med {day}."),
            3: _now("Två personer, som båda skriver under med egna kort. Gäller till och med {day}."),
        }
        return [
            {
                "value": str(level),
                "label": _now("Tillitsnivå {level}").format(level=level),
                "hint": hints[level].format(day=choice.last_day),
                "key": str(level),
            }
            for level, choice in self.levels.items()
        ]

    def clean(self) -> dict[str, Any]:
        """Proposes the last day, and requires a document that is enough on level 3."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        level = data.get("assurance_level")
        if level in self.levels and not data.get("last_day") and "last_day" not in self.errors:
            data["last_day"] = self.levels[level].last_day
        document = data.get("identity_document")
        if level == 3 and not document:
            self.add_error("identity_document", _now("Välj den id-handling som personen visade."))
        if level == 3 and document and document not in handing_out.DOCUMENTS[level]:
            self.add_error("identity_document", _now("Handlingen räcker inte till tillitsnivå 3. Välj en svensk id-handling."))
        return data


def _post(post: Post, organisation: Organisation) -> str:
    return f"{organisation.name}, {post.hsa_id}"


class ApprovalForm(Form):
    """The second officer's own check: the envelope, and the document that the person shows."""

    serial = forms.CharField(
        label=_("Är det rätt kuvert?"),
        help_text=_("Kuvertet ska vara obrutet. Skanna det, eller skriv de 4 sista siffrorna."),
        max_length=40,
        widget=_SCANNED,
        error_messages={"required": _("Skanna kuvertet, eller skriv serienumrets 4 sista siffror.")},
    )
    identity_document = forms.ChoiceField(
        label=_("Vilken id-handling visar personen?"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Välj den id-handling som personen visade.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound and not self.initial:  # otherwise an error has the focus
            self.fields["serial"].widget.attrs["autofocus"] = True
        self.documents = documents(3)
        self.fields["identity_document"].choices = [(each["value"], each["label"]) for each in self.documents]  # type: ignore[attr-defined]


class RejectionForm(Form):
    """Why the second officer rejects a hand-out."""

    reason = forms.CharField(
        label=_("Skäl"),
        help_text=_("Skälet sparas i historiken och visas för den första personen."),
        max_length=300,
        error_messages={"required": _("Skriv varför utlämningen avvisas.")},
    )
