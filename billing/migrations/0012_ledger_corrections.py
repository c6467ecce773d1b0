"""Reversals and adjustments of ledger entries, which the database checks against the entry that they correct."""

import django.db.models.deletion
from django.db import migrations, models

GUARD = """
CREATE FUNCTION billing_check_reversal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE entry billing_ledgerentry;
BEGIN
  SELECT * INTO entry FROM billing_ledgerentry WHERE id = NEW.reverses_id;
  IF entry.reverses_id IS NOT NULL OR entry.party_id <> NEW.party_id OR entry.grouping_key <> NEW.grouping_key
     OR entry.quantity <> -NEW.quantity THEN
    RAISE EXCEPTION 'a reversal has the party, line and quantity of an entry that is no reversal' USING ERRCODE = 'check_violation';
  END IF;
  IF EXISTS (SELECT FROM billing_lineevent WHERE entry_id = NEW.reverses_id) THEN
    RAISE EXCEPTION 'the entry is on an invoice line' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_ledger_reversal BEFORE INSERT ON billing_ledgerentry
  FOR EACH ROW WHEN (NEW.reverses_id IS NOT NULL) EXECUTE FUNCTION billing_check_reversal();

CREATE FUNCTION billing_refuse_reversed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM billing_ledgerentry r JOIN added ON r.reverses_id = added.entry_id) THEN
    RAISE EXCEPTION 'a reversed entry gets on no invoice line' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER billing_lineevent_reversed AFTER INSERT ON billing_lineevent
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_reversed();
"""

GUARD_REVERSE = """
DROP TRIGGER billing_lineevent_reversed ON billing_lineevent;
DROP FUNCTION billing_refuse_reversed();
DROP TRIGGER billing_ledger_reversal ON billing_ledgerentry;
DROP FUNCTION billing_check_reversal();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0011_line_description"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="ledgerentry",
            name="billing_ledger_quantity",
        ),
        migrations.AddField(
            model_name="ledgerentry",
            name="adjusts",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="adjustments",
                to="billing.ledgerentry",
            ),
        ),
        migrations.AddField(
            model_name="ledgerentry",
            name="reason",
            field=models.CharField(blank=True, default="", max_length=500),
        ),
        migrations.AddField(
            model_name="ledgerentry",
            name="reverses",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reversals",
                to="billing.ledgerentry",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("quantity__gt", 0), ("reverses", None)),
                    models.Q(("adjusts", None), ("quantity__lt", 0), ("reverses__isnull", False)),
                    _connector="OR",
                ),
                name="billing_ledger_quantity",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("adjusts", None), ("reverses", None)), models.Q(("reason", ""), _negated=True), _connector="OR"
                ),
                name="billing_ledger_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.UniqueConstraint(
                condition=models.Q(("reverses__isnull", False)), fields=("reverses",), name="billing_ledger_reversed_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.UniqueConstraint(
                condition=models.Q(("adjusts__isnull", False)), fields=("adjusts",), name="billing_ledger_adjusted_once"
            ),
        ),
        migrations.RunSQL(GUARD, GUARD_REVERSE),
    ]
