"""What a condition keeps, what it is taken for, and how it is told that it cannot be read."""

from contextlib import suppress

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie_hub.curate.where import DEEPEST, LONGEST, parse
from magpie_hub.errors import BuildError, SpecError

TYPES = {
    "language": "string",
    "response_length": "int64",
    "instruct_reward": "float64",
    "difficulty": "string",
    "other_task_category": ["string"],
    "scores": ["int64"],
    "is_polite": "bool",
    "gen_input_configs": {"temperature": "float64", "engine": "string"},
    "messages": [{"role": "string", "content": "string"}],
}
ROWS = pa.table(
    {
        "language": ["EN", "ZH", None, "it's"],
        "response_length": [100, 200, 300, None],
        "instruct_reward": [-12.0, float("nan"), 0.5, 1.0],
        "difficulty": ["very easy", "medium", "very hard", None],
        "other_task_category": [["Math"], ["Planning", "Math"], [], None],
        "scores": [[1, 2], [2], None, []],
        "is_polite": [True, False, None, True],
        "gen_input_configs": [
            {"temperature": 1.0, "engine": "vllm"},
            {"temperature": 1.2, "engine": None},
            None,
            {"temperature": 1.0, "engine": "vllm"},
        ],
        "messages": [[{"role": "user", "content": "Why?"}], None, [], []],
    }
)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("language == 'ZH'", [1]),
        ('language == "it\'s"', [3]),
        ("language!='ZH'", [0, 3]),
        ("language in ['EN', 'ZH']", [0, 1]),
        ("language not in ['EN']", [1, 3]),
        ("language contains 'H'", [1]),
        ("language not contains 'H'", [0, 3]),
        (r"language matches '^[A-Z]{2}$'", [0, 1]),
        (r"language not matches '(?i)^\w\w$'", [3]),
        ("language is null", [2]),
        ("language is not null", [0, 1, 3]),
        ("response_length >= 200", [1, 2]),
        ("response_length<200.5", [0, 1]),
        ("response_length in [100, 3e2]", [0, 2]),
        ("instruct_reward > -12", [2, 3]),
        ("instruct_reward <= -12.0", [0]),
        # NaN is as missing as null.
        ("instruct_reward != 1", [0, 2]),
        ("instruct_reward is null", [1]),
        # By the order of the labels, which is not that of the alphabet.
        ("difficulty >= 'medium'", [1, 2]),
        ('difficulty < "medium"', [0]),
        ("difficulty in ['very easy', 'very hard']", [0, 2]),
        ("difficulty contains 'ver'", [0, 2]),
        ("other_task_category contains 'Math'", [0, 1]),
        ("other_task_category not contains 'Planning'", [0, 2]),
        ("scores contains 2", [0, 1]),
        ("is_polite == true", [0, 3]),
        ("is_polite != true", [1]),
        ("gen_input_configs.temperature == 1", [0, 3]),
        ("gen_input_configs.engine is null", [1, 2]),
        ("messages is null", [1]),
        # `not` binds first, then `and`.
        ("language == 'EN' or language == 'ZH' and response_length > 900", [0]),
        ("(language == 'EN' or language == 'ZH') and response_length > 900", []),
        ("not language == 'EN' and response_length > 0", [1]),
        ("not (language == 'EN' or response_length > 200)", [1]),
        ("not not language == 'EN'", [0]),
        # What is missing is neither so nor not so, unless the rest decides.
        ("not language == 'EN'", [1, 3]),
        ("language == 'EN' or response_length > 0", [0, 1, 2]),
        ("not (language == 'EN' and response_length == 100)", [1, 2, 3]),
        ("\n  language\t== 'EN'\n", [0]),
    ],
)
def test_what_it_keeps(text, kept):
    """Exactly the rows for which it is true; it reads as it was written, with types or without."""
    for condition in (parse(text, TYPES), parse(text)):
        mask = condition.keep(ROWS)
        assert mask.dtype == bool
        assert [row for row, is_kept in enumerate(mask) if is_kept] == kept
        assert str(condition) == text
    assert parse(text).keep(ROWS.schema.empty_table()).tolist() == []


