"""Addresses of the sites and of systems outside: directory, person register, mail server."""

from pathlib import Path

from siths_portal.settings.environment import DEBUG, PORT_BASE, env

PORTAL_BASE_URL = env.str("PORTAL_BASE_URL", default=f"http://localhost:{PORT_BASE}")
MINASIDOR_BASE_URL = env.str("MINASIDOR_BASE_URL", default=f"http://localhost:{PORT_BASE + 1}")
# The base of URLs in certificates. Production needs a name with a dot; pkilint refuses `localhost`.
STATUS_BASE_URL = env.str("STATUS_BASE_URL", default=f"http://127.0.0.1:{PORT_BASE + 2}")
# Where people log in with a card's certificate; empty: nowhere.
LOGIN_BASE_URL = env.str("LOGIN_BASE_URL", default=f"https://localhost:{PORT_BASE + 444}" if DEBUG else "")
API_BASE_URL = env.str("API_BASE_URL", default=f"https://localhost:{PORT_BASE + 443}")
# Issuers of the sites' TLS certificates for the demo and the simulators, if they are not public ones.
PORTAL_CA_FILE = env.str("PORTAL_CA_FILE", default="")

DIRECTORY_BACKEND = env.str("DIRECTORY_BACKEND", default="issuance.people.adapters.directory_json.JsonDirectory")
DIRECTORY_URL = env.str("DIRECTORY_URL", default=f"http://127.0.0.1:{PORT_BASE + 13}")
PERSON_REGISTER_BACKEND = env.str(
    "PERSON_REGISTER_BACKEND", default="issuance.people.adapters.person_register_json.JsonPersonRegister"
)
PERSON_REGISTER_URL = env.str("PERSON_REGISTER_URL", default=DIRECTORY_URL)

# The mail server, and the sender of what the portal sends.
_MAIL_PASSWORD_FILE = env.str("EMAIL_PASSWORD_FILE", default="")
MAILERS = {
    "default": {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {
            "host": env.str("EMAIL_HOST", default="127.0.0.1"),
            "port": env.int("EMAIL_PORT", default=PORT_BASE + 15),
            "username": env.str("EMAIL_HOST_USER", default=""),
            "password": Path(_MAIL_PASSWORD_FILE).read_text().strip() if _MAIL_PASSWORD_FILE else "",
            "use_tls": env.bool("EMAIL_USE_TLS", default=not DEBUG),
            "timeout": env.int("EMAIL_TIMEOUT", default=20),
        },
    }
}
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="portal@demo-e-legitimationer.example")
