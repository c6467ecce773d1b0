"""Carriers that are made in advance have no holder while they are in stock. A holder, once there, is never another."""

import django.db.models.deletion
from django.db import migrations, models

HOLDER_ONCE = """
CREATE FUNCTION issuance_refuse_other_holder() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the holder of a carrier is set once' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER issuance_carrier_holder_once BEFORE UPDATE OF person_id ON issuance_carrier FOR EACH ROW
  WHEN (OLD.person_id IS NOT NULL AND NEW.person_id IS DISTINCT FROM OLD.person_id)
  EXECUTE FUNCTION issuance_refuse_other_holder();
"""

HOLDER_ONCE_REVERSE = """
DROP TRIGGER issuance_carrier_holder_once ON issuance_carrier;
DROP FUNCTION issuance_refuse_other_holder();
"""

STATES = ["ordered", "sent", "in_stock", "reserved", "activated_unsigned", "active", "revoked", "expired", "cancelled"]


class Migration(migrations.Migration):
    dependencies = [("issuance", "0042_wrong_signatures")]

    operations = [
        migrations.RemoveConstraint(model_name="carrier", name="issuance_carrier_state"),
        migrations.RemoveConstraint(model_name="carrier", name="issuance_active_has_receipt"),
        migrations.AlterField(
            model_name="carrier",
            name="person",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="carriers", to="issuance.person"
            ),
        ),
        migrations.AddConstraint(
            model_name="carrier",
            constraint=models.CheckConstraint(condition=models.Q(state__in=STATES), name="issuance_carrier_state"),
        ),
        migrations.AddConstraint(
            model_name="carrier",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("person__isnull", False),
                    models.Q(
                        ("kind", "reserve_card"),
                        ("state__in", ["cancelled", "expired", "in_stock", "ordered", "revoked", "sent"]),
                    ),
                    _connector="OR",
                ),
                name="issuance_carrier_has_holder",
            ),
        ),
        migrations.AddConstraint(
            model_name="carrier",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "active"), _negated=True),
                    ("receipt__isnull", False),
                    ("origin", "migrated"),
                    ("kind__in", ["test_card"]),
                    _connector="OR",
                ),
                name="issuance_active_has_receipt",
            ),
        ),
        migrations.RunSQL(HOLDER_ONCE, HOLDER_ONCE_REVERSE),
    ]
