"""One form for each step. The draft determines a form's choices; the services check the answers."""

from django import forms
from django.utils.translation import gettext_lazy as _

from siths_portal.lib.pages.forms import Form


class StepForm(Form):
    """The base: the draft's version, and whether the step was opened from the review."""

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    fran = forms.CharField(required=False, widget=forms.HiddenInput)


class OrganisationForm(StepForm):
    """Val av organisation. `filter` narrows the list and is never stored."""

    post = forms.UUIDField(
        label=_("Personens uppdrag"), error_messages={"required": _("Välj organisation."), "invalid": _("Välj organisation.")}
    )
    filter = forms.CharField(required=False, max_length=100, label=_("Filtrera"))


class ArticleForm(StepForm):
    """Välj artikel."""

    article = forms.CharField(
        label=_("Vilket kort ska beställas?"),
        max_length=12,
        error_messages={"required": _("Välj artikel."), "max_length": _("Välj artikel.")},
    )


class PhotoForm(StepForm):
    """Granska foto: the photo that the page showed."""

    photo = forms.UUIDField(required=False)


class UploadForm(Form):
    """Hämta fotografi."""

    file = forms.FileField(
        label=_("Fil med fotografiet"),
        help_text=_("Välj en fil från datorn: JPEG, stående i formatet 3:4, minst 400 × 533 bildpunkter och högst 5 MB."),
        error_messages={"required": _("Välj en fil med fotografiet."), "empty": _("Filen är tom. Välj en annan.")},
        widget=forms.FileInput(attrs={"accept": "image/jpeg"}),
    )
    fran = forms.CharField(required=False, widget=forms.HiddenInput)


class ReviewForm(StepForm):
    """Förhandsgranska: the confirmation of another card, if the person has one."""

    another_card = forms.BooleanField(required=False, label=_("Personen ska ha ett kort till"))


class OfficeForm(StepForm):
    """Välj kontor."""

    office = forms.UUIDField(
        label=_("Kontor som organisationen kan välja"),
        error_messages={"required": _("Välj kontor."), "invalid": _("Välj kontor.")},
    )