def test_its_columns():
    """The columns of the table that it reads, each once; of a struct, its own name."""
    text = "(a.b == 1 or not c in [2]) and a.d is null and e contains 'f' or c > 5"
    assert parse(text).columns == ("a", "c", "e")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "it ends at character 1, expected the name of a column, `not` or `(`", "such as: "),
        ("language", "it ends at character 9, expected one of `==`, `!=`, `<`,", "such as: "),
        ("language = 'ZH'", "`=` stands at character 10, expected one of `==`", "write `==`"),
        ("language <> 'ZH'", "`<>` stands at character 10, expected one of", "write `!=`"),
        ("language === 'ZH'", "`===` stands at character 10, expected one of", "such as: "),
        ("language like 'Z%'", "`like` stands at character 10, expected one of", "such as: "),
        ("language == ", "it ends at character 13, expected a text in quotes", "such as: "),
        ("language == ZH", "`ZH` stands at character 13, expected a text in q", "write 'ZH'"),
        ("language == 'ZH", "`'` stands at character 13, expected a text in q", "close the quote"),
        ("language == null", "`null` stands at character 13, expected a text", "write `is null`"),
        ("language == 5", "`5` stands at character 13, expected a text, as in `language`", "such"),
        ("language is 5", "`5` stands at character 13, expected `null`", "such as: "),
        ("language not == 5", "`==` stands at character 14, expected one of `in`, `con", "such"),
        ("language > 'EN'", "`matches`, `is`, since `language` is a text", "such as: "),
        ("language in 'ZH'", "`'ZH'` stands at character 13, expected `[`", "such as: "),
        ("language in []", "`]` stands at character 14, expected a text in quotes", "such as: "),
        ("language in ['ZH' 'EN']", "`'EN'` stands at character 19, expected `]`", "such as: "),
        ("language in ['ZH', 5]", "`5` stands at character 20, expected a text, as in", "such"),
        ("language matches 5", "`5` stands at character 18, expected a text", "such as: "),
        ("language matches 'a('", "expression as RE2 reads them (`missing ): a(`)", "mend"),
        ("language matches '(?=a)'", "expected a regular expression as RE2 reads them", "look-ar"),
        ("languag == 'ZH'", "1, expected one of the columns `language`, `re", "mean `language`?"),
        ("response_length > '5'", "`'5'` stands at character 19, expected a number, as", "such"),
        ("response_length > 300K", "`300K` stands at character 19, expected a text in q", "such"),
        ("response_length > 1e999", "expected a number of at most 9,007,199,254,740,992", "such"),
        ("response_length > 5 5", "`5` stands at character 21, expected `and`, `or` or", "such as"),
        ("response_length > 5 AND x", "`AND` stands at character 21, expected", "write `and`"),
        ("response_length > 5 && x", "`&&` stands at character 21, expected", "write `and`"),
        ("response_length > 5 | x", "`|` stands at character 21, expected", "write `or`"),
        ("! language == 'ZH'", "`!` stands at character 1, expected the name", "write `not`"),
        ("5 < response_length", "`5` stands at character 1, expected the name of a", "such as: "),
        ("response_length < instruct_reward", "`instruct_reward` stands at character 19", "write"),
        ("(language == 'ZH'", "it ends at character 18, expected `)`", "such as: "),
        ("language == 'ZH')", "`)` stands at character 17, expected `and`, `or` or the", "such as"),
        ("and language == 'ZH'", "`and` stands at character 1, expected the name of a", "such as"),
        ("difficulty >= 'mediun'", "15, expected one of `difficulty`'s `very e", "mean `medium`?"),
        ("difficulty in ['easy', 'E']", "`'E'` stands at character 24, expected one of", "use one"),
        ("is_polite == 1", "`1` stands at character 14, expected true or false, as in", "such as"),
        ("is_polite > true", "`==`, `!=`, `is`, since `is_polite` is true or false", "such as: "),
        ("scores == 1", "`==` stands at character 8, expected one of `contains`, `is`", "such as"),
        ("scores contains 'a'", "`'a'` stands at character 17, expected a number", "such as: "),
        ("messages contains 'a'", "expected one of `is`, since `messages` is a struct", "such as"),
        ("gen_input_configs == 1", "expected one of `is`, since `gen_input_configs` is a struct",
         "name a part of it, such as `gen_input_configs.temperature`"),
        ("gen_input_configs.temprature > 1", "`gen_input_configs.temprature` stands at character",
         "did you mean `gen_input_configs.temperature`?"),
        ("language == '\ud800'", "stands at character 13, expected a text in quotes", "such as: "),
        ("__import__('os')", "`__import__` stands at character 1, expected one of the", "use one"),
        ("language; drop", "`;` stands at character 9, expected one of `==`", "such as: "),
    ],
)  # fmt: skip
def test_what_cannot_be_read(text, message, hint):
    """What stands where, what was expected and what to write are told."""
    with pytest.raises(SpecError) as caught:
        parse(text, TYPES)

    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("opening", ["(", "not ", "not ("])
