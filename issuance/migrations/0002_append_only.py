"""Events, seals and documents are insert-only, by trigger and by rights."""

from django.db import migrations

from siths_portal.lib.events import append_only


class Migration(migrations.Migration):

    dependencies = [("issuance", "0001_initial")]

    operations = [
        *append_only("issuance_event"),
        *append_only("issuance_eventseal"),
        *append_only("issuance_document"),
    ]
