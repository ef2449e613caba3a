"""Personal data in a row: e-mail addresses, phone and payment card numbers, keys and tokens.

A screen, not a proof: it reads shapes, and knows nothing of people. It prefers to miss a number
that could be anything (`0170 1234567` with no word before it) over taking sums for phones. What
nobody owns does not count: reserved domains (RFC 2606) and `your-company.com`, numbers kept for
fiction (555-01xx), `123-456-7890`, published test cards, and values that say of themselves that
they stand for another (`YOUR_API_KEY`, `sk-...`).
"""

import re
from collections.abc import Iterator

import pyarrow as pa

# In each form what may be repeated is bounded or cannot be read in two ways, so that the time
# grows with the text's length and no faster.
_EMAIL = re.compile(
    r"(?<![\w.+@/-])(?P<local>[\w.+-]{1,64})"
    r"@(?P<domain>(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24})(?![A-Za-z0-9@(_])"
)
_RESERVED = re.compile(
    r"(?i)(?:^|\.)(?:(?:my|your)-?(?:company|domain|e?mail|(?:web)?site)\.\w+"
    r"|(?:example|domain|company|test)\.\w+|test|example|invalid|localhost|local)$"
)
_FILE = re.compile(r"(?i)\.(?:png|jpe?g|gif|svg|webp|[jt]sx?|css|html?|py|json|ya?ml|md|txt|zip)$")
_NOBODY = re.compile(r"(?i)^(?:git|user|username|name|email|you|your.*|.*xxx.*)$")

_DIGITS = re.compile(r"(?a)\d(?:[ ().\-/]{0,2}\d){7}")
# Visa, Mastercard, American Express, Diners Club, Discover, JCB and UnionPay, by the first digits
# and lengths that they issue today.
_ISSUED = re.compile(
    r"4\d{15}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|(?:6011|64[4-9]\d|65\d\d)\d{12}(?:\d{3})?"
    r"|35(?:2[89]|[3-8]\d)\d{12}(?:\d{3})?|62\d{14,17}"
)
_CARD = re.compile(
    r"(?a)(?<!\w)(?<!\d[.,])(?<![-+/.])"
    r"(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3})?|\d{4}([ -]?)\d{6}\2\d{4,5})"
    r"(?![\w/]|[.,-]\d)"
)
_TEST_CARDS = {
    *("4012888888881881", "378282246310005", "371449635398431"),
    *("6011000990139424", "30569309025904"),
}

# With the country's code, whose plan says which numbers exist.
_ABROAD = re.compile(
    r"(?a)(?<![\w+.)\]])(?:\+|00(?=[1-9]\d*[ (\-/]))([1-9](?:[ ().\-/]{0,2}\d){6,14})(?!\w)"
)
_AMERICAN = re.compile(
    r"(?a)(?<![\w.,/+-])(?:1[ .-])?"
    r"(?:\([2-9]\d\d\)[ -]?[2-9]\d\d[-. ]|[2-9]\d\d-[2-9]\d\d-|[2-9]\d\d\.[2-9]\d\d\.)"
    r"\d{4}(?!\w|[-/]\d|[.,]\d)"
)
# Any country's own form, where a word before it says what it is.
_CALLED = re.compile(
    r"(?ai)(?:\b(?:(?:tele)?phone|mobile|cell|tel|fax|whats ?app|t[eé]l[eé]fono?|t[eé]l[eé]phone"
    r"|telefone?|telefoon|handy(?:nummer)?|m[oó]vil|celular|portable)\b"
    r"|电话|電話|手机|手機|携帯|전화|휴대폰|[Тт]ел(?:ефон)?|هاتف)[^\d\n]{0,20}?"
    r"(?!(?:19|20)\d\d[-./]\d|\d\d?[-./]\d\d?[-./](?:19|20)\d\d)"
    r"(\d(?:[ ().\-/]{0,2}\d){8,14})(?!\w|[.,]\d)"
)
_FICTION = re.compile(r"23456789|98765432|55501\d\d$|^1?555\d{7}$")

