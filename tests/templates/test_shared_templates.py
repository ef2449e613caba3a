"""Real chat templates, where the folder that holds them lies beside the checkout."""

import json
from pathlib import Path

import pytest

from magpie_hub.errors import TemplateError
from magpie_hub.templates.prefix import derive
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


def derived(case: dict[str, object], render_kwargs: dict[str, object] | None) -> dict[str, object]:
    """Return the derived fields of a case, all null where it is refused."""
    template, bos, eos = (case[key] for key in ("chat_template", "bos_token", "eos_token"))
    source = TemplateSource("case", template, bos, eos, {}, {}, None)
    date = str(case.get("now", "2025-06-17"))[:10]
    try:
        texts = derive(source, date=date, render_kwargs=render_kwargs)
    except TemplateError:
        return dict.fromkeys(FIELDS)
    found = {field: getattr(texts, field) for field in FIELDS}
    return found | {"end_of_turn": list(texts.end_of_turn)}
