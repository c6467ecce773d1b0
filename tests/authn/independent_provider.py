"""An OpenID provider that others made (django-oauth-toolkit), over HTTP: `independent_provider FOLDER PORT`.

It keeps its accounts in a database of its own in FOLDER. `provider.json` there names the client (`client_id`, `secret`,
`redirect_uri`, `logged_out_uri`) and the people, each with a user name, a password and the claims that its hook adds.
"""

import json
import sys
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

_LOGIN = """<!doctype html><html lang="en"><title>Sign in</title><h1>Sign in</h1>
<form method="post">{% csrf_token %}{{ form.as_p }}<button type="submit">Sign in</button></form></html>"""


class Quiet(WSGIRequestHandler):
    """Logs the method and the path without the query, which holds codes."""

    def log_message(self, format: str, *arguments: Any) -> None:
        method, path = self.requestline.split()[:2]
        sys.stderr.write(f"{method} {path.partition('?')[0]}\n")


def configure(folder: Path, issuer: str) -> None:
    """Sets up Django with the provider, and nothing of ours."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    settings.configure(
        SECRET_KEY="of-the-independent-provider" * 2,
        ALLOWED_HOSTS=["localhost"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "accounts.sqlite3"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider"],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {"registration/login.html": _LOGIN})]},
            }
        ],
        ROOT_URLCONF=__name__,
        LOGIN_URL="/accounts/login/",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        SESSION_COOKIE_NAME="independent-provider",
        USE_TZ=True,
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_ISS_ENDPOINT": issuer,
            "OIDC_RSA_PRIVATE_KEY": pem.decode(),
            "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
            "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False,
            "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
            "ID_TOKEN_EXPIRE_SECONDS": 300,
            "PKCE_REQUIRED": True,
            "SCOPES": {"openid": "Sign in"},
            "OAUTH2_VALIDATOR_CLASS": f"{__name__}.hook",
        },
    )
    django.setup()


def fill(told: dict[str, Any]) -> None:
    """Makes the tables, the client and the people."""
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from oauth2_provider.models import Application

    call_command("migrate", verbosity=0)
    Application.objects.create(
        client_id=told["client_id"],
        client_secret=told["secret"],
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris=told["redirect_uri"],
        post_logout_redirect_uris=told["logged_out_uri"],
        algorithm=Application.RS256_ALGORITHM,
        skip_authorization=True,
    )
    for name, person in told["people"].items():
        User.objects.create_user(name, password=person["password"])


def validator(people: dict[str, Any]) -> type:
    """The hook: the validator that adds a person's claims to the ID token."""
    from oauth2_provider.oauth2_validators import OAuth2Validator

    class Claims(OAuth2Validator):  # type: ignore[misc]
        oidc_claim_scope = None

        def get_additional_claims(self, request: Any) -> dict[str, Any]:
            return dict(people[request.user.get_username()]["claims"])

    return Claims


def main(folder: Path, port: int) -> None:
    """Serves until it is ended."""
    global hook, urlpatterns  # Django finds both by name
    told = json.loads((folder / "provider.json").read_text())
    configure(folder, f"http://localhost:{port}/o")
    from django.contrib.auth.views import LoginView
    from django.core.wsgi import get_wsgi_application
    from django.urls import include, path

    fill(told)
    hook = validator(told["people"])
    urlpatterns = [path("o/", include("oauth2_provider.urls")), path("accounts/login/", LoginView.as_view())]
    make_server("127.0.0.1", port, get_wsgi_application(), handler_class=Quiet).serve_forever()


hook: Any = None
urlpatterns: list[Any] = []

if __name__ == "__main__":
    # Under its name, not as __main__, so that Django imports this very module.
    from tests.authn import independent_provider

    independent_provider.main(Path(sys.argv[1]), int(sys.argv[2]))
