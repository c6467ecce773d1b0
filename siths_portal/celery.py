"""Celery application and its static schedule. Queues: `default`, and `pki` for everything that needs the token."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")

app = Celery("siths_portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# name of the entry: task, seconds between runs, queue. Every task is a sweeper that may run twice or be missed.
SCHEDULE: dict[str, tuple[str, float, str]] = {
    "audit.seal": ("audit.seal", 5, "default"),
    "authn.prune_idempotency": ("authn.prune_idempotency", 86_400, "default"),
}

app.conf.beat_schedule = {
    entry: {"task": task, "schedule": seconds, "options": {"queue": queue, "expires": seconds}}
    for entry, (task, seconds, queue) in SCHEDULE.items()
}
