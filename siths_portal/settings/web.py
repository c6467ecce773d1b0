"""Sites: Django's applications and middleware, static files, languages, uploads, cookies and headers."""

from pathlib import Path

from django import forms

from siths_portal.lib.monitoring import logging as portal_logging
from siths_portal.settings.environment import BASE_DIR, DEBUG, FACE, PORT_BASE, VAR_DIR, env, secret

COMPONENT_SHEET = DEBUG  # whether /komponenter/ exists; test runners turn DEBUG off later
SECRET_KEY = secret("SECRET_KEY_FILE") or ("development-only-not-secret" if DEBUG else "")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])

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

FORM_RENDERER = "django.forms.renderers.TemplatesSetting"  # with our own select
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates", Path(forms.__file__).parent / "templates"],
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
_STORAGE = "HashedStaticFilesStorage" if STATIC_HASHED else "PlainStaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": f"siths_portal.lib.http.static_files.{_STORAGE}"},
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
