"""The outbox. Documents issued before it existed count as sent outside the portal."""

import uuid
from typing import Any

import django.db.models.deletion
from django.db import migrations, models

import siths_portal.lib.ids

NAMESPACE = uuid.UUID("6f1c5bb2-8a0e-5f0b-9d5c-0e6d3b7a4c11")
GUARD = """
CREATE FUNCTION billing_keep_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR (NEW.invoice_id, NEW.message_id, NEW.queued_at) IS DISTINCT FROM (OLD.invoice_id, OLD.message_id, OLD.queued_at)
     OR (OLD.state IN ('delivered', 'outside') AND NEW.state <> OLD.state)
     OR (OLD.state = 'rejected' AND NEW.state NOT IN ('rejected', 'outside')) THEN
    RAISE EXCEPTION 'a delivery keeps its document and its verdict' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_delivery_keep BEFORE UPDATE OR DELETE ON billing_delivery
  FOR EACH ROW EXECUTE FUNCTION billing_keep_delivery();
CREATE TRIGGER billing_delivery_no_truncate BEFORE TRUNCATE ON billing_delivery
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER billing_deliveryattempt_append_only BEFORE UPDATE OR DELETE ON billing_deliveryattempt
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER billing_deliveryattempt_no_truncate BEFORE TRUNCATE ON billing_deliveryattempt
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
GUARD_REVERSE = """
DROP TRIGGER billing_deliveryattempt_no_truncate ON billing_deliveryattempt;
DROP TRIGGER billing_deliveryattempt_append_only ON billing_deliveryattempt;
DROP TRIGGER billing_delivery_no_truncate ON billing_delivery;
DROP TRIGGER billing_delivery_keep ON billing_delivery;
DROP FUNCTION billing_keep_delivery();
"""


def adopt(apps: Any, _editor: Any) -> None:
    """Adds a settled row for each document that was issued before."""
    Delivery = apps.get_model("billing", "Delivery")
    issued = apps.get_model("billing", "Invoice").objects.filter(state="issued").values_list("id", "number", "issued_at")
    rows = [
        Delivery(
            invoice_id=pk, message_id=uuid.uuid5(NAMESPACE, number), state="outside", queued_at=at, settled_at=at,
            reason="Utfärdad innan portalen skickade fakturor.",
        )
        for pk, number, at in issued
    ]  # fmt: skip
    Delivery.objects.bulk_create(rows, batch_size=1000)


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0008_line_kinds'),
    ]

    operations = [
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('message_id', models.UUIDField(unique=True)),
                ('state', models.CharField(choices=[('waiting', 'Väntar på att skickas'), ('submitted', 'Skickad, mottagaren har inte svarat'), ('stopped', 'Stoppad av accesspunkten'), ('delivered', 'Levererad'), ('rejected', 'Avvisad av mottagaren'), ('outside', 'Skickad utanför portalen')], default='waiting', max_length=10)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('next_at', models.DateTimeField(null=True)),
                ('queued_at', models.DateTimeField()),
                ('settled_at', models.DateTimeField(null=True)),
                ('reason', models.CharField(blank=True, default='', max_length=500)),
                ('invoice', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='delivery', to='billing.invoice')),
            ],
        ),
        migrations.CreateModel(
            name='DeliveryAttempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('call', models.CharField(choices=[('submit', 'Skicka'), ('status', 'Fråga efter svar')], max_length=10)),
                ('outcome', models.CharField(max_length=15)),
                ('reason', models.CharField(blank=True, default='', max_length=500)),
                ('delivery', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='calls', to='billing.delivery')),
            ],
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('next_at__isnull', False)), fields=['next_at'], name='billing_delivery_due'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(fields=['state', 'queued_at'], name='billing_delivery_state'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('next_at', None), ('settled_at__isnull', False), ('state__in', ['delivered', 'rejected', 'outside'])), models.Q(('next_at__isnull', False), ('settled_at', None), ('state__in', ['waiting', 'submitted', 'stopped'])), _connector='OR'), name='billing_delivery_settled'),
        ),
        migrations.AddIndex(
            model_name='deliveryattempt',
            index=models.Index(fields=['delivery', 'id'], name='billing_delivery_attempts'),
        ),
        migrations.RunPython(adopt, migrations.RunPython.noop),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED"),
        migrations.RunSQL(GUARD, GUARD_REVERSE),
    ]
