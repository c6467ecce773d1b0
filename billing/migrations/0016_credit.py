"""Credit notes: who asks and approves, which line a line credits, and ledger entries that become billable again.

What the database refuses: a credit note of a credit note or of another customer, one that no two people made, more than a line's
quantity, an entry on two live lines, and any change of what is issued.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q

import siths_portal.lib.ids
from siths_portal.lib.events import append_only

# The new primary key is built while links are locked. A month has tens of thousands of links, so it takes less than a second.
GENERATION = """
ALTER TABLE billing_lineevent ADD COLUMN generation smallint NOT NULL DEFAULT 1 CHECK (generation >= 0);
ALTER TABLE billing_lineevent DROP CONSTRAINT billing_lineevent_pkey;
ALTER TABLE billing_lineevent ADD PRIMARY KEY (entry_id, generation);
"""
GENERATION_REVERSE = """
ALTER TABLE billing_lineevent DROP CONSTRAINT billing_lineevent_pkey;
ALTER TABLE billing_lineevent ADD PRIMARY KEY (entry_id);
ALTER TABLE billing_lineevent DROP COLUMN generation;
"""

INVOICES = """
CREATE OR REPLACE FUNCTION billing_refuse_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' AND NEW.number IS NOT NULL THEN
    RAISE EXCEPTION 'an invoice begins as a draft' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF TG_OP <> 'INSERT' AND OLD.number IS NOT NULL THEN
    RAISE EXCEPTION 'invoice % is issued and cannot change', OLD.number USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF TG_OP = 'DELETE' THEN
    RETURN OLD;
  END IF;
  IF NEW.document_type = '381' AND NEW.corrects_id <> NEW.id AND NOT EXISTS (
    SELECT FROM billing_invoice
    WHERE id = NEW.corrects_id AND document_type = '380' AND number IS NOT NULL AND party_id = NEW.party_id
  ) THEN
    RAISE EXCEPTION 'a credit note credits an issued invoice of its customer' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.document_type = '381' AND NEW.number IS NOT NULL THEN
    PERFORM billing_credit_is_approved(NEW.id, NEW.corrects_id);
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION billing_credit_is_approved(note uuid, corrected uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE request uuid;
BEGIN
  SELECT id INTO request FROM billing_creditrequest
    WHERE credit_note_id = note AND invoice_id = corrected AND approved_at IS NOT NULL;
  IF request IS NULL THEN
    RAISE EXCEPTION 'two people make a credit note' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF EXISTS (
    SELECT FROM (SELECT * FROM billing_invoiceline WHERE invoice_id = note) c
    FULL JOIN (SELECT * FROM billing_creditrequestline WHERE request_id = request) q ON q.line_id = c.credits_id
    WHERE c.quantity IS DISTINCT FROM q.quantity
       OR CASE q.treatment WHEN 'release' THEN c.quantity ELSE 0 END <> (
         SELECT coalesce(sum(e.quantity), 0)
         FROM billing_entryrelease r JOIN billing_ledgerentry e ON e.id = r.entry_id WHERE r.credit_line_id = c.id)
  ) THEN
    RAISE EXCEPTION 'a credit note has the lines and releases that were approved' USING ERRCODE = 'check_violation';
  END IF;
END $$;
"""
INVOICES_REVERSE = """
CREATE OR REPLACE FUNCTION billing_refuse_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.number IS NOT NULL THEN
      RAISE EXCEPTION 'an invoice begins as a draft' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.number IS NOT NULL THEN
    RAISE EXCEPTION 'invoice % is issued and cannot change', OLD.number USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
DROP FUNCTION billing_credit_is_approved(uuid, uuid);
"""

# A line of a credit note locks the line that it credits, so that credits of one line are added one after the other.
LINES = """
CREATE FUNCTION billing_credit_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  note billing_invoice;
  credited billing_invoiceline;
BEGIN
  SELECT * INTO note FROM billing_invoice WHERE id = NEW.invoice_id;
  IF note.document_type = '380' THEN
    IF NEW.credits_id IS NOT NULL THEN
      RAISE EXCEPTION 'only a line of a credit note credits a line' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  SELECT * INTO credited FROM billing_invoiceline WHERE id = NEW.credits_id AND invoice_id = note.corrects_id FOR UPDATE;
  IF credited.id IS NULL
     OR (credited.kind, credited.grouping_key, credited.article_code, credited.unit_price, credited.vat_rate, credited.period)
        IS DISTINCT FROM (NEW.kind, NEW.grouping_key, NEW.article_code, NEW.unit_price, NEW.vat_rate, NEW.period) THEN
    RAISE EXCEPTION 'a line of a credit note credits a line of the invoice at its price' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.quantity <= 0 OR NEW.quantity + (
    SELECT coalesce(sum(quantity), 0) FROM billing_invoiceline WHERE credits_id = credited.id
  ) > credited.quantity THEN
    RAISE EXCEPTION 'a line is credited up to its quantity' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_line_credit BEFORE INSERT ON billing_invoiceline
  FOR EACH ROW EXECUTE FUNCTION billing_credit_line();
"""
LINES_REVERSE = "DROP TRIGGER billing_line_credit ON billing_invoiceline; DROP FUNCTION billing_credit_line();"

LINKS = """
CREATE FUNCTION billing_link_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.generation > 1 AND NOT EXISTS (
    SELECT FROM billing_entryrelease WHERE entry_id = NEW.entry_id AND generation = NEW.generation - 1
  ) THEN
    RAISE EXCEPTION 'ledger entry % is on a live line', NEW.entry_id USING ERRCODE = 'unique_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_lineevent_follows BEFORE INSERT ON billing_lineevent
  FOR EACH ROW EXECUTE FUNCTION billing_link_follows();

CREATE FUNCTION billing_release_is_credited() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE credit billing_invoiceline;
BEGIN
  SELECT c.* INTO credit FROM billing_invoiceline c JOIN billing_invoice n ON n.id = c.invoice_id
    WHERE c.id = NEW.credit_line_id AND n.document_type = '381' AND n.number IS NULL;
  IF credit.id IS NULL OR NOT EXISTS (
    SELECT FROM billing_lineevent
    WHERE entry_id = NEW.entry_id AND generation = NEW.generation AND line_id = credit.credits_id
  ) THEN
    RAISE EXCEPTION 'a credit note releases entries of the line that it credits' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_release_is_credited BEFORE INSERT ON billing_entryrelease
  FOR EACH ROW EXECUTE FUNCTION billing_release_is_credited();
"""
# An entry that a credit note released is on no live line, so its price may be corrected before it is billed again.
CORRECTIONS = """
CREATE OR REPLACE FUNCTION billing_check_reversal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE entry billing_ledgerentry;
BEGIN
  SELECT * INTO entry FROM billing_ledgerentry WHERE id = NEW.reverses_id;
  IF entry.reverses_id IS NOT NULL OR entry.party_id <> NEW.party_id OR entry.grouping_key <> NEW.grouping_key
     OR entry.quantity <> -NEW.quantity THEN
    RAISE EXCEPTION 'a reversal has the party, line and quantity of an entry that is no reversal' USING ERRCODE = 'check_violation';
  END IF;
  IF EXISTS (
    SELECT FROM billing_lineevent l WHERE l.entry_id = NEW.reverses_id AND NOT EXISTS (
      SELECT FROM billing_entryrelease r WHERE r.entry_id = l.entry_id AND r.generation = l.generation)
  ) THEN
    RAISE EXCEPTION 'the entry is on an invoice line' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
"""
CORRECTIONS_REVERSE = """
CREATE OR REPLACE FUNCTION billing_check_reversal() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""

LINKS_REVERSE = """
DROP TRIGGER billing_release_is_credited ON billing_entryrelease;
DROP FUNCTION billing_release_is_credited();
DROP TRIGGER billing_lineevent_follows ON billing_lineevent;
DROP FUNCTION billing_link_follows();
"""

REQUESTS = """
CREATE FUNCTION billing_close_credit_request() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE closing text[] := ARRAY['approved_by', 'approved_at', 'credit_note_id', 'withdrawn_by', 'withdrawn_at'];
BEGIN
  IF TG_OP = 'DELETE' OR OLD.approved_at IS NOT NULL OR OLD.withdrawn_at IS NOT NULL
     OR to_jsonb(NEW) - closing <> to_jsonb(OLD) - closing THEN
    RAISE EXCEPTION 'a request to credit is approved or withdrawn, once' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_credit_close_only BEFORE UPDATE OR DELETE ON billing_creditrequest
  FOR EACH ROW EXECUTE FUNCTION billing_close_credit_request();
CREATE TRIGGER billing_credit_no_truncate BEFORE TRUNCATE ON billing_creditrequest
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
REQUESTS_REVERSE = """
DROP TRIGGER billing_credit_no_truncate ON billing_creditrequest;
DROP TRIGGER billing_credit_close_only ON billing_creditrequest;
DROP FUNCTION billing_close_credit_request();
"""


def linked(**options):
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, **options)


class Migration(migrations.Migration):
    dependencies = [("billing", "0015_price_changes")]

    operations = [
        migrations.AlterField("invoice", "run", linked(null=True, related_name="invoices", to="billing.invoicerun")),
        migrations.RemoveConstraint("invoice", "billing_invoice_document_type"),
        migrations.AddConstraint(
            "invoice",
            models.CheckConstraint(
                condition=Q(document_type="380", corrects=None, run__isnull=False)
                | Q(document_type="381", corrects__isnull=False, run=None) & ~Q(corrects=F("id")),
                name="billing_invoice_document_type",
            ),
        ),
        migrations.AddField(
            "invoiceline", "credits", linked(null=True, related_name="credited_by", to="billing.invoiceline")
        ),
        migrations.CreateModel(
            name="CreditRequest",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("reason", models.CharField(max_length=500)),
                ("requested_by", models.CharField(max_length=200)),
                ("requested_at", models.DateTimeField()),
                ("approved_by", models.CharField(max_length=200, null=True)),
                ("approved_at", models.DateTimeField(null=True)),
                ("withdrawn_by", models.CharField(max_length=200, null=True)),
                ("withdrawn_at", models.DateTimeField(null=True)),
                ("invoice", linked(related_name="credit_requests", to="billing.invoice")),
                (
                    "credit_note",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_request",
                        to="billing.invoice",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["-requested_at", "-id"], name="billing_credit_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(approved_by=None, approved_at=None, credit_note=None)
                        | Q(approved_by__isnull=False, approved_at__isnull=False, credit_note__isnull=False)
                        & ~Q(approved_by=F("requested_by")),
                        name="billing_credit_by_two",
                    ),
                    models.CheckConstraint(
                        condition=Q(withdrawn_by=None, withdrawn_at=None)
                        | Q(withdrawn_by__isnull=False, withdrawn_at__isnull=False, approved_by=None),
                        name="billing_credit_withdrawn",
                    ),
                    models.UniqueConstraint(
                        condition=Q(approved_at=None, withdrawn_at=None), fields=("invoice",), name="billing_credit_one_waits"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CreditRequestLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("quantity", models.DecimalField(decimal_places=2, max_digits=12)),
                (
                    "treatment",
                    models.CharField(choices=[("release", "Faktureras igen"), ("write-off", "Skrivs av")], max_length=10),
                ),
                ("request", linked(related_name="lines", to="billing.creditrequest")),
                ("line", linked(related_name="credit_request_lines", to="billing.invoiceline")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("request", "line"), name="billing_credit_line_once"),
                    models.CheckConstraint(condition=Q(quantity__gt=0), name="billing_credit_line_quantity"),
                    models.CheckConstraint(
                        condition=Q(treatment__in=["release", "write-off"]), name="billing_credit_line_treatment"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="EntryRelease",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "entry_id", "generation", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("entry", linked(db_index=False, related_name="releases", to="billing.ledgerentry")),
                ("generation", models.PositiveSmallIntegerField()),
                ("credit_line", linked(related_name="releases", to="billing.invoiceline")),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(GENERATION, GENERATION_REVERSE)],
            state_operations=[
                migrations.DeleteModel("LineEvent"),
                migrations.CreateModel(
                    name="LineEvent",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "entry_id", "generation", blank=True, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("entry", linked(db_index=False, related_name="line_events", to="billing.ledgerentry")),
                        ("generation", models.PositiveSmallIntegerField(db_default=1, default=1)),
                        (
                            "line",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="events", to="billing.invoiceline"
                            ),
                        ),
                    ],
                ),
            ],
        ),
        migrations.AddConstraint(
            "lineevent", models.CheckConstraint(condition=Q(generation__gte=1), name="billing_lineevent_generation")
        ),
        *append_only("billing_entryrelease"),
        *append_only("billing_creditrequestline"),
        migrations.RunSQL(REQUESTS, REQUESTS_REVERSE),
        migrations.RunSQL(INVOICES, INVOICES_REVERSE),
        migrations.RunSQL(LINES, LINES_REVERSE),
        migrations.RunSQL(LINKS, LINKS_REVERSE),
        migrations.RunSQL(CORRECTIONS, CORRECTIONS_REVERSE),
    ]
