"""Requests of cards for certificates that the worker refused."""

from django.db import models


class RefusedRequest(models.Model):
    """A request that gets no certificate, so that the process that stored it can say so. `id` is the request's. Never changed."""

    id = models.UUIDField(primary_key=True)
    reason = models.CharField(max_length=80)
    at = models.DateTimeField()
