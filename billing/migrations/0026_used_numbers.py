"""Numbers of before a restore, and the counter that may follow them too."""

from importlib import import_module
from typing import Any

from django.db import migrations, models

from siths_portal.lib.database.operations import RunStatements
from siths_portal.lib.events import append_only

FOLLOWS = """
CREATE OR REPLACE FUNCTION billing_counter_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'the counter of series % is kept', OLD.series USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.last <> 0 OR NEW.last_date IS NOT NULL
       OR NEW.last_hash <> encode(sha256(convert_to('billing series ' || NEW.series, 'UTF8')), 'hex') THEN
      RAISE EXCEPTION 'a counter begins before its first invoice' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.series <> OLD.series OR NEW.last < OLD.last OR NOT (
    EXISTS (
      SELECT FROM billing_invoice
      WHERE series = NEW.series AND sequence = NEW.last AND chain_hash = NEW.last_hash AND issue_date = NEW.last_date
    ) OR EXISTS (
      SELECT FROM billing_usednumber
      WHERE series = NEW.series AND sequence = NEW.last AND chain_hash = NEW.last_hash AND issue_date = NEW.last_date
    )
  ) THEN
    RAISE EXCEPTION 'the counter of series % follows its last invoice', OLD.series USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
"""


def make(_apps: Any, schema_editor: Any) -> None:
    """Replaces the function of the counter's trigger."""
    schema_editor.execute(FOLLOWS, params=None)


def unmake(_apps: Any, schema_editor: Any) -> None:
    """Puts the earlier function back."""
    earlier = import_module("billing.migrations.0007_counter_guard").GUARD.split("CREATE TRIGGER")[0]
    schema_editor.execute(earlier.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"), params=None)


class Migration(migrations.Migration):
    dependencies = [("billing", "0025_cost_centre")]

    operations = [
        migrations.CreateModel(
            name="UsedNumber",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("series", models.CharField(max_length=10)),
                ("sequence", models.PositiveIntegerField()),
                ("number", models.CharField(max_length=20, unique=True)),
                ("party_id", models.UUIDField()),
                ("issue_date", models.DateField()),
                ("previous_hash", models.CharField(max_length=64)),
                ("content_sha256", models.CharField(max_length=64)),
                ("chain_hash", models.CharField(max_length=64)),
                ("restored_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["content_sha256"], name="billing_usednumber_content")],
                "constraints": [models.UniqueConstraint(fields=("series", "sequence"), name="billing_usednumber_once")],
            },
        ),
        *append_only("billing_usednumber"),
        RunStatements(make, unmake),
    ]
