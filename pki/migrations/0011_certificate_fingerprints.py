"""An index by which a certificate is found by its SHA-256 fingerprint."""

from django.db import migrations, models

import pki.models.certificates


class Migration(migrations.Migration):
    dependencies = [("pki", "0010_audit_macs_and_clock")]

    operations = [
        migrations.AddIndex(
            "certificateblob", models.Index(pki.models.certificates.Fingerprint("der"), name="pki_blob_sha256")
        ),
    ]
