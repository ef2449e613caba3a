"""The licence gate: what the models that write text ask of a dataset, and whether it says so.

Only what a licence in `families`, or in the spec, asks can be checked; it is no legal advice.
Knows the spec; not what is published, nor how a card words it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase

from magpie_hub.card.families import COMMON, FAMILIES, Licence
from magpie_hub.hub import is_path, split_model
from magpie_hub.spec.card import Licence as Own
from magpie_hub.spec.model import Spec
from magpie_hub.spec.sections import Model
from magpie_hub.spec.tags import JudgeTag

_IDENTIFIERS = (
    "apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0"
    " bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause"
    " bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0"
    " cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0"
    " cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0"
    " cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1"
    " eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc h-research"
    " intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl openmdw-1.0"
    " openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license"
    " fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4"
    " grok2-community gemma unknown other"
)
HUB_LICENCES = frozenset(_IDENTIFIERS.split())
"""What the Hub takes for `license:` in a card (its documentation, "Licenses", November 2026)."""

_SCRIPTED = "scripted"
"""The engine that needs no model: its text is our own, whatever the model is called."""


def family(model: str, own: Mapping[str, Own]) -> Licence | None:
    """Return the licence of a model, None where it is not known.

    model: as a spec names it. own: the spec's licences, of which the first that fits holds.
    """
    name = _plain(model)
    for pattern, given in own.items():
        if _fits(name, pattern):
            return _completed(given)
    # A folder says nothing of what is in it.
    known = () if is_path(model) else FAMILIES
    return next((licence for licence, pattern in known if _fits(name, pattern)), None)


def writers(spec: Spec) -> dict[str, Model]:
    """Return the models whose words are published, by the places in the spec that name them."""
    named: dict[str, Model | None] = {"generator": spec.generator}
    if spec.generator is not None:
        named |= dict(spec.writer_of(answers) for answers in spec.used_answers)
    for name, tag in spec.tags.asked.items():
        if isinstance(tag, JudgeTag):
            place = f"tags.{name}.judge" if tag.judge else "judge"
            named[place] = tag.judge or spec.judge
    if spec.tags.reward is not None:
        named["tags.reward.base"] = spec.tags.reward.base
    return {place: section for place, section in named.items() if section is not None}


def check(spec: Spec) -> None:
    """Raise SpecError unless the spec states a licence that its models allow the dataset.

    So does a model whose licence nobody has stated. Of rows that others made the licence is the
    user's to know; it only has to be stated.
    """
    for key, given in spec.card.licences.items():
        place = f"card.licences.{key}"
        _check_known(spec, f"{place}.license", [given.license])
        _check_known(spec, f"{place}.allows", given.allows or [])
    asked = _asked(spec)
    if spec.license is None:
        suited = _suited(asked.values())
        because = f", which suits {_named(asked)}" if suited and asked else ""
        raise spec.fault(
            "license",
            "missing, expected the licence of the dataset",
            hint=f"for example `license: {suited or 'other'}`{because}",
        )
    _check_known(spec, "license", [spec.license])
    for model, licence in asked.items():
        if licence.allows is not None and spec.license not in licence.allows:
            suited = _suited(asked.values())
            change = f"write `license: {suited}`, or " if suited else ""
            raise spec.fault(
                "license",
                f"`{spec.license}`, but `{model}` writes text that is published, and its licence"
                f" ({licence.name}) asks for one of `{'`, `'.join(licence.allows)}`",
                hint=f"{change}state what else is agreed under `card: {{licences: ...}}`",
            )


def of_writers(spec: Spec) -> dict[str, tuple[str, Licence | None]]:
    """Return the models whose words are published with their licences, by their places."""
    found = {}
    for place, section in writers(spec).items():
        model = _SCRIPTED if section.engine.name == _SCRIPTED else section.model
        found[place] = model, family(model, spec.card.licences)
    return found


def _asked(spec: Spec) -> dict[str, Licence]:
    """Return the licence of each model that writes text, by the model; SpecError for unknown."""
    found = {}
    for place, (model, licence) in of_writers(spec).items():
        if licence is None:
            raise spec.fault(
                f"{place}.model",
                f"the licence of `{model}` is not known, and what it writes is published",
                hint="say what it is, as the Hub names it:"
                f' `card: {{licences: {{"{_plain(model)}": {{license: ...}}}}}}`',
            )
        found[model] = licence
    return found


def _plain(model: str) -> str:
    """Return a model without a revision."""
    return model if is_path(model) else split_model(model)[0]


def _fits(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name.lower(), pattern.lower())


def _completed(given: Own) -> Licence:
    """Return a licence of the spec; what it leaves open is what is known of its identifier."""
    known = COMMON.get(given.license) or Licence(given.license, given.license)
    stated = {key: getattr(given, key) for key in ("notice", "restriction", "link")}
    allows = tuple(given.allows) if given.allows else known.allows
    return replace(known, allows=allows, **{k: v for k, v in stated.items() if v is not None})


def _suited(licences: Iterable[Licence]) -> str | None:
    """Return the first of the licences, or else `other`, that all of them allow."""
    every = list(licences)
    for name in [*(one.license for one in every), "other"]:
        if all(one.allows is None or name in one.allows for one in every):
            return name
    return None


def _check_known(spec: Spec, place: str, names: Iterable[str]) -> None:
    for name in names:
        if name not in HUB_LICENCES:
            near = get_close_matches(name.lower(), sorted(HUB_LICENCES), n=1)
            nearest = f"did you mean `{near[0]}`? " if near else ""
            raise spec.fault(
                place,
                f"`{name}` is no licence that the Hub knows",
                hint=f"{nearest}What the Hub has no name for is `other`",
            )


def _named(asked: Mapping[str, Licence]) -> str:
    return " and ".join(f"`{model}` ({licence.name})" for model, licence in asked.items())
