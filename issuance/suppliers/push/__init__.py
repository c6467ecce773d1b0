"""Delivery to suppliers by signed calls: an outbox, a worker with the client key, dead letters and a nightly reconciliation."""
