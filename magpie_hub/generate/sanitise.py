"""Takes from an instruction what the model wrote around the user's words, by named rules.

    >>> sanitise("**Question 2:** What is 2 + 2?\\n\\nAnswer: 4", ["labels", "answers"])
    ('What is 2 + 2?', ('labels', 'answers'))

A spec names the rules that it wants; a row keeps the raw text beside what they made of it. The
signs they go by are those of English, German, French, Spanish, Chinese and Japanese. Where a sign
may be the user's own (a list, a choice of answers, a template to be filled in, code) it is left
alone. Knows no model, and does not judge whether what is left is worth keeping.
"""

# ruff: noqa: RUF001 - other languages have letters and signs that look like ours

import re
from bisect import bisect
from collections.abc import Callable, Collection, Iterator

_LABEL_NAME = r"""
    (?: (?: the | your | user(?:['’]s)? )\ )? (?: question | task | prompt | problem | instruction
        | exercise | query | request | challenge | assignment ) s?
        (?: \ (?: statement | description | text ) )?
    | directions | q
    | frage | aufgabe (?: nstellung )? | anweisung | anfrage | auftrag | übung (?: saufgabe )?
    | tâche | consigne | problème | exercice | énoncé | demande
    | pregunta | tarea | problema | instrucci (?: ón | ones ) | ejercicio | consigna | enunciado
    | consulta
    | 问题 | 問題 | 题目 | 題目 | 任务 | 任務 | 指令 | 指示 | 提问 | 练习题? | 问 | 题
    | 質問 | 課題 | タスク | 設問 | 問い? | お題 | プロンプト
    | 第[0-9一二三四五六七八九十]{1,3}[题題问問]
"""
_SPACE = r"[^\S\n]"
_NUMBER = rf"""
    (?: {_SPACE}? (?: \# | no\.?\ ? | nr\.?\ ? | n°\ ? )? \d{{1,3}} (?: \ of\ \d{{1,3}} )? )
"""
_LABEL = rf"""
    \#{{0,6}} {_SPACE}{{0,3}} (?P<mark> \*{{1,3}} | __ )?
    (?: [\[【] {_SPACE}? (?: {_LABEL_NAME} ) {_NUMBER}? {_SPACE}? [\]】]
            (?(mark) (?P=mark) ) {_SPACE}? [:：]?
      | (?: {_LABEL_NAME} ) {_NUMBER}? {_SPACE}{{0,2}}
        (?(mark) (?: [:：] {_SPACE}? (?P=mark) | (?P=mark) {_SPACE}? (?: [:：] | [-–—]\s | \n ) )
               | (?: [:：] | [-–—]\s | \n ) )
      | q\.? {_SPACE}? \d{{0,3}} [.)] \s
      | (?: {_LABEL_NAME} ) {_NUMBER} [.)] (?(mark) (?P=mark) ) \s
    ) \s*
"""
_FLAGS = re.VERBOSE | re.IGNORECASE | re.MULTILINE
_LABEL_HERE = re.compile(_LABEL, _FLAGS)
_LABEL_LINE = re.compile(rf"^ {_SPACE}* (?: {_LABEL} )", _FLAGS)
_ITEM = re.compile(r"(?:^|(?<=\s))(\d{1,2})[.)]\s+")
_NO_MOVE = re.compile(r"""["'“„«「*_]{0,4}(?=[^\W\d_])[^a-z]""")
_BOLD_LINE = re.compile(r"(\*{1,3})([^*\n]+)\1[^\S\n]*(?=\n|$)")
_WRAPS = ('""', "''", "“”", "„“", "„”", "«»", "»«", "‹›", "「」", "『』", "****", "**")


def labels(text: str) -> str:
    """Return the text without labels before it and signs around it, however many.

    Kept: `1.` where a `2.` follows, and a label that is not the only one: a later line has another.
    """
    while (shorter := _unwrapped(_unlabelled(text.strip()))) != text:
        text = shorter
    return text


