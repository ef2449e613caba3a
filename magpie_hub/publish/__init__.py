"""Where a release goes: for now a folder, laid out exactly as the Hub repository will be."""
