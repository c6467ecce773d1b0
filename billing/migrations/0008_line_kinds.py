"""Line kinds as data: the grouping key of ledger entries and lines, and the document type of invoices.

The key of existing rows is computed as a generated column that then becomes an ordinary one. So no row is updated, and the guards
of the ledger and of issued invoices stay on.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q

KEY = """
ALTER TABLE {table} ADD COLUMN grouping_key varchar(200) NOT NULL GENERATED ALWAYS AS (
  kind || '|' || article_code || '|' || unit_price::text || '|' || vat_rate::text || '|'
  || extract(year FROM period)::text || '-' || lpad(extract(month FROM period)::text, 2, '0') || '|'
  || CASE kind WHEN 'card' THEN office_id ELSE organisation_id END::text
) STORED;
ALTER TABLE {table} ALTER COLUMN grouping_key DROP EXPRESSION;
"""


def grouping_key(model: str) -> migrations.SeparateDatabaseAndState:
    """Adds the column with the keys that `billing.domain.line_kinds` gives the rows."""
    table = f"billing_{model}"
    return migrations.SeparateDatabaseAndState(
        database_operations=[migrations.RunSQL(KEY.format(table=table), f"ALTER TABLE {table} DROP COLUMN grouping_key")],
        state_operations=[migrations.AddField(model, "grouping_key", models.CharField(max_length=200))],
    )


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_counter_guard")]

    operations = [
        *(migrations.AlterField(m, "kind", models.CharField(max_length=20)) for m in ("invoiceline", "ledgerentry", "unpricedfact")),
        grouping_key("ledgerentry"),
        grouping_key("invoiceline"),
        migrations.RemoveConstraint("ledgerentry", "billing_ledger_office_of_card"),
        migrations.AddConstraint(
            "ledgerentry",
            models.CheckConstraint(
                condition=(~Q(kind="card") | Q(office_id__isnull=False)) & (~Q(kind="subscription") | Q(office_id__isnull=True)),
                name="billing_ledger_office_by_kind",
            ),
        ),
        migrations.AddConstraint(
            "ledgerentry", models.CheckConstraint(condition=~Q(grouping_key=""), name="billing_ledger_grouping_key")
        ),
        migrations.AddConstraint(
            "invoiceline", models.CheckConstraint(condition=~Q(grouping_key=""), name="billing_line_grouping_key_set")
        ),
        migrations.AddConstraint(
            "invoiceline", models.UniqueConstraint(fields=("invoice", "grouping_key"), name="billing_line_grouping_key")
        ),
        migrations.AddField("invoice", "document_type", models.CharField(default="380", max_length=3)),
        migrations.AddField(
            "invoice",
            "corrects",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="credit_notes", to="billing.invoice"
            ),
        ),
        migrations.RemoveConstraint("invoice", "billing_invoice_once"),
        migrations.AddConstraint(
            "invoice",
            models.UniqueConstraint(
                condition=Q(document_type="380"), fields=("run", "party_id"), name="billing_invoice_once"
            ),
        ),
        migrations.AddConstraint(
            "invoice",
            models.CheckConstraint(
                condition=Q(document_type="380", corrects=None)
                | Q(document_type="381", corrects__isnull=False) & ~Q(corrects=F("id")),
                name="billing_invoice_document_type",
            ),
        ),
    ]
