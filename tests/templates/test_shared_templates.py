"""Real chat templates, where the folder that holds them lies beside the checkout."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from magpie_hub.errors import TemplateError
from magpie_hub.templates.cuts import variables
from magpie_hub.templates.prefix import conversation, derive
from magpie_hub.templates.renderer import environment
from magpie_hub.templates.sources import TemplateSource

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "chat_templates"
FIELDS = ("prefix", "prefix_with_system", "between_turns", "post_query", "end_of_turn")


def test_real_templates_are_cut_as_expected():
    """Every published template gives its five texts, and those without a clean cut are refused."""
    if not FOLDER.is_dir():
        pytest.skip("the folder of real chat templates does not lie beside this checkout")
    wrong = [
        f"{path.name}: {key}"
        for path in sorted(FOLDER.glob("*.json"))
        for key, kwargs in (("expected", "none"), ("expected_with_render_kwargs", "render_kwargs"))
        if key in (case := json.loads(path.read_text(encoding="utf-8")))
        and derived(case, case.get(kwargs)) != case[key]
    ]
    assert wrong == []


SAID = ("tell me a tale", "once there was a fox", "go on", "the fox slept", "is that all")
REFUSED = {
    "adversarial-prefix-holds-the-words.json": "the user message is written 2 times",
    "adversarial-reads-class.json": "SecurityError: access to attribute '__class__'",
}


@pytest.mark.parametrize("system", [None, "Speak of foxes only."])
def test_real_conversations_of_three_turns(system):
    """Texts and words in turn are what Jinja renders, or the reason against it is the right one."""
    if not FOLDER.is_dir():
        pytest.skip("the folder of real chat templates does not lie beside this checkout")
    wrong = []
    for path in sorted(FOLDER.glob("*.json")):
        case = source(json.loads(path.read_text(encoding="utf-8")))
        try:
            texts = conversation(case, date="2025-06-17", turns=3, system=system)
        except TemplateError as error:
            if REFUSED.get(path.name, "no reason is right") not in error.message:
                wrong.append(f"{path.name}: {error.message}")
            continue
        told = "".join(text + words for text, words in zip(texts, [*SAID, ""], strict=True))
        if path.name in REFUSED or told != rendered(case, system):
            wrong.append(path.name)
    assert wrong == []


def rendered(case: TemplateSource, system: str | None) -> str:
    """Return the conversation as Jinja renders it in this process."""
    roles = ("user", "assistant") * 2
    messages = [
        {"role": role, "content": text} for role, text in zip((*roles, "user"), SAID, strict=True)
    ]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    template = environment("2025-06-17").from_string(case.chat_template)
    return template.render(messages=messages, **variables(case))


def source(case: dict[str, str]) -> TemplateSource:
    """Return what a case says of its model."""
    template, bos, eos = (case[key] for key in ("chat_template", "bos_token", "eos_token"))
    return TemplateSource("case", template, bos, eos, {}, {}, None)


def derived(case: dict[str, Any], given: dict[str, object] | None) -> dict[str, object]:
    """Return the derived fields of a case, all null where it is refused."""
    date = str(case.get("now", "2025-06-17"))[:10]
    try:
        texts = derive(replace(source(case), given=given or {}), date=date)
    except TemplateError:
        return dict.fromkeys(FIELDS)
    found = {field: getattr(texts, field) for field in FIELDS}
    return found | {"end_of_turn": list(texts.end_of_turn)}