@pytest.mark.parametrize("count", [DEEPEST + 1, 600])
def test_depth_is_bounded(opening, count):
    """Many parentheses or `not` are refused at the one too many, and never end the process."""
    with pytest.raises(SpecError, match="expected at most 50 parentheses and `not` within each"):
        parse(opening * count + "language == 'ZH'" + ")" * count, TYPES)


def test_as_deep_as_it_may_be():
    """The most parentheses are read, and what they hold is kept."""
    deepest = "(" * DEEPEST + "language == 'ZH'" + ")" * DEEPEST
    assert parse(deepest, TYPES).keep(ROWS).tolist() == [False, True, False, False]


def test_length_is_bounded():
    """A condition as long as it may be is read, in width too; one character more is refused."""
    wide = " or ".join(["response_length == 1"] * 166)
    assert parse(wide.ljust(LONGEST), TYPES).keep(ROWS).tolist() == [False] * 4
    with pytest.raises(SpecError, match="it has 4,001 characters, expected at most 4,000"):
        parse(wide.ljust(LONGEST + 1), TYPES)
    with pytest.raises(SpecError, match="expected a number of at most"):
        parse("response_length < ".ljust(LONGEST, "9"), TYPES)


def test_a_column_that_is_not_as_it_was_said():
    """Where types were not given, rows of another type are an error when they are read."""
    with pytest.raises(BuildError, match=r"the rule `language > 5` cannot be asked of the column"):
        parse("language > 5").keep(ROWS)
    with pytest.raises(SpecError, match="`'5'` stands at character 22, expected a number"):
        parse("language in [1, 2.5, '5']")


COMPARISONS = {
    "x == 1": lambda x, _: None if x is None else x == 1,
    "x > 1": lambda x, _: None if x is None else x > 1,
    "y in [2, 3]": lambda _, y: None if y is None else y in (2, 3),
    "y is null": lambda _, y: y is None,
}


def _and(one, other):
    return False if False in (one, other) else None if None in (one, other) else True


def _not(one):
    return None if one is None else not one


def _or(one, other):
    return _not(_and(_not(one), _not(other)))


# A text, and what it says of a row by Kleene's tables.
CONDITIONS = st.recursive(
    st.sampled_from(sorted(COMPARISONS)).map(lambda text: (text, COMPARISONS[text])),
    lambda part: st.one_of(
        part.map(lambda p: (f"not ({p[0]})", lambda x, y: _not(p[1](x, y)))),
        st.tuples(part, part).map(
            lambda p: (
                f"({p[0][0]}) and ({p[1][0]})",
                lambda x, y: _and(p[0][1](x, y), p[1][1](x, y)),
            )
        ),
        st.tuples(part, part).map(
            lambda p: (
                f"({p[0][0]}) or ({p[1][0]})",
                lambda x, y: _or(p[0][1](x, y), p[1][1](x, y)),
            )
        ),
    ),
    max_leaves=8,
)


@given(CONDITIONS)
def test_it_is_kleenes_logic(condition):
    """Any nesting of `and`, `or` and `not` keeps the rows for which plain Python finds it true."""
    text, says = condition
    pairs = [(x, y) for x in (None, 1, 2) for y in (None, 1, 2)]
    table = pa.table({"x": [x for x, _ in pairs], "y": [y for _, y in pairs]})

    assert parse(text).keep(table).tolist() == [says(x, y) is True for x, y in pairs]


PIECES = ["x", "y", "'", '"', "9", ".", "-", *"=<>!()[],&", " in ", "not ", " and ", " is null"]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_read_or_refused(text):
    """Whatever is written, there is a condition that reads x, or a SpecError."""
    with suppress(SpecError):
        assert parse(text, {"x": "int64"}).columns == ("x",)
