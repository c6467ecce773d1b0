"""Settings of every service and worker, from environment variables (`docs/settings.md`)."""

import sys
from pathlib import Path

import environ

from siths_portal.lib import assurance
from siths_portal.lib.database import connections
from siths_portal.lib.monitoring import logging as portal_logging
from siths_portal.lib.processes import table

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(environ.Env().str("SITHS_VAR_DIR", default=str(BASE_DIR / "var")))

env = environ.Env()
environ.Env.read_env(VAR_DIR / "portal.env")

DEBUG = env.bool("DEBUG", default=False)
COMPONENT_SHEET = DEBUG  # whether /komponenter/ exists; test runners turn DEBUG off later
FACE = env.str("SITHS_FACE", default="portal")
_FACES = sorted(path.stem.removeprefix("urls_") for path in (Path(__file__).parent / "wiring").glob("urls_*.py"))
if FACE not in _FACES:
    sys.stderr.write(f"SITHS_FACE is {FACE!r}. Use one of {', '.join(_FACES)}.\n")
    raise SystemExit(2)
PORT_BASE = env.int("PORT_BASE", default=8000)
PORTAL_WORKERS = env.int("PORTAL_WORKERS", default=table.DEFAULT_PORTAL_WORKERS)


def _secret(name: str) -> str:
    path = env.str(name, default="")
    return Path(path).read_text().strip() if path else ""


SECRET_KEY = _secret("SECRET_KEY_FILE") or ("development-only-not-secret" if DEBUG else "")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
PORTAL_BASE_URL = env.str("PORTAL_BASE_URL", default=f"http://localhost:{PORT_BASE}")
MINASIDOR_BASE_URL = env.str("MINASIDOR_BASE_URL", default=f"http://localhost:{PORT_BASE + 1}")
# The base of URLs in certificates. Production needs a name with a dot; pkilint refuses `localhost`.
STATUS_BASE_URL = env.str("STATUS_BASE_URL", default=f"http://127.0.0.1:{PORT_BASE + 2}")
# Where people log in with a card's certificate; empty: nowhere.
LOGIN_BASE_URL = env.str("LOGIN_BASE_URL", default=f"https://localhost:{PORT_BASE + 444}" if DEBUG else "")
API_BASE_URL = env.str("API_BASE_URL", default=f"https://localhost:{PORT_BASE + 443}")
# Issuers of the sites' TLS certificates for the demo and the simulators, if they are not public ones.
PORTAL_CA_FILE = env.str("PORTAL_CA_FILE", default="")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "django_htmx",
    "authn",
    "pki",
    "issuance",
    "billing",
    "siths_portal.simulators",
    "siths_portal",
]

# Services that people use with browsers and log in to. The others have neither cookies nor forms.
_PEOPLE = FACE in ("portal", "minasidor")
MIDDLEWARE = [
    # All data of the status service is public.
    *(["siths_portal.lib.http.answer_times.AnswerTimeMiddleware"] if FACE != "status" else []),
    "siths_portal.lib.monitoring.response_metrics.ResponseMetricsMiddleware",
    "siths_portal.lib.monitoring.logging.RequestIdMiddleware",
    "siths_portal.lib.http.headers.SecurityHeadersMiddleware",
    *(["siths_portal.lib.http.compression.CompressionMiddleware"] if _PEOPLE else []),
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    *(["issuance.minasidor.web.language.LanguageMiddleware"] if FACE == "minasidor" else []),
    *(["authn.web.middleware.SessionMiddleware"] if _PEOPLE else []),
    "django.middleware.common.CommonMiddleware",
    *(["authn.web.middleware.LoginRequiredMiddleware"] if _PEOPLE else []),
    *(
        ["django.middleware.csrf.CsrfViewMiddleware", "siths_portal.lib.pages.named_buttons.NamedButtonMiddleware"]
        if _PEOPLE
        else []
    ),
    *(
        ["django.contrib.messages.middleware.MessageMiddleware", "issuance.roles.web.middleware.ActorMiddleware"]
        if _PEOPLE
        else []
    ),
    # Log-in and CSRF token (in the body) are checked after all of these, in `process_view`.
    *(["siths_portal.lib.files.uploads.UploadLimitMiddleware"] if _PEOPLE else []),
    *(["siths_portal.lib.pages.error_pages.ErrorPageMiddleware"] if FACE != "api" else []),
]

