"""All exceptions, each with a hint; kept apart so that every room can raise them.

* MagpieError        anything that a user can put right
  - SpecError        the spec, or a preset's name, is not what it should be
  - TemplateError    a chat template cannot be read, or cannot be cut
  - EngineError      a model cannot be opened, or stopped answering
  - ShardError       a finished file or a journal is damaged or foreign
  - RunError         the run folder is in use, or holds another population
  - BuildError       a config cannot be made from the rows there are
  - CardError        the card names a fact that was not measured
  - TargetError      the release cannot be put where it should go
  - HubError         something cannot be fetched from the Hub, or put there
  - VerifyError      what is published is not what its release.json says
* Interrupted        a signal asked us to stop; everything finished is kept

A message says what, the value (in backticks) and what was expected; the hint is the next step.
"""


class MagpieError(Exception):
    """A fault that the user can put right; the command line prints it without a traceback."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SpecError(MagpieError):
    """The spec is wrong: the message names the file, the line and the key's path."""


class TemplateError(MagpieError):
    """A chat template is missing, raises, runs too long, or has no clean cut."""


class EngineError(MagpieError):
    """An engine is not installed, cannot load its model, or stopped answering."""


class ShardError(MagpieError):
    """A shard or a journal is truncated, damaged, or belongs to another run."""


class RunError(MagpieError):
    """A run folder is in use by another process, or was made from another spec."""


class BuildError(MagpieError):
    """A config cannot be built: it ends empty, or a column that a rule needs is missing."""


class CardError(MagpieError):
    """A card cannot be rendered from the facts there are."""


class TargetError(MagpieError):
    """The place where the release should go holds something else or cannot be written."""


class HubError(MagpieError):
    """A file cannot be had from the Hub, its cache, or an installed package; or not put there."""


class VerifyError(MagpieError):
    """A published release has other content than it says; the message names each fault."""


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to stop; it carries the signal's name.

    Like Ctrl-C it passes by `except Exception` in libraries, so that it always ends the command.
    """
