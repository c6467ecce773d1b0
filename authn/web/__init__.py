"""The parts of the log-in pages that other applications' views use."""

from authn.web.forms import with_login_form
from authn.web.login import no_access as no_access_page
from authn.web.middleware import made_by_the_page, not_activity
from authn.web.step_up import ask_for_login, kept_form, require_recent_login

__all__ = [
    "ask_for_login",
    "kept_form",
    "made_by_the_page",
    "no_access_page",
    "not_activity",
    "require_recent_login",
    "with_login_form",
]
