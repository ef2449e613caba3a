"""vLLM's processes: started on a model, spoken to by a client, and gone when we are gone.

vLLM runs a model in processes of its own, one for each group of `tensor_parallel_size` x
`pipeline_parallel_size` GPUs, and deals requests out to them. What is asked of them is `vllm.py`'s.
vLLM is imported when a model is opened.
"""

import asyncio
import os
import subprocess
from asyncio import AbstractEventLoop
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from difflib import get_close_matches
from itertools import count
from multiprocessing import active_children
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from magpie_hub.errors import EngineError

if TYPE_CHECKING:
    from vllm.v1.engine.async_llm import AsyncLLM

OURS = {
    "model": "`model:` names it",
    "tokenizer": "it is the model's own",
    "revision": "write `model: ID@REVISION`",
    "tokenizer_revision": "write `model: ID@REVISION`",
    "max_num_queued_reqs": "the queue is kept full",
    "max_num_queued_tokens": "the queue is kept full",
    "hf_token": "a spec is published; set HF_TOKEN in the environment",
    "runner": "what a model is used for decides it",
    "skip_tokenizer_init": "structured output needs vLLM's tokenizer",
}
"""Options of vLLM that are not the spec's to set, each with the reason."""
DEFAULTS: dict[str, Any] = {
    "enable_prefix_caching": True,
    "disable_log_stats": True,
    # Small models may fill an answer up with white space where the grammar lets them.
    "structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True},
}
"""Options of vLLM where we choose otherwise than it does; a spec may choose otherwise than we."""
SETTINGS = {
    # stdout is for data, and vLLM says much at a start.
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_LOGGING_LEVEL": "ERROR",
    # A fork would hold what is ours open: the run's lock, and the pipe that tells of our end.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}
"""Unless the environment says otherwise."""


def check_options(options: Mapping[str, object]) -> None:
    """Raise EngineError for an option that is ours; vLLM's own names are known to vLLM only."""
    for name in options:
        if name in OURS:
            raise EngineError(
                f"the option `{name}` of the engine `vllm` is not for a spec to set: {OURS[name]}",
                hint=f"remove `{name}`",
            )


class Refused(Exception):
    """What vLLM says of a request that it does not take."""


class Client:
    """A model that vLLM's processes run; all that is asked of it is asked in one event loop."""

    def __init__(self, engine: "AsyncLLM", follower: subprocess.Popen[str]) -> None:
        self._engine: AsyncLLM | None = engine
        self._follower = follower
        self._numbers = count()
        self.version = library_version()
        self.context_length: int = engine.vllm_config.model_config.max_model_len
        self.vocabulary: int = engine.vllm_config.model_config.get_vocab_size()
        self.capacity: int = (
            engine.vllm_config.scheduler_config.max_num_seqs
            * engine.vllm_config.parallel_config.data_parallel_size
        )
        """How many requests run at once."""

    @classmethod
    def open(
        cls, loop: AbstractEventLoop, folder: Path, options: Mapping[str, object], *, runner: str
    ) -> "Client":
        """Start vLLM's processes on the model in `folder`; where that fails, `loop` is closed.

        runner: vLLM's word for what the model is used for, `generate` or `pooling`.
        Raises EngineError: vLLM is not installed, an option is unknown, the model cannot be run.
        """
        try:
            return loop.run_until_complete(cls._start(folder, options, runner))
        except BaseException:
            loop.close()
            raise

    @classmethod
    async def _start(cls, folder: Path, options: Mapping[str, object], runner: str) -> "Client":
        check_names(options)
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.usage.usage_lib import UsageContext
        from vllm.v1.engine.async_llm import AsyncLLM

        try:
            given = {**DEFAULTS, **_for_this_machine(options), **options}
            with _followed() as follower:
                args = AsyncEngineArgs(model=str(folder), runner=runner, **given)
                # The context sets how much is computed at once: much, as for a whole data set.
                context = UsageContext.LLM_CLASS
                return cls(AsyncLLM.from_engine_args(args, usage_context=context), follower)
        except (ArithmeticError, OSError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise EngineError(
                f"vLLM cannot run the model in `{folder}`: {reason}",
                hint="its own words stand above; set VLLM_LOGGING_LEVEL=INFO to see more of them",
            ) from error

    async def generate(self, prompt: Sequence[int], params: Any) -> Any:
        """Return vLLM's output for a prompt's completion; raises Refused, and EngineError."""
        return await self._last("generate", prompt, params)

    async def pool(self, prompt: Sequence[int], params: Any) -> Any:
        """Return vLLM's output for a prompt's pooling; raises Refused, and EngineError."""
        return await self._last("encode", prompt, params)

    async def stop(self) -> None:
        """End vLLM's processes."""
        _end(self._follower)
        if self._engine is not None:
            self._engine.shutdown()
            # Its destructor would run at the end of the process, when what it needs is gone.
            self._engine = None
        # vLLM's own tasks end when the loop runs once more.
        await asyncio.sleep(0)

    async def _last(self, method: str, prompt: Sequence[int], params: Any) -> Any:
        from vllm.exceptions import VLLMClientError
        from vllm.inputs import tokens_input
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        ask = getattr(self._engine, method)
        last = None
        try:
            async for output in ask(tokens_input(list(prompt)), params, str(next(self._numbers))):
                last = output
        except VLLMClientError as error:
            raise Refused(str(error)) from error
        except (EngineDeadError, EngineGenerateError) as error:
            # All that is in flight fails with vLLM's processes, and none of it may become a row.
            raise EngineError(
                f"vLLM stopped answering: {error.__cause__ or error}",
                hint="the same command goes on where it stopped; if memory was short, lower"
                " `max_num_seqs`, `max_model_len` or `gpu_memory_utilization`",
            ) from error
        return last


def library_version() -> str:
    """Return the version of the installed vLLM."""
    import vllm

    return str(vllm.__version__)


def imported() -> None:
    """Import vLLM, or raise the EngineError that names what to install."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import vllm  # noqa: F401 # tried here, so that the error is ours
    except ModuleNotFoundError as error:
        raise EngineError(
            f"the engine `vllm` needs the library `{error.name}`, which is not installed",
            hint='run: pip install "magpie-hub[vllm]"',
        ) from error


def check_names(options: Mapping[str, object]) -> None:
    """Raise EngineError for an option that vLLM does not have, or where it is not installed."""
    imported()
    from vllm.engine.arg_utils import AsyncEngineArgs

    known = {option.name for option in fields(AsyncEngineArgs)} - OURS.keys()
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise EngineError(
                f"vLLM {library_version()} has no option `{name}`",
                hint=f"did you mean `{near[0]}`?" if near else "see `vllm serve --help=all`",
            )


def _for_this_machine(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults that depend on what vLLM runs on.

    On GPUs, as many engines as they are enough for, each with a group of its own.
    """
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        # vLLM 0.32 dies there where the prompt of a request with a seed is cut in two.
        return {"enable_chunked_prefill": False}
    group = options.get("tensor_parallel_size", 1) * options.get("pipeline_parallel_size", 1)
    return {"data_parallel_size": max(1, int(current_platform.device_count()) // int(group))}


@contextmanager
def _followed() -> Iterator[subprocess.Popen[str]]:
    """Start a shell that kills the processes begun in this block when our own process has gone.

    vLLM's would outlive a SIGKILL and keep the GPUs' memory, so that the next command found none.
    """
    # Its input ends with our process; it has a session of its own, so that Ctrl-C passes it by.
    kill = 'while read -r pid; do all="$all $pid"; done; kill -9 $all'
    follower = subprocess.Popen(
        ["sh", "-c", kill], stdin=subprocess.PIPE, start_new_session=True, text=True, bufsize=1
    )
    started = Event()

    def tell() -> None:
        told: set[int | None] = set()
        while True:
            done = started.wait(0.2)
            for pid in {child.pid for child in active_children()} - told:
                follower.stdin.write(f"{pid}\n")  # type: ignore[union-attr] # a pipe was asked for
                told.add(pid)
            if done:
                return

    teller = Thread(target=tell)
    teller.start()
    try:
        try:
            yield follower
        finally:
            started.set()
            teller.join()
    except BaseException:
        _end(follower)
        raise


def _end(follower: subprocess.Popen[str]) -> None:
    follower.kill()
    follower.communicate()