ROOT_URLCONF = f"siths_portal.wiring.urls_{FACE}"
WSGI_APPLICATION = "siths_portal.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "builtins": ["siths_portal.templatetags.portal"],
            "context_processors": [
                "django.template.context_processors.request",
                *(["django.contrib.messages.context_processors.messages"] if _PEOPLE else []),
                "siths_portal.lib.pages.error_pages.faces",
                *(["siths_portal.wiring.frame.frame"] if FACE == "portal" else []),
                *(["issuance.minasidor.web.frame.frame"] if FACE == "minasidor" else []),
                *(["authn.web.context.session"] if _PEOPLE else []),
            ],
        },
    }
]

_database = connections.read(env, FACE)
DATABASE_AS_OWNER, DATABASE_PURPOSE, DATABASE_URLS = _database.as_owner, _database.purpose, table.DATABASE_URLS
# A connection keeps its plans (ADR 0349), so it lives longer than Django's habit of a minute.
_engine = "siths_portal.lib.database.postgresql"
_life = {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
DATABASES = {"default": _database.connection | {"ENGINE": _engine, "ATOMIC_REQUESTS": False} | _life}
# How long one statement of a site or an API may take; commands and workers have no limit.
STATEMENT_SECONDS = env.float("STATEMENT_SECONDS", default=60.0)
DATABASE_OWNER_ROLE, DATABASE_ROLES = _database.owner_role, _database.roles
DATABASE_APP_ROLE = DATABASE_ROLES["portal"]

REDIS_URL = env.str("REDIS_URL", default="redis://localhost:6379/0")
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL)
JOBS_APPLICATION = "siths_portal.celery.app"  # the Celery application, loaded when the first task is sent
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_DEFAULT_QUEUE = "default"
# No retries: whoever wakes a worker does not wait for a broker that is away, since a sweeper finds the work. Workers try again.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 900, "socket_timeout": 5, "socket_connect_timeout": 1, "max_retries": 0}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_TIMEZONE = "Europe/Stockholm"

# Seconds. A complete response may take the connect timeout and three read timeouts.
OUTBOUND_CONNECT_TIMEOUT = env.float("OUTBOUND_CONNECT_TIMEOUT", default=3.0)
OUTBOUND_READ_TIMEOUT = env.float("OUTBOUND_READ_TIMEOUT", default=10.0)

# The folder with the newest seal of each audit chain, outside the database.
AUDIT_ANCHOR_DIR = Path(env.str("AUDIT_ANCHOR_DIR", default=str(VAR_DIR / "audit")))
# The folder of the journals of what was issued, on another volume than the database.
JOURNAL_DIR = Path(env.str("JOURNAL_DIR", default=str(VAR_DIR / "journal")))
# Backups: the role that may copy the database, the folders that belong to it, and the age recipients of two groups of custodians.
DATABASE_BACKUP_URL = env.str("DATABASE_BACKUP_URL", default="")
DATABASE_BACKUP_PASSWORD = _secret("DATABASE_BACKUP_PASSWORD_FILE")
BACKUP_DIR = env.str("BACKUP_DIR", default=str(VAR_DIR / "backup"))
BACKUP_FOLDERS = env.list("BACKUP_FOLDERS", default=[str(VAR_DIR / "tokens"), str(VAR_DIR / "ceremony")])
BACKUP_RECIPIENT_FILES = env.list("BACKUP_RECIPIENT_FILES", default=[])
# How often a key of the token signs the newest seals.
AUDIT_HEAD_SECONDS = env.int("AUDIT_HEAD_SECONDS", default=3600)
# The folder of the processes' metrics; prometheus_client itself reads the variable.
METRICS_DIR = env.str("PROMETHEUS_MULTIPROC_DIR", default="")