def _unlabelled(text: str) -> str:
    items = {int(number) for number in _ITEM.findall(text)}
    body = text[_behind_labels(text, 0, items) :]
    if bold := _BOLD_LINE.match(body):
        inner = bold[2][_behind_labels(bold[2], 0, items) :]
        if inner and inner != bold[2]:
            body = inner + body[bold.end() :]
    return text if _LABEL_LINE.search(body) else body


def _behind_labels(text: str, start: int, items: Collection[int]) -> int:
    """Return where the labels at `start` end; `items`: the numbers that items of a list have."""
    while True:
        if not (label := _LABEL_HERE.match(text, start)) and not (
            (label := _ITEM.match(text, start))
            and int(label[1]) + 1 not in items
            # `1. e4` is a move, and `1. 5 apples` no question.
            and _NO_MOVE.match(text, label.end())
        ):
            return start
        start = label.end()


def _unwrapped(text: str) -> str:
    for signs in _WRAPS:
        half = len(signs) // 2
        left, right, inner = signs[:half], signs[half:], text[half:-half]
        if (
            (text.startswith(left) and text.endswith(right))
            and (re.search(r"\w", inner) and left not in inner and right not in inner)
            # `* ` begins an item of a list.
            and not text.startswith("* ")
        ):
            return inner.strip()
    return text


_ANSWER_NAME = r"""
    (?: (?: the | your | correct | right | final | full | complete | detailed | suggested
        | sample | model | step-by-step )\ ){0,3} (?: answer | solution | response ) s? (?: \ is )?
    | (?: ai\ )? assistant
    | (?: (?: die | deine | richtige | korrekte )\ ){0,2}
        (?: antwort (?: en )? | (?: muster )? lösung (?: en | sweg )? ) (?: \ (?: ist | lautet ) )?
    | assistent
    | (?: (?: la | votre | bonne )\ ){0,2} (?: réponse | solution | corrigé ) s? (?: \ est )?
    | (?: (?: la | tu )\ ){0,2} (?: respuesta | solución ) s? (?: \ correcta )? (?: \ es )?
    | asistente
    | (?: 参考 | 正确 | 标准 | 正確 | 標準 )? (?: 答案 | 解答 | 回答 | 解析 ) [是为為]?
    | 答 | 解 | 助手
    | 正解 | (?: 答え | 回答 | 解答 | 正解 ) は? | アシスタント
"""
_FIRST_STEP = r"(?: (?: step | schritt | étape | paso )\ 1\b | 第一步 | 步骤[1一] )"
_ANSWER = re.compile(
    rf"""
    (?<! [:：]\n ) (?<! [:：]\n\n ) ^ {_SPACE}*
    (?: (?-i: (?P<letter> A ) | (?: (?<= \?\n ) | (?<= \?\n\n ) ) (?P<french> R ) )
        {_SPACE}? [:：]
      | (?: \#{{1,6}} {_SPACE}? )? [*_]{{0,3}} [\[【]? (?: {_ANSWER_NAME} ) {_NUMBER}? [\]】]?
        (?: [*_]{{0,3}} {_SPACE}{{0,2}} (?: [:：] | [-–—]{_SPACE} ) | (?<= [\]】] ) )
      | (?: \#{{1,6}} {_SPACE}? [*_]{{0,3}} | [*_]{{1,3}} )
        (?: {_FIRST_STEP} | (?: {_ANSWER_NAME} ) {_NUMBER}? [*_]{{0,3}} {_SPACE}* $ )
    )
    | (?<= [.!?。！？] ) {_SPACE}{{0,3}} [*_]{{0,3}}
        (?: {_ANSWER_NAME} ) [*_]{{0,3}} {_SPACE}? [:：]
    """,
    _FLAGS,
)
_NEAR = r"(?: (?! \b (?: your | deine | votre | tu ) \b ) [^.!?。！？\n] ){0,60}?"
_GIVEN = r"""(?:
    \b (?: my | this | these | it | given | following (?= \s?[:\n] | \ (?:in)?to\b )
        | (?: answer | solution | response | dialog (?: ue )? | conversation | text ) s? | reasoning
        | meine? [mnrs]? | diese [mnrs]? | antwort (?: en )? | lösung (?: en )? | gespräch
        | ma | mon | mes | cette | ce | ces | réponses?
        | mis? | est[ea] | respuestas? | solución | diálogo ) \b
    | 我的 | 这 | 以下 | 下面 | 答案 | 回答 | 解答 | 对话 | 私の | この | 次の | 答え | 会話
)"""
_JUDGE = r"""(?:
    \b (?: check\b | fix\b | correct\ (?= (?: the | this | these | my | it )\b ) | verify | grade
        | revise | review | rewrite | improve | evaluate | compare | translate | summari[sz]e
        | explain | (?: über )? prüf | korrigier | überarbeit | verbesser | bewert | vergleich
        | übersetz | erklär | vérifi | corri[gj] | r[eé]vis | amélior | mejor[ae] | évalu | evalúa
        | compar | tradu[ci] | r[eé]sum | expli[qc] )
    | 检查 | 批改 | 纠正 | 修改 | 评[价估分] | 比较 | 翻译 | 总结 | 改[进写] | 解释
    | 確認 | 添削 | 採点 | 訂正 | 直し | 評価 | 比較 | 翻訳 | 要約 | 改善 | 説明
)"""
_ABOUT = re.compile(
    rf"""{_JUDGE} {_NEAR} {_GIVEN} | {_GIVEN} {_NEAR} {_JUDGE}
    | \b (?: is | are ) \ (?: my | this | these )\b {_NEAR} \b (?: correct | right | wrong )\b
    | ^ \W{{0,4}} (?: user | human | benutzer | utilisateur | usuario | 用户 | ユーザー )
        \W{{0,4}} [:：]
    """,
    _FLAGS,
)
"""What asks for a judgement of something given, an answer perhaps, or opens a dialogue."""
_FURTHER = re.compile(rf"[?？]|^{_SPACE}*(?:{_LABEL})", _FLAGS)
_FENCE = re.compile(r"^[^\S\n]*(?:```|~~~)", re.MULTILINE)
_TO_FILL = re.compile(r"[*_]{0,3}\s*(?:<\w|\[[^\W\d]|\{\w|_{2}|\.\.|…)")
_FIRST_CHOICE = re.compile(r"\s*\(?A[).:：]")
_CHOICE = re.compile(r"(?:^|(?<=\s))\(?([A-Z])[).:：](?=\s)", re.MULTILINE)
_LETTER_LINE = re.compile(r"^[^\S\n]*([A-Z])[^\S\n]?[:：]", re.MULTILINE)
_PAIRED = {"A", "F", "P", "Q", "R"}
"""What questions and answers are lettered with; beside any other letter, `A:` is a choice."""


