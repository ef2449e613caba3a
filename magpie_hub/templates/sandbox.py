"""Runs a foreign chat template in a child process with limits on time, memory and output.

Jinja's sandbox keeps a template from Python's inner life, but not from looping or from eating
memory; the system does that. It knows nothing of what is rendered, or why.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from magpie_hub.errors import TemplateError

Conversation = Sequence[Mapping[str, object]]
"""Messages: `{"role": ..., "content": ...}` each; the content is a text or a list of parts."""

CPU_SECONDS = 4
WALL_SECONDS = 30
MEMORY = 1 << 30
MOST_CHARACTERS = 300_000
_RENDERER = Path(__file__).with_name("renderer.py")


@dataclass(frozen=True, slots=True)
class Rendering:
    """What a template made of one conversation; `error` is why there is no text."""

    text: str = ""
    error: str = ""


def render(
    chat_template: str,
    conversations: Sequence[Conversation],
    *,
    variables: Mapping[str, object],
    date: str,
) -> list[Rendering]:
    """Return one rendering for each conversation, all from one child process.

    variables: what the template sees besides `messages`; must be writable as JSON.
    date: YYYY-MM-DD, what `strftime_now` goes by.
    Raises TemplateError where the child is stopped: too much time, memory or output.
    """
    job = {
        "chat_template": chat_template,
        "conversations": conversations,
        "variables": dict(variables),
        "date": date,
        "cpu_seconds": CPU_SECONDS,
        "memory": MEMORY,
        "most": MOST_CHARACTERS,
    }
    # -P keeps this folder's module names from hiding others.
    command = [sys.executable, "-P", str(_RENDERER)]
    try:
        done = subprocess.run(
            command, input=json.dumps(job).encode(), capture_output=True, timeout=WALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise _stopped(f"it ran longer than {WALL_SECONDS} s") from None
    if done.returncode == -signal.SIGXCPU:
        raise _stopped(f"it took more than {CPU_SECONDS} s of CPU time")
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise _stopped(last[:300] or f"its process died of signal {-done.returncode}")
    return [Rendering(**result) for result in json.loads(done.stdout)]


def _stopped(reason: str) -> TemplateError:
    return TemplateError(
        f"the chat template was stopped: {reason}",
        hint="use a model whose chat template renders a short conversation at once",
    )
