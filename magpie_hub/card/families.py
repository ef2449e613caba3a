"""Families of models that write text, and what their licences ask of a dataset made with them.

A table as data, read in November 2026 from the licences and the models' cards, in our own plain
words. It is no legal advice: what it says may be wrong or out of date, and the licence itself
decides. What is uncertain says so; a model that is not here has to be named in the spec. Knows no
spec.
"""

import re
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Licence:
    """What a model's licence asks of a dataset that is made with it.

    license: as the Hub names it. name: as people do. link: to its text. notice: what must be said.
    restriction: what must not be done with the text, or what it obliges to. allows: the licences
    that the dataset may carry; None for any.
    """

    license: str
    name: str
    link: str | None = None
    notice: str | None = None
    restriction: str | None = None
    allows: tuple[str, ...] | None = None

    @property
    def identifier(self) -> str:
        """The name as the Hub takes it for `license_name`: `qwen-license-agreement`."""
        return re.sub(r"[^a-z0-9.]+", "-", self.name.lower()).strip("-")


def _llama(version: str, restriction: str, notice: str, link: str) -> Licence:
    """Return the licence of a version of Llama, with what Meta's all have in common."""
    identifier = f"llama{version}"
    return Licence(
        license=identifier,
        name=f"Llama {version} Community License",
        link=link,
        notice=notice,
        restriction=restriction,
        allows=(identifier, "other"),
    )


def _llama_3(version: str, path: str) -> Licence:
    """Return the licence of Llama 3.1 or later."""
    return _llama(
        version,
        "A model that is trained on the text and made available must be called by a name that"
        " begins with “Llama”, and Meta's acceptable use policy holds.",
        f"Built with Llama. Llama {version} is licensed under the Llama {version} Community"
        " License, Copyright © Meta Platforms, Inc. All Rights Reserved.",
        f"https://www.llama.com/{path}/license/",
    )


def _special(name: str, link: str, restriction: str, notice: str | None = None) -> Licence:
    """Return a licence that the Hub has no identifier for, and whose terms go with the text."""
    return Licence("other", name, link, notice, restriction, ("other",))


