"""Which rows a config keeps: duplicates, filters, and the funnel that accounts for the rest."""
