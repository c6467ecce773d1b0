"""Disputes about invoices. Of a dispute only its closing can be added, once."""

import django.db.models.deletion
from django.db import migrations, models

import siths_portal.lib.ids

GUARD = """
CREATE FUNCTION billing_dispute_close_only() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE closing text[] := ARRAY['outcome', 'closed_by', 'closed_at'];
BEGIN
  IF TG_OP = 'DELETE' OR OLD.closed_at IS NOT NULL OR to_jsonb(NEW) - closing <> to_jsonb(OLD) - closing THEN
    RAISE EXCEPTION 'a dispute is kept, and closed once' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_dispute_close_only BEFORE UPDATE OR DELETE ON billing_dispute
  FOR EACH ROW EXECUTE FUNCTION billing_dispute_close_only();
CREATE TRIGGER billing_dispute_no_truncate BEFORE TRUNCATE ON billing_dispute
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
REVERSE = """
DROP TRIGGER billing_dispute_no_truncate ON billing_dispute;
DROP TRIGGER billing_dispute_close_only ON billing_dispute;
DROP FUNCTION billing_dispute_close_only();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0017_payments'),
    ]

    operations = [
        migrations.CreateModel(
            name='Dispute',
            fields=[
                ('id', models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('reason', models.CharField(choices=[('reference', 'Fel referens eller ordernummer'), ('quantity', 'Fel antal'), ('price', 'Fel pris'), ('not-ordered', 'Kunden har inte beställt'), ('other', 'Annat')], max_length=20)),
                ('note', models.CharField(max_length=500)),
                ('opened_by', models.CharField(max_length=200)),
                ('opened_at', models.DateTimeField()),
                ('outcome', models.CharField(blank=True, max_length=500)),
                ('closed_by', models.CharField(max_length=200, null=True)),
                ('closed_at', models.DateTimeField(null=True)),
                ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='disputes', to='billing.invoice')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('closed_at', None)), fields=('invoice',), name='billing_dispute_one_open'), models.CheckConstraint(condition=models.Q(('reason__in', ['reference', 'quantity', 'price', 'not-ordered', 'other']), models.Q(('note', ''), _negated=True)), name='billing_dispute_reason'), models.CheckConstraint(condition=models.Q(models.Q(('closed_at', None), ('closed_by', None), ('outcome', '')), models.Q(('closed_at__isnull', False), ('closed_by__isnull', False), models.Q(('outcome', ''), _negated=True)), _connector='OR'), name='billing_dispute_closed')],
            },
        ),
        migrations.RunSQL(GUARD, REVERSE),
    ]