LANGUAGE_CODE = "sv"
LANGUAGE_COOKIE_NAME = f"{'' if DEBUG else '__Host-'}{FACE}-language-{PORT_BASE}"
LANGUAGES = [("sv", "Svenska"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "Europe/Stockholm"
USE_TZ = True

STATIC_URL = "/static/"
# With hashes in their names, made by `collectstatic`, browsers may cache files for a year. Without, files are served from the
# source tree, for tests, which run without `collectstatic`.
STATIC_HASHED = env.bool("STATIC_HASHED", default=not DEBUG)
STATIC_ROOT = VAR_DIR / "static" if STATIC_HASHED else None
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]  # pages use no files of libraries
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = not STATIC_HASHED
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_MAX_AGE = env.int("STATIC_MAX_AGE", default=0 if DEBUG else 60)
if STATIC_HASHED:
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "siths_portal.lib.http.static_files.HashedStaticFilesStorage"},
    }

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Responses that must not reveal hidden rows are sent at the end of such a step (ADR 0255), several times their normal duration.
ANSWER_STEP_SECONDS = env.float("ANSWER_STEP_SECONDS", default=0.025)

# Uploads stay in memory: the most bytes to keep of a request's files, and the largest request to accept.
UPLOAD_MAX_BYTES = 5 * 1024 * 1024
UPLOAD_MAX_REQUEST_BYTES = 32 * 1024 * 1024
# Fewer than the threads of a process, so that slow uploads leave some for pages.
UPLOADS_AT_ONCE = env.int("UPLOADS_AT_ONCE", default=4)
UPLOADS_PER_MINUTE = env.int("UPLOADS_PER_MINUTE", default=600)
UPLOADS_PER_MINUTE_BY_PERSON = env.int("UPLOADS_PER_MINUTE_BY_PERSON", default=20)
UPLOADS_PER_MINUTE_BY_ORGANISATION = env.int("UPLOADS_PER_MINUTE_BY_ORGANISATION", default=200)
# Lists that may be fetched as files per process and minute, in total, by one person and by the people of one organisation.
LIST_FILES_PER_MINUTE = env.int("LIST_FILES_PER_MINUTE", default=300)
LIST_FILES_PER_MINUTE_BY_PERSON = env.int("LIST_FILES_PER_MINUTE_BY_PERSON", default=20)
LIST_FILES_PER_MINUTE_BY_ORGANISATION = env.int("LIST_FILES_PER_MINUTE_BY_ORGANISATION", default=100)
FILE_UPLOAD_HANDLERS = ["siths_portal.lib.files.uploads.BoundedUploadHandler"]

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "no-referrer"
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": ["'self'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],  # Designsystemet's icons are in its stylesheet
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
    "form-action": ["'self'"],
    "report-uri": ["/csp-rapport/"] if _PEOPLE else False,
}
# The status service is plain http by design: checking a TLS certificate must not need another one (RFC 5280 section 8).
_TLS = not DEBUG and FACE != "status"
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000 if _TLS else 0) if FACE != "status" else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _TLS
SECURE_SSL_REDIRECT = FACE != "status" and env.bool("SECURE_SSL_REDIRECT", default=_TLS)
SECURE_REDIRECT_EXEMPT = [r"^healthz/"]  # the supervisor calls the process directly
# Set behind a reverse proxy that terminates TLS. The proxy must overwrite the header in each request (S28).
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("TLS_PROXY", default=False) else None
# How many reverse proxies before this process append to X-Forwarded-For. With 0 the header is ignored: a client can send it.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
CSRF_COOKIE_NAME = f"{'' if DEBUG else '__Host-'}{FACE}-csrf-{PORT_BASE}"
CSRF_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "siths_portal.lib.pages.error_pages.csrf_failure"
# Sessions are in a table of `authn`. The cookie contains a random key and ends when the browser is closed.
SESSION_ENGINE = "authn.sessions"
SESSION_COOKIE_NAME = f"{'' if DEBUG else '__Host-'}{FACE}-session-{PORT_BASE}"
SESSION_COOKIE_SECURE = not DEBUG
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"  # the identity provider's callback is a navigation from another site (S19)
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # a cookie would contain the messages
LOGIN_URL = "login"
if not _PEOPLE:
    # No cookies and forms, so no CSRF protection. The status service has no HSTS and no redirect to https (see above).
    SILENCED_SYSTEM_CHECKS = ["security.W003", *(["security.W004", "security.W008"] if FACE == "status" else [])]

LOGGING_CONFIG = None
portal_logging.configure(debug=DEBUG)

