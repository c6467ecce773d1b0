"""The form that chooses an HSA-id, and the CSP of pages with a form that leads to the identity provider (S17)."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.http import HttpResponse

from authn.domain.principal import Subject
from authn.services import sites
from siths_portal.lib import identity_providers
from siths_portal.lib.pages.forms import Form


class PostForm(Form):
    """The choice of one of the person's HSA assignments, by the unit's name."""

    post = forms.ChoiceField(widget=forms.RadioSelect, error_messages={"required": "Välj ett uppdrag."})

    def __init__(self, options: Sequence[Subject], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["post"]
        field.label = "Vilket uppdrag loggar du in för?"
        field.error_messages["invalid_choice"] = "Välj ett av uppdragen."
        field.choices = [(option.hsa_id, f"{option.unit_name} ({option.hsa_id})") for option in options]


def with_login_form[**P, R: HttpResponse](view: Callable[P, R]) -> Callable[P, R]:
    """Wraps a view whose page has the log-in form, so that its CSP allows the form (`allow_log_in_form`)."""

    @wraps(view)
    def allowing(*args: P.args, **kwargs: P.kwargs) -> R:
        return allow_log_in_form(view(*args, **kwargs))

    return allowing


def allow_log_in_form[R: HttpResponse](response: R) -> R:
    """Returns `response` with the identity providers and the site's own origin in the CSP's form-action.

    Browsers also apply form-action to the redirects that follow a form.
    """
    own = urlsplit(sites.here().base_url)
    origins = dict.fromkeys(provider.origin for provider in identity_providers.all_providers())
    if settings.LOGIN_BASE_URL:
        origins[settings.LOGIN_BASE_URL] = None
    allowed: dict[str, Any] = settings.SECURE_CSP | {
        "form-action": ["'self'", *origins, f"{own.scheme}://{own.netloc}"],
    }
    response._csp_config = allowed  # type: ignore[attr-defined]
    return response
