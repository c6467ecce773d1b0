"""The composition root: URLs of each service, adapters of ports, privileges of tables, and all audit chains."""