REST_FRAMEWORK = {
    # For machine clients; APIs for other callers set their own class.
    "DEFAULT_AUTHENTICATION_CLASSES": ["authn.api.ClientCertificateAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["siths_portal.lib.rest.parser.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "siths_portal.lib.rest.problem.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "NUM_PROXIES": TRUSTED_PROXIES,
}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SORT_OPERATIONS": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "OrderStatus": "issuance.suppliers.api.v1.serializers.STATUSES",
        "IssuedStatus": "issuance.suppliers.api.v1.serializers.ISSUED",
        "PendingStatus": "issuance.suppliers.api.v1.serializers.PENDING",
        "CertificateStatus": "pki.clients.api.v1.serializers.STATUSES",
        "RevocationReason": "pki.clients.api.v1.serializers.REASONS",
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "siths_portal.lib.rest.openapi.finish"],
}
# The parts of each OpenAPI description that its views do not hold, by the module of its URLs.
API_DESCRIPTIONS = {
    "issuance.suppliers.api.v1.urls": "issuance.suppliers.api.v1.description.DESCRIPTION",
    "pki.clients.api.v1.urls": "pki.clients.api.v1.description.DESCRIPTION",
    "issuance.activation.api.v1.urls": "issuance.activation.api.v1.description.DESCRIPTION",
    "issuance.mobile.api.v1.urls": "issuance.mobile.api.v1.description.DESCRIPTION",
}
API_CONTACT = {"name": "Support of the SITHS eID Portal", "email": "support@demo-e-legitimationer.example"}
API_LICENCE = {"name": "For registered clients of the portal", "identifier": "LicenseRef-siths-eid-portal-clients"}

# --- pki -----------------------------------------------------------------------------------------------------------------
PKCS11_MODULE = env.str("PKCS11_MODULE", default="/usr/lib/softhsm/libsofthsm2.so")
PKCS11_TOKEN = env.str("PKCS11_TOKEN", default="siths-issuing")
PKCS11_ROOT_TOKEN = env.str("PKCS11_ROOT_TOKEN", default="siths-root")
PKCS11_PIN_FILE = env.str("PKCS11_PIN_FILE", default="")
# Whether the PIN comes from two custodians (rules/pki 7.3), where the `pki` worker takes their shares, and from which users.
PKI_START_BY_TWO = env.bool("PKI_START_BY_TWO", default=not DEBUG)
PKI_SHARE_SOCKET = env.str("PKI_SHARE_SOCKET", default="")
PKI_CUSTODIANS = env.list("PKI_CUSTODIANS", default=[])
# Development only: files with both shares.
PKI_SHARE_FILES = env.list("PKI_SHARE_FILES", default=[])
PKCS11_MODULE_ARGUMENTS = env.str("PKCS11_MODULE_ARGUMENTS", default="")
HSM_LOCKING = env.str("HSM_LOCKING", default="auto")
HSM_CALL_SECONDS = env.float("HSM_CALL_SECONDS", default=10.0)
# 1.3.6.1.4.1.32473 is reserved for documentation (RFC 5612); refused when DEBUG is off.
PKI_POLICY_ARC = env.str("PKI_POLICY_ARC", default="1.3.6.1.4.1.32473.752")
PKI_STATUS_DIR = Path(env.str("PKI_STATUS_DIR", default=str(VAR_DIR / "status")))
# The shared store of the OCSP responder's processes, and how many requests each process caches.
PKI_OCSP_STORE_DIR = Path(env.str("PKI_OCSP_STORE_DIR", default=str(VAR_DIR / "ocsp")))
PKI_OCSPD_MEMO = env.int("PKI_OCSPD_MEMO", default=10_000)
PKI_OCSP_LIVE_PER_SECOND = env.int("PKI_OCSP_LIVE_PER_SECOND", default=500)
# Files of keys that are never certified (see pki.domain.weak_keys). No issuing process starts if one cannot be read.
PKI_WEAK_KEYS_FILE = env.str("PKI_WEAK_KEYS_FILE", default="")
# HOST:PORT at which the `pki` worker serves /healthz/live and /healthz/ready; empty: not served.
WORKER_HEALTH_BIND = env.str("WORKER_HEALTH_BIND", default="")
# The most seconds that a process's clock may be ahead of the database server's. A clock further ahead is logged and not trusted.
PKI_CLOCK_AHEAD_SECONDS = env.int("PKI_CLOCK_AHEAD_SECONDS", default=3600)
PKI_SIGNING_CLAIM_SECONDS = env.int("PKI_SIGNING_CLAIM_SECONDS", default=20)
# How often a sealed secret (a card's PUK) may be delivered within 24 hours.
SECRET_DELIVERIES_PER_DAY = env.int("SECRET_DELIVERIES_PER_DAY", default=5)
# The token library for temporary tokens on which a ceremony is rehearsed.
PKI_REPLAY_MODULE = env.str("PKI_REPLAY_MODULE", default="/usr/lib/softhsm/libsofthsm2.so")
# The most encryptions with one key and random IVs (NIST SP 800-38D section 8.3).
KEK_SEALS_LIMIT = min(env.int("KEK_SEALS_LIMIT", default=2**32), 2**32)
PKI_CEREMONY_DIR = Path(env.str("PKI_CEREMONY_DIR", default=str(VAR_DIR / "ceremony")))
# The adapter of pki.ports.IssuanceCheck, which knows the orders of certificates on cards. Only tests of the PKI use another.
ISSUANCE_CHECK_BACKEND = env.str("ISSUANCE_CHECK_BACKEND", default="issuance.suppliers.services.issuance_check.OrderedCards")
# Calls per client, process and minute: of the supplier API, and of the PKI API by operation.
SUPPLIER_API_CALLS_PER_MINUTE = env.int("SUPPLIER_API_CALLS_PER_MINUTE", default=12_000)
PKI_API_ORDERS_PER_MINUTE = env.int("PKI_API_ORDERS_PER_MINUTE", default=300)
PKI_API_REVOCATIONS_PER_MINUTE = env.int("PKI_API_REVOCATIONS_PER_MINUTE", default=300)
PKI_API_READS_PER_MINUTE = env.int("PKI_API_READS_PER_MINUTE", default=1200)
PKI_API_SEARCHES_PER_MINUTE = env.int("PKI_API_SEARCHES_PER_MINUTE", default=120)

