"""What a person writes: the spec, its defaults, the presets, and what a run remembers of it."""
