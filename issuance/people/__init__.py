"""People, their numbers, HSA assignments, visibility and photos; the ports to the HSA directory and the person register."""
