"""From an open-weight chat model to a published, versioned, reproducible dataset release.

    spec -> templates -> engines -> generate -> run folder -> curate -> tag -> builder -> card
            prefix       complete   instructions  shards     repeats,  labels  filter,    facts
            (token ids)             responses                overlaps          funnel
    -> publish

Every stage reads finished files and writes finished files; what is missing is what remains to
be done. `magpie_hub.run` is the one module that knows the order of the stages.

Nothing is imported here: callers name the module that they use, so that `magpie-hub --help`
starts without a single heavy library.
"""

__version__ = "0.1.0"