# --- issuance: limits of the life cycle (rules/issuance 4.5) -----------------------------------------------------------------
CARD_VALIDITY_YEARS = env.int("CARD_VALIDITY_YEARS", default=5)
EID_VALIDITY_YEARS = env.int("EID_VALIDITY_YEARS", default=2)
NOT_ACTIVATED_DAYS = env.int("NOT_ACTIVATED_DAYS", default=90)
NOT_SIGNED_DAYS = env.int("NOT_SIGNED_DAYS", default=5)
RESERVE_CARD_DAYS_LOA2 = env.int("RESERVE_CARD_DAYS_LOA2", default=14)
RESERVE_CARD_DAYS_LOA3 = env.int("RESERVE_CARD_DAYS_LOA3", default=183)
RESERVE_CARD_APPROVAL_MINUTES = env.int("RESERVE_CARD_APPROVAL_MINUTES", default=60)
ORDER_DRAFT_DAYS = env.int("ORDER_DRAFT_DAYS", default=7)
# eIDs that are ordered on a card in use (rules/issuance 3.6): days in which the holder fetches them, and how many a card takes
# beside its first.
EID_ORDER_DAYS = env.int("EID_ORDER_DAYS", default=90)
ADDITIONAL_EIDS_PER_CARRIER = env.int("ADDITIONAL_EIDS_PER_CARRIER", default=1)
# Bundles of reserve cards (rules/issuance 3.9): Swedish working days within which the supplier sends one.
RESERVE_CARD_WORKING_DAYS = env.int("RESERVE_CARD_WORKING_DAYS", default=5)
# Day of delivery (rules/issuance 3.15): Swedish working days until a supplier leaves an ordered card to the post, if it sent too
# few cards in the last 30 days to tell, and those that a card is in the post.
CARD_WORKING_DAYS = env.int("CARD_WORKING_DAYS", default=5)
POST_WORKING_DAYS = env.int("POST_WORKING_DAYS", default=2)
MINIMUM_AGE_LOA3 = env.int("MINIMUM_AGE_LOA3", default=18)
MINIMUM_AGE_LOA2 = env.int("MINIMUM_AGE_LOA2", default=15)
# Role holders (rules/issuance 1.4): days that a training and a person check are valid (0: no end), and days before the end from
# which they are listed as due soon. Without both nobody may issue (ADR 0187).
TRAINING_VALID_DAYS = env.int("TRAINING_VALID_DAYS", default=365)
PERSON_CHECK_VALID_DAYS = env.int("PERSON_CHECK_VALID_DAYS", default=0)
QUALIFICATION_SOON_DAYS = env.int("QUALIFICATION_SOON_DAYS", default=60)
# Carriers that one officer may revoke within an hour; more need a second officer.
REVOCATIONS_PER_HOUR = env.int("REVOCATIONS_PER_HOUR", default=20)
# Days that a request for a global role waits for a second administrator.
ROLE_REQUEST_DAYS = env.int("ROLE_REQUEST_DAYS", default=14)
# Nightly reading of role holders from the HSA directory: the hour in Stockholm at which it begins, queries a second (0: no
# limit), and the most assignments, in per cent of a batch, that may end before the directory is considered faulty.
ROLE_HOLDERS_READ_HOUR = env.int("ROLE_HOLDERS_READ_HOUR", default=2)
ROLE_HOLDERS_READ_PER_SECOND = env.float("ROLE_HOLDERS_READ_PER_SECOND", default=5.0)
ROLE_HOLDERS_LOST_PERCENT = env.int("ROLE_HOLDERS_LOST_PERCENT", default=10)
# The most assignments, in per cent of all, that a file of the HSA directory may end or move before it is considered faulty.
DIRECTORY_IMPORT_LOST_PERCENT = env.int("DIRECTORY_IMPORT_LOST_PERCENT", default=5)
# Register care (rules/issuance 7.11): the hour in Stockholm at which the nightly comparison begins, requests a second to the
# person register (0: no limit), days after which a sent card, a sent bundle and an order without news are listed, days before the
# end of a reserve card in stock, and the days after sending on which holders are reminded.
REGISTER_CARE_HOUR = env.int("REGISTER_CARE_HOUR", default=3)
REGISTER_CARE_READS_PER_SECOND = env.float("REGISTER_CARE_READS_PER_SECOND", default=5.0)
REGISTER_CARE_NOT_ACTIVATED_DAYS = env.int("REGISTER_CARE_NOT_ACTIVATED_DAYS", default=14)
REGISTER_CARE_AWAITED_DAYS = env.int("REGISTER_CARE_AWAITED_DAYS", default=14)
REGISTER_CARE_SILENT_ORDER_DAYS = env.int("REGISTER_CARE_SILENT_ORDER_DAYS", default=14)
REGISTER_CARE_STOCK_DAYS = env.int("REGISTER_CARE_STOCK_DAYS", default=60)
REMINDER_DAYS = env.list("REMINDER_DAYS", cast=int, default=[30, 60, 80])
# Days before the last day of an eID on which its holder is reminded (rules/issuance 7.13).
EID_REMINDER_DAYS = env.list("EID_REMINDER_DAYS", cast=int, default=[90, 60, 30])
# Activation: seconds that a start code is valid and that a started transaction lasts, minutes for which an identification can be
# reused, wrong proofs that end a transaction, seconds that `start` waits for the worker, and calls a minute by address.
EID_APP_URL = env.str("EID_APP_URL", default=f"http://127.0.0.1:{PORT_BASE + 11}/")
EID_APP_DOWNLOAD_URL = env.str("EID_APP_DOWNLOAD_URL", default=EID_APP_URL if DEBUG else "")
ACTIVATION_HANDLE_SECONDS = env.int("ACTIVATION_HANDLE_SECONDS", default=300)
ACTIVATION_STARTED_SECONDS = env.int("ACTIVATION_STARTED_SECONDS", default=900)
ACTIVATION_IDENTIFICATION_MINUTES = env.int("ACTIVATION_IDENTIFICATION_MINUTES", default=30)
ACTIVATION_WRONG_PROOFS = env.int("ACTIVATION_WRONG_PROOFS", default=5)
EID_APP_WAIT_SECONDS = env.float("EID_APP_WAIT_SECONDS", default=3.0)
EID_APP_CALLS_PER_MINUTE = env.int("EID_APP_CALLS_PER_MINUTE", default=600)
# Activations and unlockings that are opened per process and minute: in total, by one person, by the people of one organisation.
VISITS_PER_MINUTE = env.int("VISITS_PER_MINUTE", default=3_000)
VISITS_PER_MINUTE_BY_PERSON = env.int("VISITS_PER_MINUTE_BY_PERSON", default=60)
VISITS_PER_MINUTE_BY_ORGANISATION = env.int("VISITS_PER_MINUTE_BY_ORGANISATION", default=600)
# Mobile eIDs (rules/issuance 5.12): the makers' roots (PEM) of attestations of keys on devices (without a file no holder gets a
# mobile eID), how long a start code may be taken by a device, and how many valid ones a person has.
DEVICE_ATTESTATION_ROOTS = env.str("DEVICE_ATTESTATION_ROOTS", default="")
MOBILE_HANDLE_SECONDS = env.int("MOBILE_HANDLE_SECONDS", default=900)
MOBILE_EIDS_PER_PERSON = env.int("MOBILE_EIDS_PER_PERSON", default=3)
# The accepted country prefixes of HSA-ids; empty also accepts those of test directories.
HSA_ID_PREFIXES = env.list("HSA_ID_PREFIXES", default=[] if DEBUG else ["SE"])
# Search (rules/issuance 2.1): limits per person and hour, which an ID administrator with 50 cards a day does not reach.
SEARCHES_PER_HOUR = env.int("SEARCHES_PER_HOUR", default=240)
SEARCHES_BY_ENDING_PER_HOUR = env.int("SEARCHES_BY_ENDING_PER_HOUR", default=60)
SEARCHES_EXTENDED_PER_HOUR = env.int("SEARCHES_EXTENDED_PER_HOUR", default=20)
# And per process and minute, in total and by the people of one organisation.
SEARCHES_PER_MINUTE = env.int("SEARCHES_PER_MINUTE", default=3_000)
SEARCHES_PER_MINUTE_BY_ORGANISATION = env.int("SEARCHES_PER_MINUTE_BY_ORGANISATION", default=600)
SEARCH_MISSES_SUSPECT = env.int("SEARCH_MISSES_SUSPECT", default=25)
SEARCH_SHOWN_SUSPECT = env.int("SEARCH_SHOWN_SUSPECT", default=600)
SEARCH_MAX_HITS = env.int("SEARCH_MAX_HITS", default=100)
SEARCH_EXTENDED_MAX_HITS = env.int("SEARCH_EXTENDED_MAX_HITS", default=10)
SEARCH_KEEP_HOURS = env.int("SEARCH_KEEP_HOURS", default=24)
SETUP_IMPORT_HOURS = env.int("SETUP_IMPORT_HOURS", default=24)
SETUP_IMPORT_MISSES_PER_HOUR = env.int("SETUP_IMPORT_MISSES_PER_HOUR", default=250)
EXTENDED_REACH_MINUTES = env.int("EXTENDED_REACH_MINUTES", default=30)
DIRECTORY_BACKEND = env.str("DIRECTORY_BACKEND", default="issuance.people.adapters.directory_json.JsonDirectory")
DIRECTORY_URL = env.str("DIRECTORY_URL", default=f"http://127.0.0.1:{PORT_BASE + 13}")
PERSON_REGISTER_BACKEND = env.str(
    "PERSON_REGISTER_BACKEND", default="issuance.people.adapters.person_register_json.JsonPersonRegister"
)
PERSON_REGISTER_URL = env.str("PERSON_REGISTER_URL", default=DIRECTORY_URL)

