"""People's log-in (rules/authn 1.1, 2.1). Lengths are seconds."""

from siths_portal.lib import assurance
from siths_portal.settings.environment import FACE, PORT_BASE, env

OIDC_ISSUER = env.str("OIDC_ISSUER", default=f"http://localhost:{PORT_BASE + 10}")
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", default="siths-portal")
OIDC_CLIENT_KEY_FILE = env.str("OIDC_CLIENT_KEY_FILE", default="")
# The secret that the site authenticates itself with instead of the key, at a provider that takes client_secret_post.
OIDC_CLIENT_SECRET_FILE = env.str("OIDC_CLIENT_SECRET_FILE", default="")
OIDC_SCOPE = env.str("OIDC_SCOPE", default="openid")
# Whose names of claims the provider uses: inera, sambi or sweden-connect (siths_portal/lib/assurance.py).
OIDC_FRAMEWORK = env.str("OIDC_FRAMEWORK", default="inera")
# What the log-in page calls the provider if there are several.
OIDC_NAME = env.str("OIDC_NAME", default="SITHS eID")
# Further providers, a JSON list of objects: issuer, client_id, name, client_key_file or client_secret_file, and if they differ
# from the defaults scope, framework and acr_values.
OIDC_PROVIDERS = env.json("OIDC_PROVIDERS", default=[])
# Exact: the portal accepts only level 3 (S04). Mina sidor also takes level 2, and reserve cards that name no person.
OIDC_ACR_VALUES = (
    env.list(
        "MINASIDOR_OIDC_ACR_VALUES",
        default=["http://id.sambi.se/loa/loa3", "http://id.sambi.se/loa/loa2", assurance.TRANSPORT_ACR],
    )
    if FACE == "minasidor"
    else env.list("OIDC_ACR_VALUES", default=["http://id.sambi.se/loa/loa3"])
)
OIDC_MAX_AGE_SECONDS = env.int("OIDC_MAX_AGE_SECONDS", default=300)
# The largest age of a log-in for actions that require a recent one (docs/adr/0072).
ACTIVATION_LOGIN_MAX_AGE = env.int("ACTIVATION_LOGIN_MAX_AGE", default=4 * 3600)
ROLES_LOGIN_MAX_AGE = env.int("ROLES_LOGIN_MAX_AGE", default=15 * 60)
SESSION_IDLE_SECONDS = env.int("SESSION_IDLE_SECONDS", default=15 * 60)
SESSION_ABSOLUTE_SECONDS = env.int("SESSION_ABSOLUTE_SECONDS", default=8 * 3600)
SESSION_WARNING_SECONDS = env.int("SESSION_WARNING_SECONDS", default=120)
# Log-ins that unauthenticated clients may start per process and minute, in total and by address.
LOG_INS_PER_MINUTE = env.int("LOG_INS_PER_MINUTE", default=600)
LOG_INS_PER_MINUTE_BY_ADDRESS = env.int("LOG_INS_PER_MINUTE_BY_ADDRESS", default=120)
# Log-ins that one browser may have begun within a minute without ending them.
LOG_INS_PER_MINUTE_BY_SESSION = env.int("LOG_INS_PER_MINUTE_BY_SESSION", default=10)
# Log-ins begun within a minute by logged-in people of one organisation, and by everybody on a site.
LOG_INS_PER_MINUTE_BY_ORGANISATION = env.int("LOG_INS_PER_MINUTE_BY_ORGANISATION", default=600)
LOG_INS_PER_MINUTE_OF_SITE = env.int("LOG_INS_PER_MINUTE_OF_SITE", default=3000)
SESSIONS_PER_SUBJECT = env.int("SESSIONS_PER_SUBJECT", default=1)
# The same for holders on Mina sidor, who use their own devices.
MINASIDOR_SESSION_IDLE_SECONDS = env.int("MINASIDOR_SESSION_IDLE_SECONDS", default=15 * 60)
MINASIDOR_SESSION_ABSOLUTE_SECONDS = env.int("MINASIDOR_SESSION_ABSOLUTE_SECONDS", default=3600)
MINASIDOR_SESSIONS_PER_SUBJECT = env.int("MINASIDOR_SESSIONS_PER_SUBJECT", default=2)