def answers(text: str) -> str:
    """Return the text up to where an answer begins behind the task.

    A marker opens a line, or with its colon a sentence. It is none inside code, where a choice or
    a blank to fill in follows, or behind a colon; nor where the text before it asks to check or
    translate what is given, or a further question follows; nor are those of a text that gives
    examples and leaves the last answer open.
    """
    found = list(_markers(text))
    if not found or (len(found) > 1 and not text[found[-1].end() :].strip("*_ \n")):
        return text
    further = max((question.start() for question in _FURTHER.finditer(text)), default=0)
    last = [marker.start() for marker in found if marker.end() > further]
    # Between examples it is not known which of several markers is the last example's.
    if not last or 1 < len(last) < len(found) or _ABOUT.search(text[: last[0]]):
        return text
    kept = text[: last[0]].rstrip()
    before, _, line = kept.rpartition("\n")
    # A rule between task and answer goes with the answer.
    return before.rstrip() if before and not re.search(r"[^\s*_=#-]", line) else kept


def _markers(text: str) -> Iterator[re.Match[str]]:
    """Yield the markers of answers in whose front words stand that are no label."""
    words = re.compile(r"[^\W_]").search(text, _behind_labels(text, 0, ()))
    if not words:
        return
    fences = [fence.start() for fence in _FENCE.finditer(text)]
    paired = {line[1] for line in _LETTER_LINE.finditer(text)} <= _PAIRED
    second_choice = max((c.start() for c in _CHOICE.finditer(text) if c[1] == "B"), default=0)
    for marker in _ANSWER.finditer(text, words.start() + 1):
        coded = bisect(fences, marker.start()) % 2
        lettered = marker["letter"] or marker["french"]
        choice = _FIRST_CHOICE.match(text, marker.end())
        if not (
            coded
            or (lettered and not paired)
            or (choice and second_choice > marker.end())
            or _TO_FILL.match(text, marker.end())
        ):
            yield marker