# --- authn: people's log-in (rules/authn 1.1, 2.1); lengths are seconds ------------------------------------------------------
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

# --- authn: machine clients -----------------------------------------------------------------------------------------------
SUPPLIERS_FILE = env.str("SUPPLIERS_FILE", default="")
# Hosts (host or host:port) of suppliers that take their orders by signed calls. Nothing is sent anywhere else.
SUPPLIER_PUSH_HOSTS = env.list("SUPPLIER_PUSH_HOSTS", default=[])
# Folder with the client key for those calls, given to the suppliers' worker only: client.pem, client.key, ca.pem, signing.keys.
SUPPLIER_PUSH_FOLDER = env.str("SUPPLIER_PUSH_FOLDER", default="")
SUPPLIER_CHANNEL_BACKEND = env.str("SUPPLIER_CHANNEL_BACKEND", default="issuance.suppliers.push.adapters.rest.RestChannel")
# Set only for the process behind nginx on a unix socket. Only there is the client-certificate header accepted.
MTLS_CERTIFICATE_HEADER = env.str("MTLS_CERTIFICATE_HEADER", default="")
# The age at which a claim of an idempotency key is taken over even if its process seems to run.
IDEMPOTENCY_LEASE_SECONDS = env.int("IDEMPOTENCY_LEASE_SECONDS", default=120)
IDEMPOTENCY_KEEP_DAYS = env.int("IDEMPOTENCY_KEEP_DAYS", default=30)
# How long an API request waits for its certificates before it returns 202.
CERTIFICATE_WAIT_SECONDS = env.float("CERTIFICATE_WAIT_SECONDS", default=5.0)

