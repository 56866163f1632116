"""Settings of the whole server. What differs between machines comes from the environment.

An empty environment gives a working server for one machine: SQLite, a generated
secret, loopback only. `PRODUCTION=true` refuses to start on generated secrets and
guessed host names. `.env.example` lists every variable.
"""

import os
import platform
import warnings
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import dj_database_url
import django_stubs_ext
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy

from wallaroo_ui.env import (
    env_bool,
    env_choice,
    env_int,
    env_list,
    env_path,
    env_secret,
    env_secrets,
    env_str,
    env_url,
)

# Lets annotations such as ModelAdmin[User] stand in code that runs.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

# -- Where it runs ---------------------------------------------------------------------

PRODUCTION = env_bool("PRODUCTION", default=False)
DEBUG = env_bool("DEBUG", default=False)
if PRODUCTION and DEBUG:
    raise ImproperlyConfigured("DEBUG shows settings to visitors: it cannot be on in production.")

HOST = env_str("HOST", "127.0.0.1")
PORT = env_int("PORT", 8000, least=1)

DATA_DIR = env_path("DATA_DIR", BASE_DIR / "data")
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)

SECRET_KEY = env_secret("SECRET_KEY", kept_in=None if PRODUCTION else DATA_DIR / "secret_key")
# What is kept encrypted: the first key encrypts, all of them decrypt (`rotate_keys`).
ENCRYPTION_KEYS = env_secrets(
    "ENCRYPTION_KEYS",
    kept_in=None if PRODUCTION else DATA_DIR / "encryption_key",
    least_characters=32,
)

# The address at which a running script reaches this server.
TASK_SERVER_URL = env_str("TASK_SERVER_URL", f"http://127.0.0.1:{PORT}")

LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", [] if PRODUCTION else [*LOOPBACK_HOSTS, HOST])
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must name this server's host names in production.")
ALLOWED_HOSTS += [urlsplit(TASK_SERVER_URL).hostname or "127.0.0.1"]
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS", [])

# -- Application -----------------------------------------------------------------------

INSTALLED_APPS = [
    "wallaroo_ui",
    "wallaroo_ui.accounts",
    "wallaroo_ui.workspaces",
    "wallaroo_ui.connections",
    "wallaroo_ui.executions",
    "wallaroo_ui.api",
    "orchestrations",
    "tasks",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_htmx",
    "django_q",
    "ninja",
]

MIDDLEWARE = [
    "wallaroo_ui.api.errors.JsonErrorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "wallaroo_ui.htmx.GZipPagesMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "wallaroo_ui.accounts.middleware.PersonMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    # Not the last: next to an asynchronous view it would lose the answer that it is given.
    "axes.middleware.AxesMiddleware",
    "wallaroo_ui.htmx.RedirectMiddleware",
    "wallaroo_ui.htmx.UnchangedRegionMiddleware",
]

ROOT_URLCONF = "wallaroo_ui.urls"
ASGI_APPLICATION = "wallaroo_ui.asgi.application"
WSGI_APPLICATION = "wallaroo_ui.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "wallaroo_ui.workspaces.context_processors.workspaces",
            ],
            "builtins": ["wallaroo_ui.templatetags.display"],
        },
    },
]

# -- Data ------------------------------------------------------------------------------

# Long-lived processes (cluster, agent) keep their connection; `serve` sets this for them.
# The web process opens one for each request: under ASGI a kept one would leak.
CONN_MAX_AGE = env_int("CONN_MAX_AGE", 0)
DATABASES = {
    "default": dj_database_url.parse(
        env_str("DATABASE_URL", f"sqlite:///{DATA_DIR / 'db.sqlite3'}"),
        conn_max_age=CONN_MAX_AGE,
        conn_health_checks=CONN_MAX_AGE > 0,
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # Without IMMEDIATE a read that turns into a write fails at once with
        # "database is locked", whatever the timeout.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    # A server that does not answer is away, which processes wait out; they must not hang.
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 10)

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": DATA_DIR / "storage", "file_permissions_mode": 0o600},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]

# -- People ----------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # First: it stops those who guess.
    "wallaroo_ui.accounts.backends.EmailOrUsernameBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = reverse_lazy("accounts:login")
LOGIN_REDIRECT_URL = reverse_lazy("home")
LOGOUT_REDIRECT_URL = reverse_lazy("accounts:login")

# Ten wrong passwords for one person from one address, and that address waits for that person.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_CALLABLE = "wallaroo_ui.accounts.throttle.who_is_meant"
AXES_CLIENT_IP_CALLABLE = "wallaroo_ui.accounts.throttle.client_address"
AXES_LOCKOUT_CALLABLE = "wallaroo_ui.accounts.throttle.too_many_attempts"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
# Failures are kept as long as they count; who logged in when is nobody's business.
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = AXES_VERBOSE = False
# The log names the address. Not the name: people type their password there by mistake.
AXES_SENSITIVE_PARAMETERS = ["username", "csrfmiddlewaretoken"]

# Who lets people without an account in: every owner of a workspace, or admins alone.
INVITATIONS = env_choice("INVITATIONS", "owners", ("owners", "admins"))

# -- E-mail: invitations are sent where a server is named; a link is shown anyway --------

EMAIL_URL = env_url("EMAIL_URL", ("smtp", "smtps"))
SENDS_EMAIL = EMAIL_URL is not None
# Nothing is sent, and no link gets into a log, where no server is named.
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if SENDS_EMAIL else 'dummy'}.EmailBackend"
if EMAIL_URL is not None:
    EMAIL_HOST = EMAIL_URL.hostname or "localhost"
    EMAIL_USE_SSL = EMAIL_URL.scheme == "smtps"
    EMAIL_PORT = EMAIL_URL.port or (465 if EMAIL_USE_SSL else 587)
    EMAIL_HOST_USER = unquote(EMAIL_URL.username or "")
    EMAIL_HOST_PASSWORD = unquote(EMAIL_URL.password or "")
    # A password goes over no wire in the clear.
    EMAIL_USE_TLS = bool(EMAIL_HOST_USER) and not EMAIL_USE_SSL
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env_str("EMAIL_FROM", "wallaroo-ui@localhost")

