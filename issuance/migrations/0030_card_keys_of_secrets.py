"""Copies the card key of each card to its PUK, so that the `pki` worker can bind it into the seal (ADR 0092)."""

from django.db import migrations

COPY = """
UPDATE pki_secret SET card_key_spki = issuance_carrier.card_key_spki
FROM issuance_carrier
WHERE issuance_carrier.puk_secret_id = pki_secret.id AND pki_secret.card_key_spki = ''
"""


class Migration(migrations.Migration):
    """Runs as the owner of the tables, so no application can choose another key for a card that has a PUK."""

    dependencies = [
        ("issuance", "0029_receipt_texts_from_above"),
        ("pki", "0026_card_key_proofs"),
    ]

    operations = [migrations.RunSQL(COPY, migrations.RunSQL.noop)]
