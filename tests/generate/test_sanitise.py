"""What each rule takes, what only looks like it, and the reference's faults that are not ours."""

# ruff: noqa: RUF001 - other languages have letters and signs that look like ours

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie_hub.generate.sanitise import RULES, answers, labels, sanitise, unfinished

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "real_instructions.jsonl"
LABELLED = [
    *("Question: Why?", "question: Why?", "Q: Why?", "Q1: Why?", "Q. Why?", "**Task:** Why?"),
    *("**Task**: Why?", "__Task__: Why?", "***Task 2:*** Why?", "Prompt - Why?", "Problem — Why?"),
    *("Instruction #3: Why?", "Question No. 4: Why?", "Question 1 of 5: Why?", "Exercise 2. Why?"),
    *("1. Why?", "12) Why?", "## Problem\nWhy?", "### Question 1: Why?", "[Question] Why?"),
    *("**Question 2**\n\nWhy?", "Problem Statement: Why?", "User's question: Why?"),
    *('"Why?"', "“Why?”", "**Why?**", "*Why?*", "« Why? »", "„Why?“", "「Why?」"),
    *("Frage: Why?", "**Aufgabe 1:** Why?", "Aufgabenstellung: Why?"),
    *("Question : Why?", "Énoncé\N{NO-BREAK SPACE}: Why?", "Consigne : Why?", "Exercice 3 : Why?"),
    *("Pregunta: Why?", "Instrucción: Why?", "Ejercicio 2: Why?"),
    *("问题：Why?", "题目: Why?", "【问题】Why?", "第1题：Why?", "質問：Why?", "お題：Why?"),
    *("Question: Question: Why?", '"Question: **Why?**"', "## Task\n\n1. **Question:** “Why?”"),
]
UNLABELLED = [
    *("Question everything: why?", "Problem solving is hard.", "Tasked with it: why?"),
    *("1. Mix.\n2. Bake.\nWhat did I forget?", "1. Red 2. Blue: which?", "1.5 million: why?"),
    *("1. e4 is a good move, why?", "Q1: Why?\nQ2: How?", "Task: Add.\nInput: 1\nTask: Multiply."),
    *('"To be" or "not to be"', "**One** and **two**", "* one\n* two*", "「A」と「B」"),
    *("# Notes\nSum them up.", "#include <stdio.h>", "Context: Rome.\nWhy?", "Q-learning: explain"),
]
ANSWERED = [
    *("\nAnswer: 4", "\n\n**Solution:**\n4", "\n\n**Response**: 4", "\nA: 4", "\nAnswer - 4"),
    *("\n\n## Step 1: Add", "\n\n**Step 1:** Add", "\nAssistant: 4", "\nThe answer is: 4"),
    *("\n\n## Solution\n4", "\n### Response:\n4", "\n**Answer**\n4", "\nCorrect answer: 4"),
    *("\n[Answer] 4", "\n\n---\n\n**Answer:** 4", "\nSolution 1: 4", "\nanswer:", " Answer: 4"),
    *("\nAntwort: 4", "\nDie Lösung lautet: 4", "\nLösungsweg:\n4", "\n## Schritt 1\n4"),
    *("\nRéponse : 4", "\nR : 4", "\nLa réponse est : 4", "\nRespuesta: 4", "\nSolución: 4"),
    *("\n答案：4", "答：4", "\n解答：4", "\n参考答案：4", "\n答え：4", "\n答えは：4", "\n回答：4"),
]
UNANSWERED = [
    "Answer: which word is this?",
    "Why is the sky blue? Is it the air? Give the answer in one line.",
    "Say what the answer: 42 in the book means.",
    "Which one?\nA) Answer\nB) Solution",
    "Which one?\nA: red\nB: blue",
    "Which one?\nAnswers:\nA) red\nB) blue",
    "Reply in this form:\nAnswer: yes or no",
    "Why?\nAnswer: [your answer]",
    "Why?\nAnswer: ____",
    "Explain this.\n```\nprint('Q')\nAnswer: 4\n```",
    "1 + 1?\nAnswer: 2\n\n2 + 2?\nAnswer:",
    "Take these.\nStep 1: mix.\nStep 2: bake.\nHow long?",
    "Solution-focused therapy: what is it?\nSolutions are welcome.",
]
ABOUT_ANSWERS = [
    "Check my homework.\nProblem: 3+4\nMy answer: 8\nWhat did I do wrong?",
    "Problem: 3+4\nMy answer: 8",
    "Is my solution right? Solution: x = 4. I am not sure.",
    "Fix the grammar in this dialogue:\nUser: hi\nAssistant: hello their",
    "**User:** hi\n**Assistant:** hello their\nMake it formal.",
    "Grade the answer below.\nQuestion: 3+4\nAnswer: 8",
    "Revise the reasoning.\n### Question\n3+4\n### Answer\n8",
    "Translate the following into French:\nQuestion: Why?\nAnswer: Because.",
    "Why?\nResponse: Because.\nIs the response to the question correct?",
    "Example: 1 + 1?\nAnswer: 2\nExample: 2 + 2?\nAnswer: 4\nQuestion: 3 + 3?",
    "Add.\nQ: 1 and 1\nA: 2\nQ: 2 and 2\nA: 4\nQ: 3 and 3",
    "Kannst du meine Antwort prüfen?\nFrage: 3+4\nAntwort: 8",
    "Corrigez ma réponse.\nQuestion : 3+4\nRéponse : 8",
    "Corrige esta respuesta.\nPregunta: 3+4\nRespuesta: 8",
    "请批改下面的回答。\n问题：3+4\n回答：8",
    "次の回答を添削してください。\n質問：3+4\n回答：8",
]
BROKEN = [
    "It is sad because",
    "It has four lines, and the",
    "Include (",
    "Name three,",
    "Sie soll lustig und",
    "Il doit parler de l'eau et",
    "Womit fange ich an und",
]
WHOLE = [
    "Sort them. Use Python",
    "Why are Dr. Who and the",
    "Write about the",
    "Translate this.\n\nI was on my way to the",
    "Complete this. The best of all is the",
    "Explain it.\n```\nx = 1. Then the",
    "Choose well.\n- the red one and the",
    "Who is it? Say it to the point.",
    "Print it. Use the marks [I] no; [II] yes;",
    "I bought a used car. What should I look for",
    "We are moving to Lyon. Which area should we live in",
    "I have a cat. Who do I give it to",
    "I felt ill. I slept for a while",
    "It burns. Is it all it should be",
    "Ich koche heute. Womit fange ich an",
    "Ich gehe. Wer kommt mit",
    "Hier ist ein Bild. Was ist das",
    "Ich brauche einen Arzt. Kennst du einen",
    "Du bist neu. Wie heißt du",
    "Er ist da. Was ist los",
    "Le texte est long. Résume-le",
    "Je joue. Quel est le but",
    "J'ai une bague. Est-elle en or",
    "Quiero uno. Dame una",
    "Es sagt viel. Übersetze „Hallo“",
]


