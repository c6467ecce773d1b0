"""What a CA's OCSP answers do with nonces (RFC 9654)."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the column; every CA leaves them out until it is told otherwise."""

    dependencies = [
        ("pki", "0022_status_report_and_signed_imports"),
    ]

    operations = [
        migrations.AddField(
            model_name="certificateauthority",
            name="nonce_policy",
            field=models.CharField(choices=[("ignore", "Ignore"), ("echo", "Echo")], default="ignore", max_length=8),
        ),
        migrations.AddConstraint(
            model_name="certificateauthority",
            constraint=models.CheckConstraint(
                condition=models.Q(("nonce_policy__in", ["ignore", "echo"])), name="pki_ca_nonce_policy"
            ),
        ),
    ]
