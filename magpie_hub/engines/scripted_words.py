"""The words of the scripted engine: a small vocabulary of our own, written for tests.

Knows sentences and a source of random numbers; not requests, seeds or faults. Numbers at the
end of each instruction keep most of them distinct.
"""

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, TypeVar

Item = TypeVar("Item")

TOKEN = re.compile(r"\s*(?:[一-鿿]|[^\s一-鿿]+)")
ENGLISH_SHARE = 0.8

ENGLISH = (
    (
        "Explain to a beginner how {} works",
        "Write a short story about {}",
        "What are the most common mistakes that people make with {}",
        "I have to give a talk on {} next week. Please draft an outline",
        "Compare two ways of learning about {}",
        "Give me a plan for a weekend project on {}",
        "My neighbour asked me about {} and I did not know what to say. Help me answer",
        "Write an email to a colleague about {}",
        "Summarise the history of {}",
        "Design a quiz on {} for a class of adults",
        "Why do so many people find {} difficult, and what would you tell them",
        "Write a Python function that helps with {} and describe how to test it",
    ),
    (
        "baking sourdough bread", "repairing a bicycle", "keeping bees on a roof",
        "reading a balance sheet", "growing tomatoes in the shade", "planning a railway timetable",
        "tuning a piano", "forecasting the weather", "painting with watercolours",
        "negotiating a salary", "sorting a long list", "learning to swim as an adult",
        "restoring old furniture", "teaching fractions", "walking across the Alps",
        "choosing a telescope", "running a small library", "making cheese at home",
    ),
    (
        " in about {} words.", ", with {} examples.", " and keep it under {} sentences.",
        ", for a budget of {} dollars.", " for a group of {} people.", " in {} steps.",
        ". The deadline is in {} days.", " and name {} sources.",
    ),
)  # fmt: skip

OTHERS = (
    (
        (
            "Erkläre mir bitte ausführlich, wie {} funktioniert",
            "Welche Fehler machen Anfänger besonders häufig, wenn es um {} geht",
            "Schreibe eine kurze Geschichte über {}",
        ),
        ("das Backen von Brot", "die Reparatur eines Fahrrads", "das Lesen einer Bilanz",
         "der Anbau von Tomaten", "das Stimmen eines Klaviers", "die Wettervorhersage"),
        (", und nenne {} Beispiele.", " in ungefähr {} Wörtern.", " für {} Leute."),
    ),
    (
        (
            "Explique-moi en détail comment fonctionne {}",
            "Quelles sont les erreurs les plus fréquentes avec {}",
            "Écris une courte histoire sur {}",
        ),
        ("la cuisson du pain", "la réparation d'un vélo", "la lecture d'un bilan",
         "la culture des tomates", "l'accord d'un piano", "la prévision du temps"),
        (" en donnant {} exemples.", " en {} mots environ.", " pour un groupe de {} personnes."),
    ),
    (
        (
            "Explícame con todo detalle cómo funciona {}",
            "¿Cuáles son los errores más frecuentes con {}",
            "Escribe un cuento breve sobre {}",
        ),
        ("la elaboración del pan", "la reparación de una bicicleta", "la lectura de un balance",
         "el cultivo de tomates", "la afinación de un piano", "la previsión del tiempo"),
        (", y da {} ejemplos.", " en unas {} palabras.", " para un grupo de {} personas."),
    ),
    (
        ("请详细说明{}的方法", "初学者在{}时常犯哪些错误", "请写一篇关于{}的短文"),
        ("烤面包", "修理自行车", "阅读财务报表", "种植西红柿", "给钢琴调音", "预报天气"),
        ("。举出{}个例子。", "。大约{}字。", "。读者是{}位学生。"),
    ),
)  # fmt: skip

POPULAR = (
    "What is the capital of France?",
    "Tell me a joke about computers.",
    "Write a poem about the sea.",
)

FOLLOW_UPS = (
    "Can you expand on point {}",
    "That helps. What would you change for {} people",
    "And how would it look with only {} euros",
    "Why did you leave out the other {} ways",
    "Please shorten that to {} words",
    "What should I do if it fails {} times",
)

OPENERS = (
    "Actually,", "Before", "Certainly", "Dear", "Every", "First,", "Good", "Hello,", "If", "Just",
    "Kindly", "Listen:", "Maybe", "Now", "Okay,", "Please", "Quick", "Really", "So", "Today",
    "Well,",
)  # fmt: skip

SENTENCES = (
    "Start with what you have at hand and write down what you want to reach.",
    "The first attempt rarely succeeds, and that is no reason to stop.",
    "Measure before you change anything, then measure again.",
    "A good habit is to work for half an hour and rest for five minutes.",
    "Ask someone with experience to look at the result.",
    "Most of the cost lies in the preparation, not in the work itself.",
    "Keep a list of what went wrong, since it will be useful next time.",
    "There are several opinions on this, and each has its place.",
    "Take the simplest tool that does the job.",
    "In the end the details decide whether it lasts.",
)


def instruction(draw: Random) -> str:
    """Return what a user may ask, four times of five in English."""
    language = ENGLISH if draw.random() < ENGLISH_SHARE else _pick(draw, OTHERS)
    openings, subjects, endings = language
    number = 2 + int(draw.random() * 998)
    return _pick(draw, openings).format(_pick(draw, subjects)) + _pick(draw, endings).format(number)


def follow_up(draw: Random) -> str:
    """Return what a user may ask next, in English."""
    return f"{_pick(draw, FOLLOW_UPS).format(2 + int(draw.random() * 998))}?"


def about(system: str, text: str) -> str:
    """Return a user's text that names the first three words of a system prompt."""
    return f"About {''.join(tokens(system)[:3]).strip()}: {text}"


def opener(allowed: Sequence[str], draw: Random) -> str:
    """Return one of the words that a user's text may be made to begin with."""
    return _pick(draw, allowed)


def popular(draw: Random) -> str:
    """Return one of the few instructions that come again and again."""
    return _pick(draw, POPULAR)


def answer(question: str, draw: Random) -> str:
    """Return an answer in English that repeats the question's first words."""
    start = "".join(tokens(question)[:8]).strip()
    count = 2 + int(draw.random() * 5)
    body = " ".join(_pick(draw, SENTENCES) for _ in range(count))
    return f"You asked: {start}. {body}"


def thought(question: str) -> str:
    """Return what goes before an answer, as a thinking model marks it."""
    return f"<think>\nThe words {''.join(tokens(question)[:3]).strip()} say it.\n</think>\n\n"


def instance(schema: Mapping[str, Any], draw: Random) -> object:
    """Return a value that satisfies a JSON Schema of enums, objects, arrays and plain types."""
    if "enum" in schema:
        return _pick(draw, schema["enum"])
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: instance(part, draw) for name, part in properties.items()}
        case "array":
            count = max(schema.get("minItems", 0), min(2, schema.get("maxItems", 2)))
            return [instance(schema["items"], draw) for _ in range(count)]
        case "string":
            return _pick(draw, SENTENCES)[: schema.get("maxLength")]
        case "boolean":
            return draw.random() < 0.5
    low = schema.get("minimum", 0)
    return low + int(draw.random() * (schema.get("maximum", low + 10) - low + 1))


def tokens(text: str) -> list[str]:
    """Split into words, or single Chinese characters, each with the white space before it."""
    return TOKEN.findall(text)


def _pick(draw: Random, items: Sequence[Item]) -> Item:
    # Not `choice`: only `random` promises the same numbers under every version of Python.
    return items[int(draw.random() * len(items))]
