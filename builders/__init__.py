"""The `datasets` builder, and under `releases/` the specs of releases that are usable by name."""
