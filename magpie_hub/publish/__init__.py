"""Where a release goes: the plan, the folder and the Hub as targets, and the check of both."""