APACHE = Licence("apache-2.0", "Apache License 2.0", "https://www.apache.org/licenses/LICENSE-2.0")
MIT = Licence("mit", "MIT License", "https://opensource.org/license/mit")
CC_BY_NC = Licence(
    license="cc-by-nc-4.0",
    name="Creative Commons Attribution Non Commercial 4.0",
    link="https://creativecommons.org/licenses/by-nc/4.0/",
    restriction="No commercial use.",
    allows=("cc-by-nc-4.0", "cc-by-nc-sa-4.0", "other"),
)
FREE = Licence("cc0-1.0", "free of rights")
LLAMA_2 = _llama(
    "2",
    "The text must not be used to improve any other large language model than Llama 2 and what is"
    " derived from it.",
    "Llama 2 is licensed under the LLAMA 2 Community License, Copyright © Meta Platforms, Inc. All"
    " Rights Reserved.",
    "https://ai.meta.com/llama/license/",
)
LLAMA_3 = _llama(
    "3",
    "The text must not be used to improve any other large language model than Llama 3 and what is"
    " derived from it; the name of such a model must begin with “Llama 3”.",
    "Built with Meta Llama 3. Meta Llama 3 is licensed under the Meta Llama 3 Community License,"
    " Copyright © Meta Platforms, Inc. All Rights Reserved.",
    "https://www.llama.com/llama3/license/",
)
LLAMA_3_1 = _llama_3("3.1", "llama3_1")
LLAMA_3_2 = _llama_3("3.2", "llama3_2")
LLAMA_3_3 = _llama_3("3.3", "llama3_3")
LLAMA_4 = _llama_3("4", "llama4")
GEMMA = Licence(
    license="gemma",
    name="Gemma Terms of Use",
    link="https://ai.google.dev/gemma/terms",
    notice="Gemma is provided under and subject to the Gemma Terms of Use found at"
    " ai.google.dev/gemma/terms.",
    restriction="A model that is trained on the text to perform like Gemma is a derivative of"
    " Gemma: its makers must pass the terms and their restrictions of use on.",
    allows=("gemma", "other"),
)
QWEN = _special(
    "Qwen License Agreement",
    "https://huggingface.co/Qwen/Qwen2.5-72B-Instruct/blob/main/LICENSE",
    "Whoever makes a model available that is trained on the text must display “Built with Qwen” or"
    " “Improved using Qwen”.",
    "Built with Qwen. Qwen is licensed under the Qwen LICENSE AGREEMENT, Copyright (c) Alibaba"
    " Cloud. All Rights Reserved.",
)
QWEN_RESEARCH = _special(
    "Qwen Research License Agreement",
    "https://huggingface.co/Qwen/Qwen2.5-3B-Instruct/blob/main/LICENSE",
    "For research and evaluation only, without commercial use. Whoever makes a model available"
    " that is trained on the text must display “Built with Qwen” or “Improved using Qwen”.",
    "Built with Qwen. Qwen is licensed under the Qwen RESEARCH LICENSE AGREEMENT, Copyright (c)"
    " Alibaba Cloud. All Rights Reserved.",
)
TONGYI = _special(
    "Tongyi Qianwen License Agreement",
    "https://huggingface.co/Qwen/Qwen2-72B-Instruct/blob/main/LICENSE",
    "The text must not be used to improve any other large language model than Tongyi Qianwen and"
    " what is derived from it.",
    "Tongyi Qianwen is licensed under the Tongyi Qianwen LICENSE AGREEMENT, Copyright (c) Alibaba"
    " Cloud. All Rights Reserved.",
)
TONGYI_RESEARCH = _special(
    "Tongyi Qianwen Research License Agreement",
    "https://huggingface.co/Qwen/Qwen1.5-1.8B-Chat/blob/main/LICENSE",
    "For research only, without commercial use; see the licence for what else it asks.",
)
MISTRAL_RESEARCH = _special(
    "Mistral AI Research License",
    "https://mistral.ai/licenses/MRL-0.1.md",
    "The text may be used for research only, without commercial use.",
)
DEEPSEEK = _special(
    "DeepSeek License Agreement",
    "https://github.com/deepseek-ai/DeepSeek-V2/blob/main/LICENSE-MODEL",
    "A model that is trained on the text to perform like DeepSeek's is a derivative of it: its"
    " makers must pass the licence's restrictions of use on.",
)
GLM_4 = _special(
    "GLM-4 License",
    "https://huggingface.co/zai-org/glm-4-9b-chat/blob/main/LICENSE",
    "See the licence for what it asks of models that are trained on the text.",
)
INTERNLM = _special(
    "InternLM License",
    "https://huggingface.co/internlm/internlm2_5-7b-chat",
    "Free for research; commercial use has to be applied for. See the model's card.",
)
FALCON = _special(
    "TII Falcon-LLM License 2.0",
    "https://falconllm.tii.ae/falcon-terms-and-conditions.html",
    "Its acceptable use policy holds; see the licence for what else it asks.",
)
STABILITY = _special(
    "Stability AI licence of the model",
    "https://stability.ai/license",
    "Commercial use is limited; see the licence that the model's card names.",
)
STARLING = Licence(
    license="apache-2.0",
    name="Apache License 2.0, with a condition",
    link="https://huggingface.co/Nexusflow/Starling-LM-7B-beta",
    restriction="Its makers ask that it is not used to compete with OpenAI.",
)
OLMO = replace(
    APACHE, restriction="Some were tuned on text of other models, whose terms their cards name."
)

