"""Makes the event and seal tables insert-only."""

from django.db import migrations

from siths_portal.lib.events import append_only


class Migration(migrations.Migration):
    dependencies = [("authn", "0001_initial")]

    operations = [*append_only("authn_event"), *append_only("authn_eventseal")]
