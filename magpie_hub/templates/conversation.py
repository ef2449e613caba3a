"""Cuts a chat template's rendering of one exchange into the texts around its words.

Models that judge an exchange read all of it: a reward model scores what it has read, a guard
writes its verdict behind it. As in `prefix`, what is said of a template it was seen to do. Knows
no model by name, and nothing of what a judge answers.
"""

from dataclasses import dataclass

from magpie_hub.errors import TemplateError
from magpie_hub.templates.cuts import ODD, Content, cut, messages, variables, words
from magpie_hub.templates.sandbox import Rendering, render
from magpie_hub.templates.sources import TemplateSource

_EXCHANGE = ("U1", "A1")
_ODD_ANSWER = f"{ODD}7 & so on\n"


@dataclass(frozen=True, slots=True)
class Around:
    """The texts before, between and after the words of one exchange.

    trims_user, trims_answer: whether the template strips white space off the ends of the words.
    """

    before: str
    between: str
    after: str
    trims_user: bool = False
    trims_answer: bool = False

    def pieces(self, user: str, answer: str) -> tuple[str, str, str, str, str]:
        """Return the rendering of an exchange in five pieces, texts and words in turn.

        Only in the texts, the first, third and fifth, are the names of control tokens such.
        """
        user = user.strip() if self.trims_user else user
        answer = answer.strip() if self.trims_answer else answer
        return self.before, user, self.between, answer, self.after


def around(
    source: TemplateSource, *, date: str, generation_prompt: bool, content: Content = "text"
) -> Around:
    """Return the texts that the template puts around the words of a user and an assistant.

    date: YYYY-MM-DD, the day that the template sees. generation_prompt: whether the head of the
    model's own turn follows.
    Raises TemplateError with the reason where the words do not come out once, as they are (but for
    white space at their ends) and in order, or change the text around them.
    """
    odd_words = {"U1": ODD, "A1": _ODD_ANSWER}
    contents = (words(_EXCHANGE, 0), words(_EXCHANGE, 1), odd_words)
    first, second, odd = render(
        source.chat_template,
        [messages(_EXCHANGE, each, content) for each in contents],
        variables=variables(source, generation_prompt=generation_prompt),
        date=date,
    )
    texts = cut(_EXCHANGE, first, second)
    found = texts if isinstance(texts, str) else _trimming(texts, odd)
    if isinstance(found, str):
        raise TemplateError(
            f"the chat template of `{source.name}` has no clean place for an exchange: {found}",
            hint="choose a model whose template writes the words of user and assistant once, as"
            " they are",
        )
    return found


def _trimming(texts: tuple[str, ...], odd: Rendering) -> Around | str:
    if odd.error:
        return f"for words with digits, signs or line breaks it raises `{odd.error}`"
    before, between, after = texts
    for trims_user in (False, True):
        for trims_answer in (False, True):
            found = Around(before, between, after, trims_user, trims_answer)
            if "".join(found.pieces(ODD, _ODD_ANSWER)) == odd.text:
                return found
    return "words with digits, signs or line breaks are rewritten, or change the text around them"