# --- operator and contacts on pages ---------------------------------------------------------------------------------------------
OPERATOR_NAME = env.str("OPERATOR_NAME", default="Demo e-legitimationer AB")
# Where docs/alarms.md is published to operators.
RUNBOOK_URL = env.str("RUNBOOK_URL", default="")
SUPPORT_CONTACT = env.str("SUPPORT_CONTACT", default="support@demo-e-legitimationer.example")
ENVIRONMENT_NAME = env.str("ENVIRONMENT_NAME", default="Utveckling, med påhittade personer" if DEBUG else "Produktion")
# Booked test persons, who may get test cards; empty where there are none. Refused in production.
TEST_PERSONS_FILE = env.str("TEST_PERSONS_FILE", default="")
PROGRAM_BUILD = env.str("PROGRAM_BUILD", default="")
ACCESSIBILITY_CONTACT = env.str("ACCESSIBILITY_CONTACT", default="tillganglighet@demo-e-legitimationer.example")

# --- e-mail: the server, and the sender of what the portal sends -----------------------------------------------------------
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

# --- billing: the seller, an invented company with numbers that pass their checks -------------------------------------------
SELLER_NAME = env.str("SELLER_NAME", default="Demo e-legitimationer AB")
SELLER_ORGNR = env.str("SELLER_ORGNR", default="5599990008")
SELLER_VAT = env.str("SELLER_VAT", default="SE559999000801")
SELLER_BANKGIRO = env.str("SELLER_BANKGIRO", default="9912346")
SELLER_IBAN = env.str("SELLER_IBAN", default="SE3999900000000012345678")
SELLER_BIC = env.str("SELLER_BIC", default="DEMOSESS")
SELLER_CONTACT = env.str("SELLER_CONTACT", default="SITHS fakturering")
SELLER_STREET = env.str("SELLER_STREET", default="Kortvägen 1")
SELLER_POSTAL_CODE = env.str("SELLER_POSTAL_CODE", default="111 11")
SELLER_CITY = env.str("SELLER_CITY", default="Stockholm")
SELLER_SEAT = env.str("SELLER_SEAT", default="Stockholm")
SELLER_EMAIL = env.str("SELLER_EMAIL", default="faktura@demo-e-legitimationer.example")
# The Peppol access point: the adapter, and what it needs.
ACCESS_POINT_BACKEND = env.str("ACCESS_POINT_BACKEND", default="billing.delivery.adapters.folder.FolderAccessPoint")
ACCESS_POINT_FOLDER = env.str("ACCESS_POINT_FOLDER", default=str(VAR_DIR / "access-point"))
ACCESS_POINT_URL = env.str("ACCESS_POINT_URL", default=f"http://127.0.0.1:{PORT_BASE + 14}")
ACCESS_POINT_TOKEN_FILE = env.str("ACCESS_POINT_TOKEN_FILE", default="")
# Stored with each run as processing history (BFNAR 2013:2 chapter 9).
PROGRAM_VERSION = env.str("PROGRAM_VERSION", default="0.1.0")
