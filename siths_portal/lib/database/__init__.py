"""PostgreSQL: connections, feeds, locks, bulk writes, planner settings, stored documents."""
