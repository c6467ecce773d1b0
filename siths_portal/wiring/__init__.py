"""The composition root: addresses of each site, adapters of ports, privileges of tables, and work on all audit chains."""
