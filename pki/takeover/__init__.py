"""Taking over a CA that lived elsewhere, and letting one go (spec F8): sources, checks, storing, lists, reports, export."""
