"""From a prefix to instructions, and from instructions to responses; yields records only."""
