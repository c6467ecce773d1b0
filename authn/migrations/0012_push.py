"""Where a supplier takes orders by signed calls, and the ends of clients' certificates."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("authn", "0011_key_attestation")]

    operations = [
        migrations.AddField("serviceclient", "push", models.JSONField(default=dict)),
        migrations.AddField("clientcertificate", "not_after", models.DateTimeField(null=True)),
    ]
