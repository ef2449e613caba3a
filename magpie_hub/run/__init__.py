"""The stages of a release and their order; the one room that writes rows.

`graph` knows the order. `begin` opens a run for a spec, with what `pins` resolved of its
generator, which `models` looked through and whose files `weights` finds; `generation`, `tagging`
and `building` are the stages.
"""