@pytest.mark.parametrize("text", LABELLED)
def test_labels(text):
    """Labels, headings, numbers and signs around the text go, in six languages, to the last."""
    assert labels(text) == "Why?"


def test_a_label_inside_a_bold_line():
    """Its emphasis goes with it, and what follows the line stays."""
    assert labels("**Task: Write a poem.**\n\nIt rhymes.") == "Write a poem.\n\nIt rhymes."


@pytest.mark.parametrize("text", UNLABELLED)
def test_no_labels(text):
    """Lists, moves, several labels and words that only begin like one stay."""
    assert labels(text) == text


@pytest.mark.parametrize("end", ANSWERED)
def test_answers(end):
    """What runs on behind the question goes, whichever marker opens it."""
    task = "Add 2 to 2, please. What is it?"
    assert answers(task + end) == task


@pytest.mark.parametrize("text", UNANSWERED)
def test_no_answers(text):
    """Tasks of many sentences, choices, forms, code and open examples stay whole."""
    assert answers(text) == text


@pytest.mark.parametrize("text", ABOUT_ANSWERS)
def test_a_task_about_an_answer(text):
    """The user's own answer, one to be judged, a dialogue and examples are part of the task."""
    assert answers(text) == text


def test_an_answer_to_the_last_question():
    """The last of several questions loses its answer; a request for one's own says nothing."""
    task = "Example: 1 + 1?\nAnswer: 2\nQuestion: 2 + 2?"
    assert answers(f"{task}\nAnswer: 4") == task
    assert answers("Add 2 to 2. Explain your answer.\nAnswer: 4") == (
        "Add 2 to 2. Explain your answer."
    )
    assert answers("Evaluate the following sum.\nSolution: 4") == "Evaluate the following sum."


def test_a_choice_is_kept_and_its_answer_is_not():
    """An answer that names one of the choices before it is still an answer."""
    assert answers("Is it?\nA) red\nB) blue\nAnswer: A) red") == "Is it?\nA) red\nB) blue"


@pytest.mark.parametrize("last", BROKEN)
def test_unfinished(last):
    """A sentence that breaks off goes, in the same line as whole ones or in a line of its own."""
    assert unfinished(f"Write a story. Is it sad? {last}") == "Write a story. Is it sad?"


