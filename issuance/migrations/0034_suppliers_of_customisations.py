"""Gives each card customisation a supplier: the only registered one, or the one that the administration chooses."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

ASSIGN = """
WITH only_one AS (
    SELECT min(client_ref) AS ref FROM authn_serviceclient WHERE kind = 'supplier' AND active HAVING count(*) = 1
), changed AS (
    UPDATE issuance_cardcustomisation AS customisation SET supplier_ref = only_one.ref, version = customisation.version + 1
    FROM only_one WHERE customisation.supplier_ref = ''
    RETURNING customisation.id, customisation.version, customisation.supplier_ref
)
INSERT INTO issuance_event (at, actor_ref, action, subject_type, subject_ref, facts)
SELECT now(), 'system:setup', 'customisation.changed', 'customisation', id::text, jsonb_build_object(
    'version', version, 'before', jsonb_build_object('supplier_ref', ''), 'after', jsonb_build_object('supplier_ref', supplier_ref)
) FROM changed
"""
ORDERS = """
UPDATE issuance_cardorder AS card_order SET supplier_ref = customisation.supplier_ref
FROM issuance_cardcustomisation AS customisation
WHERE customisation.id = card_order.customisation_id AND card_order.supplier_ref = '' AND customisation.supplier_ref <> ''
"""
VALIDATE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM issuance_cardcustomisation WHERE supplier_ref = '') THEN
        ALTER TABLE issuance_cardcustomisation VALIDATE CONSTRAINT issuance_customisation_supplier;
    END IF;
END $$
"""


class Migration(migrations.Migration):
    """Rows that keep no supplier, because several or none are registered, are refused at their next change without one.

    Until then nobody orders by them. Open orders of the queue follow their customisation.
    """

    dependencies = [
        ("issuance", "0033_searches_by_order_id"),
        ("authn", "0007_last_log_ins"),
    ]

    operations = [
        migrations.RunSQL([ASSIGN, ORDERS, "SET CONSTRAINTS ALL IMMEDIATE"], migrations.RunSQL.noop),
        AddConstraintNotValid(
            model_name="cardcustomisation",
            constraint=models.CheckConstraint(
                condition=models.Q(("supplier_ref", ""), _negated=True),
                name="issuance_customisation_supplier",
            ),
        ),
        migrations.RunSQL(VALIDATE, migrations.RunSQL.noop),
        migrations.RemoveIndex(model_name="cardorder", name="issuance_order_queue"),
        migrations.AddIndex(
            model_name="cardorder",
            index=models.Index(
                condition=models.Q(("state", "queued")),
                fields=["supplier_ref", "id"],
                name="issuance_order_supplier_queue",
            ),
        ),
    ]
