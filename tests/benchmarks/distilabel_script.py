# /// script
# requires-python = ">=3.11"
# dependencies = ["distilabel[openai]==1.5.3", "requests==2.34.2", "transformers==5.23.0"]
# ///
"""distilabel's Magpie on a server of vLLM's, as its documentation has it: `FILE.py SETTINGS`.

A script that uv runs in an environment of its own; `distilabel_way` starts it and reads the
`rows.jsonl` that it leaves in the current folder. SETTINGS is JSON: `url`, `tokenizer`, `prefix`
(its pre-query template), `rows`, `generation` (options of every request), and what more
`MagpieGenerator` is to be given. All rows are one batch, its fastest: it waits for the last
instruction of a batch before it asks for a response.
"""

import json
import sys
from typing import Any

from distilabel.models.llms import ClientvLLM
from distilabel.pipeline import Pipeline
from distilabel.steps.tasks import MagpieGenerator


def main(
    url: str,
    tokenizer: str,
    prefix: str,
    rows: int,
    generation: dict[str, Any],
    **task: Any,
) -> None:
    """Generate rows and write them."""
    with Pipeline(name="magpie", cache_dir="cache") as pipeline:
        client = ClientvLLM(
            base_url=url,
            tokenizer=tokenizer,
            magpie_pre_query_template=prefix,
            timeout=600,  # of 120 s, which all requests at once may need
            generation_kwargs=generation,
        )
        MagpieGenerator(llm=client, num_rows=rows, batch_size=rows, **task)
    pipeline.run(use_cache=False)["default"]["train"].to_json("rows.jsonl")


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
