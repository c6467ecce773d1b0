from django.db import migrations

from siths_portal.lib.events import append_only


class Migration(migrations.Migration):
    dependencies = [("pki", "0001_initial")]

    operations = [*append_only("pki_event"), *append_only("pki_eventseal"), *append_only("pki_revocation")]
