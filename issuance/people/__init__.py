"""People, their numbers, HSA assignments, visibility and photos; the ports to HSA directory and person register."""
