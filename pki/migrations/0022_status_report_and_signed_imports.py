"""What the worker saw of the status services, and signatures over the reports of imports, which are fixed with them."""

from django.db import migrations, models

FIXED = """
CREATE FUNCTION pki_refuse_import_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'import %: %', OLD.id, TG_ARGV[0] USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER pki_caimport_report_is_fixed BEFORE UPDATE ON pki_caimport
  FOR EACH ROW WHEN (
    (OLD.report IS NOT NULL AND (
      NEW.report IS DISTINCT FROM OLD.report OR NEW.state <> OLD.state OR NEW.inputs_sha256 <> OLD.inputs_sha256
    ))
    OR (OLD.signature <> '' AND (NEW.signature <> OLD.signature OR NEW.signature_key_id <> OLD.signature_key_id))
  ) EXECUTE FUNCTION pki_refuse_import_change('a finished import and its report stay as they are');
"""
UNDO = """
DROP TRIGGER pki_caimport_report_is_fixed ON pki_caimport;
DROP FUNCTION pki_refuse_import_change();
"""


class Migration(migrations.Migration):
    """A report of the status services, and signatures of imports."""

    dependencies = [
        ("pki", "0021_imports"),
    ]

    operations = [
        migrations.AddField(
            model_name="caimport",
            name="signature",
            field=models.BinaryField(default=bytes),
        ),
        migrations.AddField(
            model_name="caimport",
            name="signature_key_id",
            field=models.CharField(blank=True, default="", max_length=40),
        ),
        migrations.AddField(
            model_name="caimport",
            name="signed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="StatusReport",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ("seen_at", models.DateTimeField()),
                ("store", models.JSONField(default=dict)),
                ("processes", models.JSONField(default=list)),
                ("stored", models.JSONField(default=dict)),
                ("counted_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="pki_statusreport_one")],
            },
        ),
        migrations.RunSQL(FIXED, UNDO),
    ]
