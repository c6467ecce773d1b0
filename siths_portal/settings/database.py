"""PostgreSQL, Redis, the queue, backups, and folders outside the database."""

from pathlib import Path

from siths_portal.lib.database import connections
from siths_portal.lib.processes import table
from siths_portal.settings.environment import FACE, VAR_DIR, env, secret

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
DATABASE_BACKUP_PASSWORD = secret("DATABASE_BACKUP_PASSWORD_FILE")
BACKUP_DIR = env.str("BACKUP_DIR", default=str(VAR_DIR / "backup"))
BACKUP_FOLDERS = env.list("BACKUP_FOLDERS", default=[str(VAR_DIR / "tokens"), str(VAR_DIR / "ceremony")])
BACKUP_RECIPIENT_FILES = env.list("BACKUP_RECIPIENT_FILES", default=[])
# How often a key of the token signs the newest seals.
AUDIT_HEAD_SECONDS = env.int("AUDIT_HEAD_SECONDS", default=3600)
# The folder of the processes' metrics; prometheus_client itself reads the variable.
METRICS_DIR = env.str("PROMETHEUS_MULTIPROC_DIR", default="")