# -- Safety of the web -----------------------------------------------------------------

SECURE_SSL_REDIRECT = False  # The SDK follows no redirects; the proxy in front decides.
SECURE_HSTS_SECONDS = env_int("HSTS_SECONDS", 31_536_000 if PRODUCTION else 0)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_NAME = "wallaroo_session"
CSRF_COOKIE_NAME = "wallaroo_csrf"
CSRF_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
BEHIND_PROXY = env_bool("BEHIND_PROXY", default=False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # Sub-domains and the preload list are the owner's of the domain to decide.
    "security.W021",
    "security.W008",  # SECURE_SSL_REDIRECT: see above.
]

# -- Uploads ---------------------------------------------------------------------------

MEGABYTE = 1024 * 1024
ARCHIVE_MAX_BYTES = env_int("ARCHIVE_MAX_MB", 512, least=1) * MEGABYTE
# Larger requests are refused unread (asgi.py).
UPLOAD_MAX_BYTES = ARCHIVE_MAX_BYTES + MEGABYTE
FORM_MAX_BYTES = DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * MEGABYTE

# -- Executions: runs and packagings ---------------------------------------------------

NODE_NAME = env_str("NODE_NAME", platform.node() or "localhost")
# How many runs this node holds at once; the rest wait in order. Most runs wait for
# something else, so the default is above the number of cores.
RUN_SLOTS = env_int("RUN_SLOTS", max(4, 2 * (os.cpu_count() or 1)), least=1)
PACKAGING_SLOTS = env_int("PACKAGING_SLOTS", 2, least=1)
# A node not heard of for longer is dead. The others notice within 5 s: so 30 s in all, the
# README's promise.
NODE_LEASE_SECONDS = 25
SANDBOX = env_choice("SANDBOX", "auto", ("auto", "required", "off"))
# The host's user that sandboxed code becomes when the server itself is root.
SANDBOX_UID = env_int("SANDBOX_UID", 65534, least=1)
STOP_GRACE_SECONDS = env_int("STOP_GRACE_SECONDS", 3, least=0)
RUN_TIMEOUT_SECONDS = 900  # What the original gives a task that names no timeout.
RUN_TIMEOUT_MAX_SECONDS = 30 * 24 * 3600
RUN_LOG_MAX_BYTES = env_int("RUN_LOG_MAX_MB", 4096, least=1) * MEGABYTE
# Runs and logs are deleted when they are older, or more for one task.
RUNS_KEPT_DAYS = env_int("RUNS_KEPT_DAYS", 30, least=1)
RUNS_KEPT_PER_TASK = env_int("RUNS_KEPT_PER_TASK", 1000, least=1)
# Who did what in a workspace is kept for longer: that is what people look for afterwards.
ACTIVITY_KEPT_DAYS = env_int("ACTIVITY_KEPT_DAYS", 365, least=1)
# An environment in which nothing has started for so long is made again when it is needed.
ENVIRONMENTS_KEPT_DAYS = env_int("ENVIRONMENTS_KEPT_DAYS", 30, least=1)
PACKAGING_TIMEOUT_SECONDS = env_int("PACKAGING_TIMEOUT_SECONDS", 1800, least=1)
# A package without a wheel runs its author's code while it is built: inside the
# sandbox, with nothing shared, or never. Where no sandbox works it is never.
SOURCE_BUILDS = env_choice("SOURCE_BUILDS", "sandbox", ("sandbox", "never"))
# What every task finds installed: "the Wallaroo SDK will already be present".
BASE_REQUIREMENTS = env_list("BASE_REQUIREMENTS", ["wallaroo==2026.1.3", "requests"])

# -- django-q2: see docs/decisions/0002-django-q2.md -----------------------------------

# It compares `retry` with a `timeout` that is not set: always "misconfigured".
warnings.filterwarnings("ignore", message="Retry and timeout are misconfigured")
Q_CLUSTER = {
    "name": "wallaroo",
    "orm": "default",
    "broker_class": "wallaroo_ui.queue.DoorbellBroker",
    "workers": env_int("CLUSTER_WORKERS", 2, least=1),
    "poll": 1.0,
    "guard_cycle": 1.0,
    "queue_limit": 1,
    "max_attempts": 1,
    "ack_failures": True,
    "retry": 2_000_000_000,
    "timeout": None,
    "save_limit": -1,
    "scheduler": False,
    "catch_up": False,
    "label": "Background jobs",
}

# -- Logging: one line an event, key=value, on standard error --------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "logfmt": {
            "()": "logfmter.Logfmter",
            "keys": ["at", "level", "logger"],
            "mapping": {"at": "asctime", "level": "levelname", "logger": "name"},
            "datefmt": "%Y-%m-%dT%H:%M:%S%z",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "logfmt"}},
    "root": {"handlers": ["console"], "level": env_str("LOG_LEVEL", "INFO").upper()},
    "loggers": {
        # One line for each job, poll and login is noise beside the runs' own lines.
        "axes": {"level": "WARNING"},
        "django-q": {"level": "WARNING"},
        "django.server": {"level": "WARNING"},
        "uvicorn": {"handlers": [], "propagate": True, "level": "WARNING"},
    },
}

# -- Language and time -----------------------------------------------------------------

LANGUAGE_CODE = "en-gb"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