_IDS = (
    (FREE, "scripted"),
    # Meta's models, and what others made of them.
    (LLAMA_4, "meta-llama/llama-4-*"),
    (LLAMA_3_3, "meta-llama/llama-3.3-* deepseek-ai/deepseek-r1-distill-llama-70b"),
    (LLAMA_3_2, "meta-llama/llama-3.2-* nousresearch/hermes-3-llama-3.2-*"),
    (LLAMA_3_1, "meta-llama/llama-3.1-* meta-llama/meta-llama-3.1-* allenai/llama-3.1-tulu-3-*"),
    (LLAMA_3_1, "nousresearch/hermes-3-llama-3.1-* nousresearch/hermes-4-70b*"),
    (LLAMA_3_1, "nousresearch/hermes-4-405b* deepseek-ai/deepseek-r1-distill-llama-8b"),
    (LLAMA_3, "meta-llama/meta-llama-3-* nousresearch/hermes-2-pro-llama-3-*"),
    (LLAMA_3, "nousresearch/hermes-2-theta-llama-3-*"),
    (LLAMA_2, "meta-llama/llama-2-* meta-llama/codellama-* codellama/codellama-*"),
    (LLAMA_2, "nousresearch/nous-hermes-llama-2-* nousresearch/nous-hermes-llama2-*"),
    (LLAMA_2, "lmsys/vicuna-*-v1.5*"),
    (APACHE, "google/gemma-4-*"),
    (GEMMA, "google/gemma-2b* google/gemma-7b* google/gemma-1.1-* google/gemma-2-*"),
    (GEMMA, "google/gemma-3-* google/gemma-3n-* google/codegemma-*"),
    (GEMMA, "huggingfaceh4/zephyr-7b-gemma-*"),
    # Qwen's licence goes by version and size.
    (TONGYI_RESEARCH, "qwen/qwen1.5-0.5b* qwen/qwen1.5-1.8b* qwen/qwen1.5-4b* qwen/codeqwen1.5-*"),
    (TONGYI, "qwen/qwen1.5-* qwen/qwen2-72b* qwen/qwen2-math-72b*"),
    (APACHE, "qwen/qwen2-[0-9]* qwen/qwen2-math-*"),
    (QWEN_RESEARCH, "qwen/qwen2.5-3b* qwen/qwen2.5-coder-3b*"),
    (QWEN, "qwen/qwen2.5-72b* qwen/qwen2.5-math-72b*"),
    (APACHE, "qwen/qwen2.5-[0-9]* qwen/qwen2.5-coder-* qwen/qwen2.5-math-*"),
    (APACHE, "qwen/qwen3-* qwen/qwq-32b*"),
    (MIT, "microsoft/phi-3-* microsoft/phi-3.5-* microsoft/phi-4*"),
    (MISTRAL_RESEARCH, "mistralai/mistral-large-instruct-2407"),
    (MISTRAL_RESEARCH, "mistralai/mistral-large-instruct-2411"),
    (MISTRAL_RESEARCH, "mistralai/mistral-small-instruct-2409"),
    (MISTRAL_RESEARCH, "mistralai/ministral-8b-instruct-2410"),
    (APACHE, "mistralai/mistral-7b-* mistralai/mixtral-* mistralai/mistral-nemo-*"),
    (APACHE, "mistralai/mistral-small-24b-* mistralai/mistral-small-3.* mistralai/mathstral-*"),
    (APACHE, "nousresearch/nous-hermes-2-mistral-* nousresearch/nous-hermes-2-mixtral-*"),
    (APACHE, "nousresearch/hermes-2-pro-mistral-* teknium/openhermes-2.5-mistral-7b"),
    (MIT, "huggingfaceh4/zephyr-7b-alpha huggingfaceh4/zephyr-7b-beta"),
    (STARLING, "berkeley-nest/starling-lm-7b-alpha nexusflow/starling-lm-7b-beta"),
    (MIT, "deepseek-ai/deepseek-r1 deepseek-ai/deepseek-r1-zero deepseek-ai/deepseek-r1-0528"),
    (MIT, "deepseek-ai/deepseek-r1-distill-qwen-* deepseek-ai/deepseek-v3-0324"),
    (MIT, "deepseek-ai/deepseek-v3.[12]*"),
    (DEEPSEEK, "deepseek-ai/deepseek-v2* deepseek-ai/deepseek-v3 deepseek-ai/deepseek-v3-base"),
    (DEEPSEEK, "deepseek-ai/deepseek-coder-* deepseek-ai/deepseek-llm-*"),
    (DEEPSEEK, "deepseek-ai/deepseek-math-*"),
    (APACHE, "huggingfacetb/smollm* openai/gpt-oss-* 01-ai/yi-* tinyllama/tinyllama-*"),
    (APACHE, "ibm-granite/granite-* internlm/internlm3-* tiiuae/falcon-7b* tiiuae/falcon-40b*"),
    (OLMO, "allenai/olmo-*"),
    (MIT, "thudm/glm-*-0414 zai-org/glm-*-0414 zai-org/glm-4.[56]*"),
    (GLM_4, "thudm/glm-4-9b* zai-org/glm-4-9b*"),
    (CC_BY_NC, "cohereforai/c4ai-command-* coherelabs/c4ai-command-*"),
    (CC_BY_NC, "cohereforai/aya-23-* coherelabs/aya-23-*"),
    (CC_BY_NC, "cohereforai/aya-expanse-* coherelabs/aya-expanse-*"),
    (INTERNLM, "internlm/internlm2*"),
    (FALCON, "tiiuae/falcon-11b* tiiuae/falcon3-* tiiuae/falcon-mamba-*"),
    (STABILITY, "stabilityai/stablelm-2-* stabilityai/stablelm-zephyr-*"),
)
FAMILIES = tuple((licence, pattern) for licence, ids in _IDS for pattern in ids.split())
"""Each licence with an id it holds for, in lower case, `*` for any text; the first that fits."""

COMMON = {
    licence.license: licence
    for licence in (
        *(APACHE, MIT, CC_BY_NC, GEMMA),
        *(LLAMA_2, LLAMA_3, LLAMA_3_1, LLAMA_3_2, LLAMA_3_3, LLAMA_4),
    )
}
"""The licences whose identifier says all of them."""
