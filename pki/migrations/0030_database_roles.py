"""What roles without the token may make the database do for them, and what only the role with the token may enter (ADR 0311)."""

from typing import Any

from django.conf import settings
from django.db import migrations

from siths_portal.lib.database.operations import RunStatements

# Each runs as the owner of the tables, and does one thing: a caller needs no right to change the table.
FUNCTIONS = """
CREATE FUNCTION pki_lock_certificates(ids uuid[])
RETURNS TABLE (id uuid, ca_id bigint, serial varchar, subject_ref varchar, status varchar, revoked_at timestamptz,
               reason varchar, invalidity_date timestamptz, status_version bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT c.id, c.ca_id, c.serial, c.subject_ref, c.status, c.revoked_at, c.reason, c.invalidity_date, c.status_version
  FROM pki_certificate c WHERE c.id = ANY(ids) ORDER BY c.id FOR NO KEY UPDATE
$$;

CREATE FUNCTION pki_draw_status_versions(ca bigint, amount bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  UPDATE pki_certificateauthority SET status_version = status_version + greatest(amount, 0) WHERE id = ca
  RETURNING status_version
$$;

-- Revokes, as a record says, and never gives a certificate another status.
CREATE FUNCTION pki_revoke_certificates(
  ids uuid[], moments timestamptz[], reasons text[], invalidities timestamptz[], versions bigint[]
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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
  UPDATE pki_certificate SET status = 'revoked', revoked_at = new.moment, reason = new.reason,
    invalidity_date = new.invalidity, status_version = new.version, held = FALSE
  FROM unnest(ids, moments, reasons, invalidities, versions) AS new (id, moment, reason, invalidity, version)
  WHERE pki_certificate.id = new.id AND pki_certificate.status <> 'failed';
END $$;

CREATE FUNCTION pki_keep_authorities(slugs text[]) RETURNS SETOF pki_certificateauthority
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT * FROM pki_certificateauthority WHERE slug = ANY(slugs) ORDER BY slug, generation FOR KEY SHARE
$$;

CREATE FUNCTION pki_lock_authority(wanted text, number integer) RETURNS SETOF pki_certificateauthority
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT * FROM pki_certificateauthority WHERE slug = wanted AND generation = number FOR UPDATE
$$;

-- Gives a CA the state that was approved, by a request that was used for it.
CREATE FUNCTION pki_set_ca_state(ca bigint, request uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE pki_certificateauthority a SET state = r.document->>'to' FROM pki_approvalrequest r
  WHERE a.id = ca AND r.id = request AND r.action = 'ca-state' AND r.state = 'used'
    AND r.document->>'slug' = a.slug AND (r.document->>'generation')::integer = a.generation
    AND r.document->>'from' = a.state;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no approval was used for this state' USING ERRCODE = 'insufficient_privilege';
  END IF;
END $$;

CREATE FUNCTION pki_lock_secret(wanted uuid) RETURNS SETOF pki_secret
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT * FROM pki_secret WHERE id = wanted FOR NO KEY UPDATE
$$;

CREATE FUNCTION pki_destroy_secrets(owner text, moment timestamptz) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH kept AS (SELECT id FROM pki_secret WHERE owner_ref = owner AND state <> 'destroyed' ORDER BY id FOR UPDATE)
  UPDATE pki_secret s SET state = 'destroyed', jwe = NULL, sealed = NULL, destroyed_at = moment FROM kept WHERE s.id = kept.id
  RETURNING s.id
$$;

-- Of one owner, or those that are named.
CREATE FUNCTION pki_destroy_deliveries(owner text, ids uuid[]) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH kept AS (
    SELECT id FROM pki_secretdelivery
    WHERE (owner_ref = owner OR id = ANY(ids)) AND state <> 'destroyed' ORDER BY id FOR UPDATE
  )
  UPDATE pki_secretdelivery d SET state = 'destroyed', jwe = NULL, proof_message = '', proof_signature = '' FROM kept
  WHERE d.id = kept.id RETURNING d.id
$$;
"""
SIGNATURES = (
    "pki_lock_certificates(uuid[])",
    "pki_draw_status_versions(bigint, bigint)",
    "pki_revoke_certificates(uuid[], timestamptz[], text[], timestamptz[], bigint[])",
    "pki_keep_authorities(text[])",
    "pki_lock_authority(text, integer)",
    "pki_set_ca_state(bigint, uuid)",
    "pki_lock_secret(uuid)",
    "pki_destroy_secrets(text, timestamptz)",
    "pki_destroy_deliveries(text, uuid[])",
)

# What a role without the token enters is a request: it waits to be signed, opened or delivered.
REQUESTS = """
CREATE FUNCTION pki_refuse_result() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT pg_has_role(current_user, TG_ARGV[0], 'USAGE')
    AND NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
    RAISE EXCEPTION 'table %: only the process with the token enters this', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER pki_certificate_is_requested BEFORE INSERT ON pki_certificate FOR EACH ROW WHEN (
  NEW.status <> 'reserved' OR NEW.issued_at IS NOT NULL OR NEW.revoked_at IS NOT NULL OR NEW.tbs_der IS NULL
  OR NEW.status_version <> 0 OR NEW.presigned_version <> -1 OR NEW.signing_attempts <> 0 OR NEW.signing_started_at IS NOT NULL
) EXECUTE FUNCTION pki_refuse_result({role});
CREATE TRIGGER pki_secret_is_received BEFORE INSERT ON pki_secret FOR EACH ROW WHEN (
  NEW.state <> 'received' OR NEW.sealed IS NOT NULL OR NEW.kek_id <> ''
) EXECUTE FUNCTION pki_refuse_result({role});
CREATE TRIGGER pki_secretdelivery_is_requested BEFORE INSERT ON pki_secretdelivery FOR EACH ROW WHEN (
  NEW.state <> 'requested' OR NEW.jwe IS NOT NULL OR NEW.token_sha256 <> '' OR NEW.proof_verified_at IS NOT NULL
  OR NEW.claimed_at IS NOT NULL OR NEW.ready_at IS NOT NULL OR NEW.attempts <> 0
) EXECUTE FUNCTION pki_refuse_result({role});
"""
UNDO_REQUESTS = """
DROP TRIGGER pki_certificate_is_requested ON pki_certificate;
DROP TRIGGER pki_secret_is_received ON pki_secret;
DROP TRIGGER pki_secretdelivery_is_requested ON pki_secretdelivery;
DROP FUNCTION pki_refuse_result();
"""


def make(_apps: Any, schema_editor: Any) -> None:
    """Makes the functions, which our roles may call and nobody else, and the triggers."""
    schema_editor.execute(FUNCTIONS)
    roles = ", ".join(schema_editor.quote_name(role) for role in sorted(set(settings.DATABASE_ROLES.values())))
    for signature in SIGNATURES:
        schema_editor.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        schema_editor.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO {roles}")
    role = settings.DATABASE_ROLES["pki"].replace("'", "''")
    schema_editor.execute(REQUESTS.replace("{role}", f"'{role}'"), params=None)


def unmake(_apps: Any, schema_editor: Any) -> None:
    """Undoes `make`."""
    schema_editor.execute(UNDO_REQUESTS)
    for signature in SIGNATURES:
        schema_editor.execute(f"DROP FUNCTION {signature}")


class Migration(migrations.Migration):
    """Needs the roles of `settings.DATABASE_ROLES` to exist. What they may do in tables, `migrate` grants in the end."""

    dependencies = [("pki", "0029_hold_releases")]
    operations = [RunStatements(make, unmake)]
