"""The choice of HSA-id, and pages with a form that leads to the identity provider: only their CSP lets a form leave (S17)."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.http import HttpResponse

from authn.domain.principal import Subject
from authn.services import provider
from siths_portal.lib.pages.forms import Form


class PostForm(Form):
    """Which of the person's posts the log-in is for, by the unit's name."""

    post = forms.ChoiceField(widget=forms.RadioSelect, error_messages={"required": "Välj ett uppdrag."})

    def __init__(self, options: Sequence[Subject], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["post"]
        field.label = "Vilket uppdrag loggar du in för?"
        field.error_messages["invalid_choice"] = "Välj ett av uppdragen."
        field.choices = [(option.hsa_id, f"{option.unit_name} ({option.hsa_id})") for option in options]


def with_login_form[**P, R: HttpResponse](view: Callable[P, R]) -> Callable[P, R]:
    """Marks a view whose page has the log-in form. Browsers apply form-action to the redirects that follow a form too."""

    @wraps(view)
    def allowing(*args: P.args, **kwargs: P.kwargs) -> R:
        return let_forms_leave(view(*args, **kwargs))

    return allowing


def let_forms_leave[R: HttpResponse](response: R) -> R:
    """`response` with the identity provider, and the portal's own address, in form-action."""
    own = urlsplit(settings.PORTAL_BASE_URL)
    allowed: dict[str, Any] = settings.SECURE_CSP | {
        "form-action": ["'self'", provider.origin(), f"{own.scheme}://{own.netloc}"],
    }
    response._csp_config = allowed  # type: ignore[attr-defined]
    return response
