"""Events of other places, so many that the planner has to choose by which index it finds those of one."""

SQL = """
INSERT INTO issuance_event SELECT made.* FROM issuance_event e, generate_series(1, 5000) n,
LATERAL jsonb_populate_record(e, jsonb_build_object(
    'id', e.id + 1000000::bigint * n, 'subject_ref', gen_random_uuid(),
    'facts', e.facts || jsonb_build_object('organisation', gen_random_uuid(), 'grant', gen_random_uuid())
)) made
WHERE e.subject_type = 'office' OR e.action = 'role.assigned';
ANALYZE issuance_event;
"""
