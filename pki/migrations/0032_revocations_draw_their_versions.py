"""The database numbers revocations itself and refuses to soften one, and bounds how many status versions one call takes.

A caller that chose a version could revoke and keep the version that the stored OCSP answer has, which then stayed in use.
"""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import migrations

from siths_portal.lib.database.operations import RunStatements

REPLACED = "pki_revoke_certificates(uuid[], timestamptz[], text[], timestamptz[], bigint[])"
SIGNATURE = "pki_revoke_certificates(uuid[], timestamptz[], text[], timestamptz[])"

# Names of results differ from those of columns: PL/pgSQL would not know which is meant.
FUNCTIONS = """
CREATE FUNCTION pki_revoke_certificates(ids uuid[], moments timestamptz[], reasons text[], invalidities timestamptz[])
RETURNS TABLE (certificate uuid, version bigint) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (
    SELECT FROM unnest(ids, moments, reasons, invalidities) AS new (id, moment, reason, invalidity)
    WHERE NOT EXISTS (
      SELECT FROM pki_revocation r WHERE r.certificate_id = new.id AND r.effective_at = new.moment AND r.reason = new.reason
        AND r.invalidity_date IS NOT DISTINCT FROM new.invalidity
    )
  ) THEN
    RAISE EXCEPTION 'a revocation without its record' USING ERRCODE = 'insufficient_privilege';
  END IF;
  -- First certificates, then CAs, each in the order of their ids, as everybody locks them.
  PERFORM FROM pki_certificate c WHERE c.id = ANY(ids) ORDER BY c.id FOR NO KEY UPDATE;
  IF EXISTS (
    SELECT FROM unnest(ids, moments, reasons, invalidities) AS new (id, moment, reason, invalidity)
    JOIN pki_certificate c ON c.id = new.id AND c.status = 'revoked'
    WHERE c.revoked_at <> new.moment
      OR (c.reason <> new.reason
          AND (c.reason IN ('keyCompromise', 'cACompromise') OR new.reason NOT IN ('keyCompromise', 'cACompromise')))
      OR (c.invalidity_date IS NOT NULL AND (new.invalidity IS NULL OR new.invalidity > c.invalidity_date))
  ) THEN
    RAISE EXCEPTION 'a revocation is final' USING ERRCODE = 'insufficient_privilege';
  END IF;
  PERFORM FROM pki_certificateauthority a
    WHERE a.id IN (SELECT c.ca_id FROM pki_certificate c WHERE c.id = ANY(ids)) ORDER BY a.id FOR NO KEY UPDATE;
  RETURN QUERY
  WITH changing AS (
    SELECT c.id, c.ca_id, row_number() OVER (PARTITION BY c.ca_id ORDER BY c.id) AS place
    FROM pki_certificate c WHERE c.id = ANY(ids) AND c.status <> 'failed'
  ), drawn AS (
    UPDATE pki_certificateauthority a SET status_version = a.status_version + wanted.amount
    FROM (SELECT changing.ca_id, count(*) AS amount FROM changing GROUP BY changing.ca_id) AS wanted
    WHERE a.id = wanted.ca_id RETURNING a.id, a.status_version - wanted.amount AS used
  )
  UPDATE pki_certificate c SET status = 'revoked', revoked_at = new.moment, reason = new.reason,
    invalidity_date = new.invalidity, status_version = drawn.used + changing.place, held = FALSE
  FROM unnest(ids, moments, reasons, invalidities) AS new (id, moment, reason, invalidity)
  JOIN changing ON changing.id = new.id JOIN drawn ON drawn.id = changing.ca_id
  WHERE c.id = changing.id RETURNING c.id, c.status_version;
END $$;

-- One call with a huge number would leave no versions for revocations.
CREATE OR REPLACE FUNCTION pki_draw_status_versions(ca bigint, amount bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  highest bigint;
BEGIN
  IF amount NOT BETWEEN 1 AND 1000000 THEN
    RAISE EXCEPTION 'a call draws 1 to 1000000 status versions' USING ERRCODE = 'numeric_value_out_of_range';
  END IF;
  UPDATE pki_certificateauthority SET status_version = status_version + amount WHERE id = ca RETURNING status_version INTO highest;
  RETURN highest;
END $$;
"""


def make(_apps: Any, schema_editor: Any) -> None:
    """Replaces the function that revokes, which our roles may call and nobody else, and the one that draws versions."""
    schema_editor.execute(f"DROP FUNCTION {REPLACED}")
    schema_editor.execute(FUNCTIONS)
    _grant(schema_editor, SIGNATURE)


def unmake(_apps: Any, schema_editor: Any) -> None:
    """Undoes `make`."""
    earlier = import_module("pki.migrations.0030_database_roles").FUNCTIONS.split("CREATE FUNCTION ")
    schema_editor.execute(f"DROP FUNCTION {SIGNATURE}")
    (draws,) = (each for each in earlier if each.startswith("pki_draw_status_versions"))
    (revokes,) = (each for each in earlier if each.startswith("pki_revoke_certificates"))
    schema_editor.execute(f"CREATE OR REPLACE FUNCTION {draws}; CREATE FUNCTION {revokes}")
    _grant(schema_editor, REPLACED)


def _grant(schema_editor: Any, signature: str) -> None:
    roles = ", ".join(schema_editor.quote_name(role) for role in sorted(set(settings.DATABASE_ROLES.values())))
    schema_editor.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
    schema_editor.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO {roles}")


class Migration(migrations.Migration):
    dependencies = [("pki", "0031_card_reconciliations")]
    operations = [RunStatements(make, unmake)]
