"""JSON APIs: views, fields, idempotency, problem details, descriptions."""