def test_a_text_that_was_cut_for_certain():
    """At the token limit a last sentence goes, whatever its last word; a lone one cannot."""
    assert unfinished("Write a story. Is it about a riv", cut=True) == "Write a story."
    assert sanitise("Write a story. It is about a riv", ["unfinished"], cut=True) == (
        "Write a story.",
        ("unfinished",),
    )
    assert sanitise("Write a story about a riv", ["unfinished"], cut=True)[1] == ()
    assert sanitise("Write a story. It is about a riv", ["labels"], cut=True)[1] == ()
    assert sanitise("Why is it?\nAnswer: Because it", list(RULES), cut=True) == (
        "Why is it?",
        ("answers",),
    )


def test_unfinished_lines_and_signs():
    """A line of its own goes too; signs without spaces end sentences in Chinese and Japanese."""
    assert unfinished("Write a story.\nIt is about the") == "Write a story."
    assert unfinished("写一个故事。主角是猫，") == "写一个故事。"


@pytest.mark.parametrize("text", WHOLE)
def test_not_unfinished(text):
    """No full stop is no proof; nor is a beginning, an item, code, or a text of one sentence."""
    assert unfinished(text) == text


def test_the_faults_of_the_reference():
    """`Answer:` has one colon, a `?` ends no task, and `<b>` with a bold title loses nothing."""
    assert answers("Q? Answer: 4") == "Q?"
    assert answers("Q?\nSolution: 4") == "Q?"
    task = "What is 2 + 2? Explain it. Who said so?\nGive <b>two</b> names."
    assert sanitise(task, RULES) == (task, ())


def test_sanitise_tells_which_rules_changed_the_text():
    """Only the named rules are asked, whatever their order, until none has anything to say."""
    text = '"Question: Why?"\nAnswer: because.'
    assert sanitise(text, ["unfinished", "answers", "labels"]) == ("Why?", ("labels", "answers"))
    assert sanitise(text, ["answers"]) == ('"Question: Why?"', ("answers",))
    assert sanitise(text, ["labels"]) == (text, ())
    assert sanitise(text, []) == (text, ())


def test_all_label_is_nothing():
    """A text that is a label alone has no words of a user's, and is left empty to be rejected."""
    assert sanitise("**Question 1:**", RULES) == ("", ("labels",))


PIECES = st.sampled_from(
    (
        *("Question:", "Answer:", "A:", "B)", "1.", "2.", "## ", "- ", "Step 1", "问题：", "答："),
        *("**", '"', "「", "」", "```", "Task", "the", "Why?", "Do it.", "cat", "。", ","),
        *(" ", "\n", "\n\n"),
    )
)


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=40))
def test_again_changes_nothing(text):
    """Each rule, and all together, are done at once, and only ever take away."""
    text = text.strip()
    for rule in RULES.values():
        once = rule(text)
        assert rule(once) == once
        assert len(once) < len(text) or once == text
    once, _ = sanitise(text, RULES)
    assert sanitise(once, RULES) == (once, ())
    # Words that no rule knows are not all lost with what stands behind them.
    assert once or not text.startswith(("cat", "Do it."))


HOSTILE = [
    *("Question: ", "**Question: Q:**\n", "1. Task: ", " ", "\n", '"', "*_", "#", "[Question"),
    *(
        "x?\n\nA: y\n",
        "Why?\n",
        "Answer: <x\n",
        "A) B) ",
        "```\n",
        "。",
        "Dr. the ",
        "check ",
        "my ",
        "Foo. Bar the",
    ),
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_is_linear(piece):
    """A hostile text of 200,000 characters takes no time that grows with its square."""
    text = f"Why?{piece * (200_000 // len(piece))}the"
    started = time.process_time()
    sanitise(text, RULES)
    sanitise(text[4:], RULES)
    assert time.process_time() - started < 8


def test_real_instructions():
    """Of real instructions hardly any are changed but for labels, and none is lost."""
    if not REAL.is_file():
        pytest.skip("there are no real instructions beside the checkout")
    with REAL.open(encoding="utf-8") as file:
        texts = [json.loads(line)["instruction"].strip() for line in file]
    done = [sanitise(text, RULES) for text in texts]
    changed = {name: sum(name in rules for _, rules in done) for name in RULES}
    assert all(text for text, _ in done)
    assert changed["labels"] < 0.05 * len(texts)
    assert changed["answers"] < 0.02 * len(texts)
    assert changed["unfinished"] < 0.002 * len(texts)
