"""Card keys that are bound into seals, and the card's proof that a delivery comes with (ADR 0092)."""

from django.db import migrations, models

SEAL_VERSIONS = [(1, "Row"), (2, "Card Key")]


class Migration(migrations.Migration):
    """Seals that exist keep version 1; `issuance` copies their card keys, and the `pki` worker then seals them again."""

    dependencies = [
        ("pki", "0025_comparisons"),
    ]

    operations = [
        migrations.AddField("secret", "card_key_spki", models.BinaryField(default=bytes)),
        # Two steps: the rows that exist are of version 1, what is made from now on is of version 2.
        migrations.AddField("secret", "seal_version", models.PositiveSmallIntegerField(choices=SEAL_VERSIONS, default=1)),
        migrations.AlterField("secret", "seal_version", models.PositiveSmallIntegerField(choices=SEAL_VERSIONS, default=2)),
        migrations.AddField("secretdelivery", "handle_sha256", models.CharField(default="", max_length=64)),
        migrations.AddField("secretdelivery", "kind", models.CharField(default="", max_length=10)),
        migrations.AddField("secretdelivery", "proof_message", models.BinaryField(default=bytes)),
        migrations.AddField("secretdelivery", "proof_signature", models.BinaryField(default=bytes)),
        migrations.AddField("secretdelivery", "proof_verified_at", models.DateTimeField(null=True)),
        migrations.AddIndex(
            "secret",
            models.Index(
                condition=models.Q(("seal_version", 1), ("state", "sealed")), fields=["id"], name="pki_secret_row_sealed"
            ),
        ),
        migrations.AddConstraint(
            "secretdelivery",
            models.UniqueConstraint(
                condition=models.Q(("proof_verified_at__isnull", False)),
                fields=("handle_sha256",),
                name="pki_delivery_proof_once",
            ),
        ),
    ]