_SENTENCE_END = re.compile(
    r"(?<!\b(?:Dr|Mr|Ms|St|vs|No|Nr|ca|Sr|Jr))(?<!\b(?:Mrs|Inc|Ltd|Fig|bzw|Mme|Sra))(?<!\bProf)"
    r"""(?:(?<=[^\W_][^\W_])|(?<=[)\]"'”’»%*]))[.!?…।؟۔]+["'”’»)*]*\s+(?=[^\W_])"""
    r"""|(?<![。！？｡])[。！？｡]+[」』”’）"]*(?=[^\W_])"""
)
_ENDED = re.compile(r"""[.!?…।؟۔。！？｡]["'”’»)*」』）]*\Z""")
_ITEM_LINE = re.compile(r"[-*•+|>#\t]|  |\(?(?:\d{1,2}|[A-Za-z])[.)、]")
# Only what ends no sentence in any language: not `an` (fange ich an), `but` (c'est quoi le but).
_OPEN_END = re.compile(
    r"""[,、，(\[{„「（–—-]\Z|(?<![\w-])(?:
    the|and|nor|if|because|although|unless|your|my|their|our|its|such\ as|including
    |und|dass|weil|wenn|le|les|et|del|以及|或者|并且|因为|如果
    )\Z""",
    re.VERBOSE,
)
_GO_ON = re.compile(
    r"\b(?:complet|continu|finish|fill in|vervollständig|setze|ergänze|achève|termin)"
    r"|续|補完|完成|补全|填空|続き",
    re.IGNORECASE,
)


def unfinished(text: str, *, cut: bool = False) -> str:
    """Return the text without a last sentence that breaks off, where whole ones stand before it.

    cut: whether it is known that it does, since the token limit came.

    It breaks off at a comma, an opening sign or a word such as `the`: many people write no last
    full stop, so that its want alone says nothing. Kept: code, items of a list, a line of its own
    that may be what the task is about, and a beginning to be continued.
    """
    breaks_off = cut or (_OPEN_END.search(text[-20:]) and not _GO_ON.search(text))
    if not text or not breaks_off or len(_FENCE.findall(text)) % 2:
        return text
    head, _, line = text.rpartition("\n")
    if _ITEM_LINE.match(line):
        return text
    ends = [end.end() for end in _SENTENCE_END.finditer(line) if not line[end.end()].islower()]
    if ends:
        return text[: ends[-1] - len(line)].rstrip()
    return head if _ENDED.search(head) and line[-1].isalpha() else text


RULES: dict[str, Callable[[str], str]] = {
    "labels": labels,
    "answers": answers,
    "unfinished": unfinished,
}
"""Name, as a spec and a row have it -> rule, in the order in which they are applied."""
ENDINGS = {"answers", "unfinished"}
"""The rules that take away the end of a text, and so where it was cut."""


def sanitise(
    text: str, names: Collection[str], *, cut: bool = False
) -> tuple[str, tuple[str, ...]]:
    """Return the text as the named rules leave it, and those that changed it.

    text: as `clean.tidy` leaves it. names: from `RULES`; their order does not matter. cut: whether
    the token limit came before its end. What one rule takes may lay bare what another is for, so
    all are asked until none has anything to say.
    """
    changed: set[str] = set()
    while True:
        before = text
        for name, rule in RULES.items():
            if name in names and (shorter := rule(text)) != text:
                text = shorter
                changed.add(name)
        # Where an answer was taken off the end, it was that which was cut.
        if text == before and cut and "unfinished" in names and not changed & ENDINGS:
            text = unfinished(text, cut=True)
            changed |= {"unfinished"} if text != before else set()
        if text == before:
            return text, tuple(name for name in RULES if name in changed)
