"""The test hub for a person to try: `python -m tests.hub FOLDER [--port P]`, ended by Ctrl-C.

What it is given stays in the folder; a hub that is started there later knows it.
"""

import argparse
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event

from tests.hub.clients import environment
from tests.hub.serving import serving


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted, and say how a client is brought here."""
    parser = argparse.ArgumentParser(prog="python -m tests.hub", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args(arguments)
    with serving(given.folder, given.port) as hub:
        for name, value in environment(hub, given.folder / "home").items():
            print(f"export {name}={value}", flush=True)  # noqa: T201
        Event().wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
