"""What a person may write under `card:`, which no row depends on.

Knows the keys and what a link is; not what a licence asks, nor how a card is made.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from magpie_hub.spec.sections import Section

LINK = re.compile(r"https?://[\w-]+(\.[\w-]+)*(:\d+)?([/?#][^\s<>\"`\\]*)?")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")


def _link(text: str) -> str:
    if not LINK.fullmatch(text):
        raise PydanticCustomError("link", "no link")
    return text


def _contact(text: str) -> str:
    if not LINK.fullmatch(text) and not EMAIL.fullmatch(text):
        raise PydanticCustomError("contact", "no link and no e-mail address")
    return text


Text = Annotated[str, Field(min_length=1)]
Link = Annotated[str, AfterValidator(_link)]
Contact = Annotated[str, AfterValidator(_contact)]


class Result(Section):
    """What somebody measured of a model that was trained on the data; shown as reported."""

    benchmark: Text
    model: Text
    score: int | float | Text
    measured_by: Text
    link: Link | None = None


class Licence(Section):
    """What a model's licence asks of a dataset that is made with it.

    license: as the Hub names it. notice: what must be said. restriction: what must not be done, or
    what it obliges to. allows: the licences that the dataset may carry. What is unset is what is
    known of that licence; of an unknown one, nothing is asked.
    """

    license: Text
    notice: Text | None = None
    restriction: Text | None = None
    allows: Annotated[list[Text], Field(min_length=1)] | None = None
    link: Link | None = None


class Card(Section):
    """What the card says that nobody can measure.

    title: what the dataset is called among people; unset, the repository's name. samples: whether
    rows may be shown that no safety tag passed. template: a folder of templates that stand before
    ours. licences: by a model's id, or a pattern with `*`; the first that fits holds, before what
    we know. contact: where errors are reported; unset, the repository's discussions.
    """

    title: Text | None = None
    samples: Literal["screened", "unscreened"] = "screened"
    template: Text | None = None
    results: list[Result] = []
    licences: dict[str, Licence] = {}
    contact: Contact | None = None