# What the text with a key holds, and the key's form; looking for the first costs next to nothing.
_KEYS = tuple(
    (mark, re.compile(rf"(?a)(?<![\w-]){form}"))
    for mark, form in (
        ("AKIA", r"AKIA[A-Z0-9]{16}(?!\w)"),
        ("ASIA", r"ASIA[A-Z0-9]{16}(?!\w)"),
        ("AIza", r"AIza[\w-]{35}(?![\w-])"),
        ("GOCSPX-", r"GOCSPX-[\w-]{28}"),
        ("gh", r"gh[opsur]_[A-Za-z0-9]{36,}"),
        ("github_pat_", r"github_pat_\w{40,}"),
        ("glpat-", r"glpat-[\w-]{20,}"),
        ("xox", r"xox[abeoprs]-[\w-]{20,}"),
        ("hooks.slack.com", r"hooks\.slack\.com/services/T\w+/B\w+/\w{20,}"),
        ("sk-", r"sk-[\w-]{20,}"),
        ("_live_", r"[rs]k_live_\w{16,}"),
        ("hf_", r"hf_[A-Za-z0-9]{30,}"),
        ("npm_", r"npm_[A-Za-z0-9]{36}"),
        ("pypi-", r"pypi-AgE[\w-]{50,}"),
        ("SG.", r"SG\.[\w-]{16,}\.[\w-]{16,}"),
        (":AA", r"\d{8,10}:AA[\w-]{33}"),
        ("eyJ", r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}"),
        ("PRIVATE KEY-", r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\s|\\n)*[A-Za-z0-9+/]{40}"),
    )
)
_LOGIN = re.compile(
    r"://(?P<user>[^\s:/@\"'<>]{0,64}):(?!(?P=user)@)(?P<word>[^\s:/@\"'<>]{1,99})@"
)
_NAMED = ("key", "token", "secret", "passw", "bearer")
_ASSIGNED = re.compile(
    r"(?ai)(?:key|token|secret|password|passwd)[\"']?\s{0,3}[:=]\s{0,3}[\"']?"
    r"([\w+/=-]{20,200}+)(?![.(\[])"
    r"|\bbearer\s([\w+/.=-]{20,200})"
)
# The last is the signature of the token that every introduction to JWT prints.
_STANDS_FOR = re.compile(
    r"(?i)your|example|sample|dummy|placeholder|replace|insert|change|secret|password|passwd"
    r"|token|test|fake|here|xxx|\.\.\.|\*\*|[<>{}$%]|1234|abcd|SflKxw"
)


def label(rows: pa.Table) -> dict[str, list[list[str]]]:
    """Return `personal_data`: the sorted kinds found in instruction or response.

    The kinds are `card`, `email`, `key` and `phone`; a row without any has the empty list.
    """
    texts = zip(rows["instruction"].to_pylist(), rows["response"].to_pylist(), strict=True)
    return {"personal_data": [kinds(f"{asked}\n{answered}") for asked, answered in texts]}


def kinds(text: str) -> list[str]:
    """Return the sorted kinds of personal data that a text holds."""
    return sorted(_kinds(text))


def _kinds(text: str) -> Iterator[str]:
    if _has_key(text):
        yield "key"
    if "@" in text and _has_email(text):
        yield "email"
    if _DIGITS.search(text):
        if any(_is_card(match.group()) for match in _CARD.finditer(text)):
            yield "card"
        if _has_phone(text):
            yield "phone"


def _has_email(text: str) -> bool:
    # What stands before the host of a URL is no address.
    return any(map(_is_email, _EMAIL.finditer(_LOGIN.sub(" ", text) if "://" in text else text)))


def _is_email(match: re.Match[str]) -> bool:
    local, domain = match["local"], match["domain"]
    return not (_NOBODY.search(local) or _RESERVED.search(domain) or _FILE.search(domain))


def _is_card(written: str) -> bool:
    digits = re.sub("[ -]", "", written)
    if not _ISSUED.fullmatch(digits) or len(set(digits)) < 5 or digits in _TEST_CARDS:
        return False
    # Luhn: every second digit from the right counts twice, and its own digits are added up.
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


def _has_phone(text: str) -> bool:
    return (
        any(_is_given_out(f"+{match[1]}") for match in _ABROAD.finditer(text))
        or any(_is_given_out(f"+1 {match.group()}") for match in _AMERICAN.finditer(text))
        or any(_could_be_given_out(match[1]) for match in _CALLED.finditer(text))
    )


def _could_be_given_out(written: str) -> bool:
    digits = re.sub(r"\D", "", written)
    return len(set(digits)) > 3 and not _FICTION.search(digits)


def _is_given_out(written: str) -> bool:
    """Return whether a number with its country's code is one of that country's plan."""
    from phonenumbers import NumberParseException, is_valid_number, parse

    if not _could_be_given_out(written):
        return False
    try:
        return is_valid_number(parse(written))
    except NumberParseException:
        return False


def _has_key(text: str) -> bool:
    for mark, form in _KEYS:
        if mark in text and any(_is_own(match.group()) for match in form.finditer(text)):
            return True
    if "://" in text and any(_is_own(match["word"], least=5) for match in _LOGIN.finditer(text)):
        return True
    lower = text.lower()
    if not any(name in lower for name in _NAMED):
        return False
    values = (match[1] or match[2] for match in _ASSIGNED.finditer(text))
    return any(_is_own(value) and len(re.findall("[0-9]", value)) > 2 for value in values)


def _is_own(value: str, least: int = 10) -> bool:
    """Return whether a value is no placeholder: it names none and has enough different letters."""
    return not _STANDS_FOR.search(value) and len(set(value)) >= least
