"""The run folder: finished shards, the journal of the unit in progress, and its lock."""
