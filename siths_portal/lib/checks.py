"""System checks: a process does not start with settings that are unsafe outside development, and prints why.

Django runs the checks before commands; HTTP services and workers call `stop_if_unsafe`. `migrate` and `check --database default`
run the check that needs the database.
"""

import ipaddress
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from siths_portal.lib import assurance, identity_providers
from siths_portal.lib.database import connection_counts
from siths_portal.lib.pages.error_pages import PRODUCTION
from siths_portal.lib.processes import table

TAG = "siths"
DOCUMENTATION_ARC = "1.3.6.1.4.1.32473"  # RFC 5612
FOREIGN_ARC = "1.2.752.74"
SECRET_KEY_MIN = 50
CLIENT_SECRET_MIN = 32
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+")

# URLs of external systems. In development they are simulators on this machine, which is refused in production.
EXTERNAL_URLS = ("DIRECTORY_URL", "PERSON_REGISTER_URL", "EID_APP_URL", "OIDC_ISSUER")
BACKENDS = ("DIRECTORY_BACKEND", "PERSON_REGISTER_BACKEND", "SIGNATURE_BACKEND")
ISSUANCE_CHECK = "issuance.suppliers.services.issuance_check.OrderedCards"
DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
_LOG_IN_FACES = ("portal", "minasidor")
LONGEST_SESSION = 12 * 3600  # NIST SP 800-63B section 4.3.3
LONGEST_IDLE = 3600
RESERVE_CARD_CEILING = 183
SHORTEST_STEP = 0.01
FAULT_VARIABLES = ("SITHS_FAULT_DIR", "SITHS_FAULT_POINT")


def _error(number: int, text: str, hint: str) -> checks.Error:
    return checks.Error(text, hint=hint, id=f"siths.E{number:03}")


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _is_local(url: str) -> bool:
    """Returns whether the URL's host is this machine."""
    host = _host(url)
    try:
        return ipaddress.ip_address(host).is_loopback or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host in ("localhost", "") or host.endswith(".localhost")


