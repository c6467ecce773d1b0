"""What the health checks measured, for the curves of a day. Old rows are deleted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pki", "0033_refused_requests")]

    operations = [
        migrations.CreateModel(
            name="HealthSample",
            fields=[
                ("at", models.DateTimeField(primary_key=True, serialize=False)),
                ("values", models.JSONField(default=dict)),
                ("ocsp_answers", models.BigIntegerField(null=True)),
            ],
        ),
    ]
