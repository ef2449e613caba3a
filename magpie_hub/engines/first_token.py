"""A first token that is drawn otherwise than the rest: one request made into two.

The first token is drawn alone, at its own temperature and with a bias against what is banned; then
the model goes on behind it as if it had written both. So nothing of ours runs among the library's
own steps. Knows no engine: each sends the two, and makes one text of the tokens of both.
"""

from collections.abc import Sequence
from dataclasses import replace

from magpie_hub.engines.base import Completion, FirstToken, Request


def opening(request: Request, first: FirstToken) -> Request:
    """Return the request for the first token alone."""
    temperature = request.sampling.temperature if first.temperature is None else first.temperature
    return replace(
        request, sampling=replace(request.sampling, temperature=temperature, max_tokens=1)
    )


def rest(
    request: Request, opened: Completion, tokens: Sequence[int], context_length: int
) -> Request | None:
    """Return the request for what comes behind the first token; None where that was all.

    opened, tokens: what came of `opening`, and its ids without an end mark.
    """
    most = min(request.sampling.max_tokens, context_length - len(request.prompt)) - 1
    if opened.finish_reason != "length" or most < 1:
        return None
    return replace(
        request,
        sampling=replace(request.sampling, max_tokens=most),
        # The same seed would draw the second token by the random numbers of the first.
        seed=request.seed + 1,
        first=None,
        written=tuple(tokens),
    )
