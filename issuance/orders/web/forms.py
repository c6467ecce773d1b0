"""One form a step. What a form offers is drawn from the draft; whether an answer holds is the services' to say."""

from django import forms
from django.utils.translation import gettext_lazy as _

from siths_portal.lib.pages.forms import Form


class StepForm(Form):
    """Base: the version of the draft that the page was drawn from, and whether it was opened from the review."""

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    fran = forms.CharField(required=False, widget=forms.HiddenInput)


class OrganisationForm(StepForm):
    """Val av organisation. `filter` narrows what is shown and is never kept."""

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
    """Granska foto: the photo that was shown."""

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
    """Förhandsgranska: the answer that a card beside another one is right, where there is another one."""

    another_card = forms.BooleanField(required=False, label=_("Personen ska ha ett kort till"))


class OfficeForm(StepForm):
    """Välj kontor."""

    office = forms.UUIDField(
        label=_("Kontor som organisationen kan välja"),
        error_messages={"required": _("Välj kontor."), "invalid": _("Välj kontor.")},
    )
