"""Payments: the bank's files, the payments in them, and what they pay. Payments and allocations are append-only."""

import django.db.models.deletion
from django.db import migrations, models

import siths_portal.lib.ids
from siths_portal.lib.events import append_only

GUARD = """
CREATE FUNCTION billing_payment_file_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.booked_at IS NOT NULL THEN
    RAISE EXCEPTION 'a booked file of payments is kept' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF TG_OP = 'UPDATE' AND (NEW.id, NEW.owner_ref, NEW.sha256, NEW.skipped, NEW.created_at, NEW.expires_at)
     IS DISTINCT FROM (OLD.id, OLD.owner_ref, OLD.sha256, OLD.skipped, OLD.created_at, OLD.expires_at) THEN
    RAISE EXCEPTION 'a file of payments is only booked' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER billing_paymentfile_keep BEFORE UPDATE OR DELETE ON billing_paymentfile
  FOR EACH ROW EXECUTE FUNCTION billing_payment_file_keep();
CREATE TRIGGER billing_paymentfile_no_truncate BEFORE TRUNCATE ON billing_paymentfile
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION billing_allocation_fits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  whole numeric;
  used numeric;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('billing allocation ' || NEW.payment_id, 0));
  SELECT amount INTO whole FROM billing_payment WHERE id = NEW.payment_id;
  SELECT coalesce(sum(amount), 0) + NEW.amount INTO used FROM billing_paymentallocation WHERE payment_id = NEW.payment_id;
  IF used < 0 OR used > whole THEN
    RAISE EXCEPTION 'a payment pays at most its amount' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.undoes_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM billing_paymentallocation
    WHERE id = NEW.undoes_id AND payment_id = NEW.payment_id AND invoice_id IS NOT DISTINCT FROM NEW.invoice_id
      AND amount = -NEW.amount
  ) THEN
    RAISE EXCEPTION 'an allocation is taken back as it was made' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.invoice_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM billing_invoice WHERE id = NEW.invoice_id AND number IS NOT NULL AND document_type = '380'
  ) THEN
    RAISE EXCEPTION 'a payment pays an issued invoice' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_allocation_fits BEFORE INSERT ON billing_paymentallocation
  FOR EACH ROW EXECUTE FUNCTION billing_allocation_fits();
"""
REVERSE = """
DROP TRIGGER billing_allocation_fits ON billing_paymentallocation;
DROP FUNCTION billing_allocation_fits();
DROP TRIGGER billing_paymentfile_no_truncate ON billing_paymentfile;
DROP TRIGGER billing_paymentfile_keep ON billing_paymentfile;
DROP FUNCTION billing_payment_file_keep();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0016_credit'),
    ]

    operations = [
        migrations.CreateModel(
            name='PaymentFile',
            fields=[
                ('id', models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('owner_ref', models.CharField(max_length=200)),
                ('sha256', models.CharField(max_length=64)),
                ('rows', models.JSONField()),
                ('skipped', models.PositiveIntegerField()),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('booked_at', models.DateTimeField(null=True)),
                ('payments', models.PositiveIntegerField(default=0)),
                ('total', models.DecimalField(decimal_places=2, default=0, max_digits=14)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('booked_at', None)), fields=['expires_at'], name='billing_payment_file_ends'), models.Index(fields=['owner_ref', 'created_at'], name='billing_payment_file_owner')],
                'constraints': [models.CheckConstraint(condition=models.Q(('booked_at', None), ('rows', []), _connector='OR'), name='billing_payment_file_booked')],
            },
        ),
        migrations.CreateModel(
            name='Payment',
            fields=[
                ('id', models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('account', models.CharField(max_length=34)),
                ('entry_reference', models.CharField(max_length=80)),
                ('part', models.PositiveIntegerField()),
                ('booked_on', models.DateField()),
                ('amount', models.DecimalField(decimal_places=2, max_digits=14)),
                ('references', models.CharField(blank=True, max_length=140)),
                ('payer', models.CharField(blank=True, max_length=140)),
                ('received_at', models.DateTimeField()),
                ('file', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='booked', to='billing.paymentfile')),
            ],
        ),
        migrations.CreateModel(
            name='PaymentAllocation',
            fields=[
                ('id', models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('amount', models.DecimalField(decimal_places=2, max_digits=14)),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('made_by', models.CharField(max_length=200)),
                ('made_at', models.DateTimeField()),
                ('invoice', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='allocations', to='billing.invoice')),
                ('payment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='allocations', to='billing.payment')),
                ('undoes', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='undone_by', to='billing.paymentallocation')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('amount__gt', 0), ('undoes', None)), models.Q(('amount__lt', 0), ('undoes__isnull', False), models.Q(('undoes', models.F('id')), _negated=True)), _connector='OR'), name='billing_allocation_sign'), models.CheckConstraint(condition=models.Q(models.Q(('reason', ''), _negated=True), models.Q(('invoice__isnull', False), ('undoes', None)), _connector='OR'), name='billing_allocation_reason')],
            },
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(fields=['-booked_on', '-id'], name='billing_payment_newest'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.UniqueConstraint(fields=('entry_reference', 'account', 'part'), name='billing_payment_once'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='billing_payment_positive'),
        ),
        *append_only("billing_payment"),
        *append_only("billing_paymentallocation"),
        migrations.RunSQL(GUARD, REVERSE),
    ]