def _is_dotted_name(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." in host.strip(".")
    return False


def _under(oid: str, arc: str) -> bool:
    return f"{oid}.".startswith(f"{arc}.")


@checks.register(TAG, checks.Tags.security)
def always(app_configs: Sequence[Any] | None, **_options: Any) -> Iterator[checks.CheckMessage]:
    """Reports settings that are refused in development too."""
    arc = settings.PKI_POLICY_ARC
    if _under(arc, FOREIGN_ARC):
        yield _error(3, f"PKI_POLICY_ARC is under {FOREIGN_ARC}.", "That arc belongs to somebody else. Use an arc of your own.")
    if not _OID.fullmatch(arc):
        yield _error(4, "PKI_POLICY_ARC is no object identifier.", "Digits with dots, such as 2.25.1.")
    if not 1 <= settings.PORTAL_WORKERS <= table.MOST_PORTAL_WORKERS:
        yield _error(
            23,
            f"PORTAL_WORKERS is not 1 to {table.MOST_PORTAL_WORKERS}.",
            "One for each core that the portal may use.",
        )
    for name in ("RESERVE_CARD_DAYS_LOA2", "RESERVE_CARD_DAYS_LOA3"):
        if not 1 <= getattr(settings, name) <= RESERVE_CARD_CEILING:
            yield _error(
                25,
                f"{name} is not 1 to {RESERVE_CARD_CEILING}.",
                "An eID on a reserve card is valid for six months at most.",
            )
    if settings.MTLS_CERTIFICATE_HEADER and settings.FACE not in ("api", "login"):
        yield _error(
            12,
            f"MTLS_CERTIFICATE_HEADER is set on the face {settings.FACE}.",
            "Only the faces api and login stand behind a proxy that makes the header; elsewhere anybody could send it (S28).",
        )


@checks.register(TAG, checks.Tags.security)
def log_in(app_configs: Sequence[Any] | None, **_options: Any) -> Iterator[checks.CheckMessage]:
    """Checks session lengths and levels, and with DEBUG off the identity provider's URL and our client key (S04, S07)."""
    for prefix in ("", "MINASIDOR_"):
        idle = getattr(settings, f"{prefix}SESSION_IDLE_SECONDS")
        absolute = getattr(settings, f"{prefix}SESSION_ABSOLUTE_SECONDS")
        if not (
            60 <= idle <= LONGEST_IDLE and idle <= absolute <= LONGEST_SESSION and 0 < settings.SESSION_WARNING_SECONDS < idle
        ):
            yield _error(
                18,
                "The lengths of sessions do not fit together.",
                f"60 <= {prefix}SESSION_IDLE_SECONDS <= {LONGEST_IDLE}, no longer than {prefix}SESSION_ABSOLUTE_SECONDS <= "
                f"{LONGEST_SESSION}, and SESSION_WARNING_SECONDS shorter than idle.",
            )
        if getattr(settings, f"{prefix}SESSIONS_PER_SUBJECT") < 1:
            yield _error(18, f"{prefix}SESSIONS_PER_SUBJECT is below 1.", "Nobody could log in.")
    if settings.FACE not in _LOG_IN_FACES or settings.DATABASE_PURPOSE != "portal":  # workers and commands log nobody in
        return
    try:
        providers = identity_providers.all_providers()
    except (KeyError, TypeError, AttributeError):
        yield _error(16, "OIDC_PROVIDERS is no list of identity providers.", "Each has at least issuer, client_id and name.")
        return
    issuers = [provider.issuer for provider in providers]
    if len(set(issuers)) < len(issuers):
        yield _error(16, "Two identity providers have the same issuer.", "An answer must belong to one registration.")
    for provider in providers:
        yield from _identity_provider(provider)


def _identity_provider(provider: identity_providers.IdentityProvider) -> Iterator[checks.CheckMessage]:
    """Checks one of the site's identity providers: levels and claims always, address and credentials with DEBUG off.

    The portal takes level 3 only, Mina sidor whatever has a level (S04).
    """
    allowed = assurance.SUFFICIENT if settings.FACE == "portal" else assurance.OF_HOLDERS
    if not provider.acr_values or not set(provider.acr_values) <= allowed:
        text = "names no level or one below 3" if settings.FACE == "portal" else "names no level or an unknown one"
        yield _error(19, f"OIDC_ACR_VALUES {text}.", f"This site takes {', '.join(sorted(allowed))}.")
    if provider.framework not in assurance.FRAMEWORKS:
        yield _error(19, "OIDC_FRAMEWORK is unknown.", f"Name one of {', '.join(sorted(assurance.FRAMEWORKS))}.")
    if settings.DEBUG:
        return
    if urlsplit(provider.issuer).scheme != "https" or not _host(provider.issuer):
        yield _error(16, "OIDC_ISSUER is not https://.", "Name the identity provider; over plain http anybody could be it.")
    elif provider.issuer != settings.OIDC_ISSUER and _is_local(provider.issuer):
        yield _error(6, "OIDC_PROVIDERS names this machine.", "A simulator must not log anybody in.")
    fits = _is_secret(provider.secret_file) if provider.secret_file else _is_client_key(provider.key_file)
    if not fits:
        yield _error(
            17,
            "OIDC_CLIENT_KEY_FILE holds no private key that we sign with, or OIDC_CLIENT_SECRET_FILE no long secret.",
            "A PEM file with a P-256 key, or RSA of 2048 bits or more, whose public half the identity provider knows; or a file "
            f"with at least {CLIENT_SECRET_MIN} characters.",
        )


def _is_secret(path: str) -> bool:
    try:
        return len(Path(path).read_text().strip()) >= CLIENT_SECRET_MIN
    except (OSError, ValueError):
        return False


def _is_client_key(path: str) -> bool:
    try:
        key = serialization.load_pem_private_key(Path(path).read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    if isinstance(key, rsa.RSAPrivateKey):
        return key.key_size >= 2048
    return isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)


@checks.register(TAG, checks.Tags.security)
def outside_development(app_configs: Sequence[Any] | None, **_options: Any) -> Iterator[checks.CheckMessage]:
    """Reports settings that are refused when DEBUG is off."""
    if settings.DEBUG:
        return
    yield from _secret_key()
    if _under(settings.PKI_POLICY_ARC, DOCUMENTATION_ARC):
        yield _error(2, f"PKI_POLICY_ARC is under {DOCUMENTATION_ARC}.", "That arc is for documentation (RFC 5612).")
    for name in EXTERNAL_URLS:
        if (url := getattr(settings, name, "")) and _is_local(url):
            yield _error(6, f"{name} names this machine.", "A simulator is no source of truth (S07). Name the real system.")
    if any(_is_local(f"https://{host}") for host in settings.SUPPLIER_PUSH_HOSTS):
        yield _error(6, "SUPPLIER_PUSH_HOSTS names this machine.", "Orders hold personal data. Name the supplier's host.")
    for name in BACKENDS:
        if "simulator" in getattr(settings, name, "").lower():
            yield _error(6, f"{name} is a simulator.", "Name the adapter of the real system.")
    if _is_demo_maker(settings.DEVICE_ATTESTATION_ROOTS):
        yield _error(6, "DEVICE_ATTESTATION_ROOTS has the simulated maker.", "Its phones protect no key. Name real makers.")
    for variable in FAULT_VARIABLES:
        if os.environ.get(variable):
            yield _error(8, f"{variable} is set.", "It makes processes die on purpose. Unset it.")
    if settings.FACE != "status" and not SHORTEST_STEP <= settings.ANSWER_STEP_SECONDS <= 1:
        yield _error(
            21,
            "ANSWER_STEP_SECONDS holds answers too briefly or too long.",
            f"{SHORTEST_STEP} to 1 second, several times what an answer of what is not there takes (S46).",
        )
    yield from _custodians()
    yield from _addresses()
    yield from _database_roles()
    if settings.ISSUANCE_CHECK_BACKEND != ISSUANCE_CHECK:
        yield _error(22, "ISSUANCE_CHECK_BACKEND is not issuance's own.", "Certificates on cards are signed only for an order.")
    if settings.TEST_PERSONS_FILE and settings.ENVIRONMENT_NAME == PRODUCTION:
        yield _error(25, "TEST_PERSONS_FILE is set in production.", "Test cards belong to the test environments. Unset it.")
    if settings.ACCESSIBILITY_CONTACT.endswith(".example"):
        yield _error(14, "ACCESSIBILITY_CONTACT is the demo's.", "The accessibility statement must name who answers.")


def _is_demo_maker(path: str) -> bool:
    """Returns whether the file of roots has the one that the simulated maker of phones makes. A missing file has none."""
    try:
        roots = x509.load_pem_x509_certificates(Path(path).read_bytes()) if path else []
    except (OSError, ValueError):
        return False
    return any(
        str(name.value).startswith("DEMO ") for root in roots for name in root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    )


def _secret_key() -> Iterator[checks.CheckMessage]:
    try:
        key = settings.SECRET_KEY
    except ImproperlyConfigured:
        key = ""
    if len(key) < SECRET_KEY_MIN or len(set(key)) < 5:
        yield _error(
            1, "The secret key is missing or short.", f"SECRET_KEY_FILE must hold at least {SECRET_KEY_MIN} random characters."
        )


def _custodians() -> Iterator[checks.CheckMessage]:
    """Checks that the token's PIN comes from two custodians and from no file (S25)."""
    if settings.PKI_SHARE_FILES:
        yield _error(26, "PKI_SHARE_FILES is set.", "One person who reads both files could start signing. Unset it.")
    if settings.PKI_START_BY_TWO and settings.PKCS11_PIN_FILE:
        yield _error(
            26,
            "PKCS11_PIN_FILE is set although the start needs two custodians.",
            "Unset it, make shares by pki_split_pin, and remove the file.",
        )
    if settings.PKCS11_PIN_FILE and not settings.PKI_START_BY_TWO and settings.ENVIRONMENT_NAME == PRODUCTION:
        yield _error(
            26,
            "PKI_START_BY_TWO is off in production.",
            "Turn it on, or name the test environment in ENVIRONMENT_NAME.",
        )
    if len(set(settings.PKI_CUSTODIANS)) == 1:
        yield _error(26, "PKI_CUSTODIANS names one person.", "Name at least two users of this machine, or none in a container.")


def _addresses() -> Iterator[checks.CheckMessage]:
    status = urlsplit(settings.STATUS_BASE_URL)
    if status.scheme != "http" or not _is_dotted_name(_host(settings.STATUS_BASE_URL)):
        yield _error(
            7,
            "STATUS_BASE_URL is not http:// and a name with a dot.",
            "It stands in every certificate, and https would need a certificate to check one (RFC 5280 section 8).",
        )
    for name in ("PORTAL_BASE_URL", "MINASIDOR_BASE_URL", "API_BASE_URL"):
        url = getattr(settings, name)
        if urlsplit(url).scheme != "https" or _is_local(url):
            yield _error(
                13, f"{name} is not https:// and another machine's name.", "People and suppliers must reach it over TLS."
            )
    if settings.LOGIN_BASE_URL and (urlsplit(settings.LOGIN_BASE_URL).scheme != "https" or _is_local(settings.LOGIN_BASE_URL)):
        yield _error(13, "LOGIN_BASE_URL is not https:// and another machine's name.", "Unset it if nobody logs in there.")
    if _host(settings.EID_APP_URL) in (_host(settings.PORTAL_BASE_URL), _host(settings.MINASIDOR_BASE_URL)):
        yield _error(20, "EID_APP_URL has a portal's host name.", "Cookies do not tell ports apart (RFC 6265 section 8.5).")
    if "*" in settings.ALLOWED_HOSTS:
        yield _error(15, "ALLOWED_HOSTS accepts every name.", "List the names of this face.")


def _database_roles() -> Iterator[checks.CheckMessage]:
    """Checks that each process has its own role (ADR 0311) and none is the tables' owner, who could drop triggers (S44)."""
    user, owner = settings.DATABASES["default"].get("USER"), settings.DATABASE_OWNER_ROLE
    purpose = settings.DATABASE_PURPOSE
    expected, url = settings.DATABASE_ROLES[purpose], settings.DATABASE_URLS[purpose]
    if not settings.DATABASE_AS_OWNER and (user == owner or user != expected):
        yield _error(
            9,
            f"This process is {purpose} and does not connect as the database role {expected}.",
            f"Give it {url} with that role. DATABASE_OWNER_URL is for the owner, as whom only `migrate` connects.",
        )
    if len(set(settings.DATABASE_ROLES.values())) < len(settings.DATABASE_ROLES):
        yield _error(9, "Two processes have the same database role.", "Name a role of its own for each in DATABASE_…_ROLE.")
    if (settings.FACE == "api") != (purpose == "api"):
        yield _error(
            9, f"The process of SITHS_FACE={settings.FACE} connects as {purpose}.", "SITHS_DATABASE_ROLE=api is the API's."
        )


@checks.register(checks.Tags.database)
def database(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **_options: Any
) -> Iterator[checks.CheckMessage]:
    """Checks that PostgreSQL keeps committed work and has enough connections, and that the role cannot change events."""
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT name FROM pg_settings WHERE setting = 'off' AND name = ANY(%s)", [list(DURABLE)])
            lax = sorted(name for (name,) in cursor.fetchall())
            if lax and not os.environ.get("SITHS_TEST_ROOT"):
                yield _error(
                    10, f"PostgreSQL runs with {', '.join(lax)} off.", "A power cut would lose confirmed work. Turn it on."
                )
            cursor.execute(_FOR_APPLICATIONS)
            needed, offered = connection_counts.needed(settings.PORTAL_WORKERS), cursor.fetchone()[0]
            if needed > offered:
                yield _error(
                    24,
                    f"The processes may need {needed} connections, and PostgreSQL has {offered} for them.",
                    "Raise max_connections or lower PORTAL_WORKERS.",
                )
            if settings.DATABASE_AS_OWNER:
                continue
            cursor.execute(_CHANGEABLE)
            if changeable := [table for (table,) in cursor.fetchall()]:
                yield _error(
                    11,
                    f"The application's role may change {', '.join(changeable)}.",
                    "Connect as DATABASE_APP_ROLE, not as owner.",
                )


# `reserved_connections` is there from PostgreSQL 16 on.
_FOR_APPLICATIONS = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
       - coalesce(current_setting('reserved_connections', true), '0')::int
"""

# Tables with the trigger of `events.append_only` on which the present role has the right to update, delete or truncate.
_CHANGEABLE = """
SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
 WHERE NOT t.tgisinternal AND t.tgname = c.relname || '_append_only' AND has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')
 ORDER BY 1
"""


def stop_if_unsafe() -> None:
    """Runs the checks of this module. If one fails, prints a line for each error and ends the process with exit code 1."""
    found = [message for message in checks.run_checks(tags=[TAG]) if message.is_serious()]
    for message in found:
        print(f"{message.id}: {message.msg} {message.hint}", file=sys.stderr)  # noqa: T201
    if found:
        sys.exit(1)
