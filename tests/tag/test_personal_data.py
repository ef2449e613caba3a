"""The screen for personal data: what it finds, and what only looks like it.

Keys are put together here at run time, so that no scanner takes this file for a leak.
"""

import json
import string
import time
from math import factorial
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from magpie_hub.tag.personal_data import kinds, label

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "real_instructions.jsonl"
LETTERS = string.ascii_letters + string.digits


def made(*shape: str | int) -> str:
    """Return texts as they are and numbers as so many letters and digits."""
    random = Random(str(shape))
    return "".join(
        p if isinstance(p, str) else "".join(random.choices(LETTERS, k=p)) for p in shape
    )


def test_both_texts_of_a_row_are_read() -> None:
    """Kinds are sorted and named once; a row without any has the empty list."""
    rows = pa.table(
        {
            "instruction": ["Call 415-867-5309 or 415-867-5310.", "Why is the sky blue?"],
            "response": ["I wrote to anna.schmidt@gmail.com.", "Air scatters 450 nm most."],
        }
    )
    assert label(rows) == {"personal_data": [["email", "phone"], []]}


@pytest.mark.parametrize(
    "text",
    [
        *(
            "anna.schmidt@gmail.com",
            "Write to <a_b+c@mail.ru>.",
            "mailto:jo@bbc.co.uk",
            "jürgen@gmx.de",
        ),
        *("请联系zhang.wei@qq.com或者来电", "Email:joe@corp.io."),
    ],
)
def test_email(text: str) -> None:
    """An address is found in brackets, in a link, beside signs and between letters of China."""
    assert kinds(text) == ["email"]


@pytest.mark.parametrize(
    "text",
    [
        *("user@example.com", "ann@sub.example.org", "bob@host.test", "ann@your-company.com"),
        *("you@gmail.com", "xxxx@gmail.com", "git@github.com:org/repo.git", "icon@2x.png"),
        *(
            "@app.route('/x')",
            "x = a@b.dot(c)",
            "towels @ Rs.100",
            "https://ann:password@host.org/",
        ),
    ],
)
def test_what_is_no_email(text: str) -> None:
    """Reserved domains, placeholders, repositories, file names and code are no addresses."""
    assert kinds(text) == []


@pytest.mark.parametrize(
    "number",
    [
        *("+49 170 1234567", "+49 (0)170 1234567", "+44 20 7946 0958", "+33612345678"),
        *("+1 (415) 867-5309", "+86 138 1234 5678", "+81 90-1234-5678", "+7 (916) 123-45-67"),
        *("+55 11 91234-5678", "0049 170 1234567", "(415) 867-5309", "415.867.5309"),
        *("1-800-275-2273", "Tel.: 0170 1234567", "phone number: 06 12 34 56 78"),
        *("电话:13812345678", "携帯: 09012345678", "тел. 89161234567", "teléfono: 612 345 678"),
    ],
)
def test_phone(number: str) -> None:
    """Numbers with a country's code, in American form, or behind a word that says what they are."""
    assert kinds(f"Well, {number}. Thanks!") == ["phone"]


@pytest.mark.parametrize(
    "text",
    [
        *("2147483647", "17179869184", "x = +281474976710656", "3600000000000 + 62426244000"),
        *("40320/65536", "5000-4000=1000", "2022-03-05 08:30:00", "1990-05-15", "14/09/1656"),
        *("ISBN 978-3-16-148410-0", "ISBN 0-306-40615-2", "192.168.0.123", "25.1.8937393"),
        *("1679939280000", "0.833251178", "0 00 000 0000", "768 1536 3072", "+1.12345679"),
        *("(1999-2007年)和(2003-2008年)", "0170 1234567", "13812345678", "0020-01-01 01:00:00"),
        *("555-0100", "(555) 010-9999", "+1 415 555 0123", "123-456-7890", "phone: 1234567890"),
        *("The phone of 2007-06-29 12:00", "The phone sold 1000000000 times", "hotel 612345678"),
        *("d2db5ec4-6e7a-11ee-b962-0242ac120002", "f(415,867,5309)", "(x)+49170123456"),
    ],
)
def test_what_is_no_phone_and_no_card(text: str) -> None:
    """Sums, dates, books, addresses, versions, times, years and numbers of fiction are neither."""
    assert kinds(text) == []


@pytest.mark.parametrize(
    "number",
    [
        *("4539 1488 0343 6467", "4539148803436467", "5425-2334-3010-9903", "2223 1500 4841 0674"),
        *("3782 863945 31007", "3643 355225 5466", "6011 5465 1124 7781", "3528 4578 1236 9071"),
        *("6222 0212 3456 7894", "卡号4539148803436467", "card,4539148803436467,ok"),
    ],
)
def test_card(number: str) -> None:
    """Numbers of seven issuers, plain or in their usual groups."""
    assert kinds(f"Pay with {number}, please") == ["card"]


@pytest.mark.parametrize(
    "number",
    [
        *("4539 1488 0343 6468", "1234 5678 9012 3452", "4539 1488 0343", "45391488 03436467"),
        *(
            "4111 1111 1111 1111",
            "4242424242424242",
            "5555 5555 5555 4444",
            "3782 822463 10005",
            "4012888888881881",
        ),
        *("0.4539148803436467", "4.539148803436467", "4539148803436467.5", "a4539148803436467"),
    ],
)
def test_what_is_no_card(number: str) -> None:
    """A wrong check digit, issuer, length or grouping; published test cards; parts of numbers."""
    assert kinds(f"Pay with {number}, please") == []


def test_sums_are_no_phones_and_no_cards() -> None:
    """Powers, factorials and Fibonacci's numbers of up to 20 digits, each beside signs of a sum."""
    numbers = {b**e for b in range(2, 100) for e in range(2, 64)} | set(map(factorial, range(21)))
    first, second = 1, 1
    while second < 10**20:
        numbers.add(second)
        first, second = second, first + second
    taken = [n for n in numbers if n < 10**20 and kinds(f"So {n} + {n} = {2 * n}.")]
    # One in ten numbers of an issuer's form has a right check digit.
    assert len(taken) <= len(numbers) // 500
    assert "phone" not in {kind for n in taken for kind in kinds(f"{n}")}


@pytest.mark.parametrize(
    "shape",
    [
        ("AK" + "IA", "QW7RTZ2P5LKJHGFD"),
        *[(f"gh{kind}_", 36) for kind in "psour"],
        ("github" + "_pat_", 22, "_", 59),
        ("gl" + "pat-", 20),
        ("xo" + "xb-", "483920184756-", "594837261045-", 24),
        ("https://hooks.slack" + ".com/services/T", 8, "/B", 10, "/", 24),
        ("AI" + "za", 35),
        ("s" + "k-", 48),
        ("s" + "k-proj-", 60, "_", 59),
        ("s" + "k-ant-api03-", 93, "AA"),
        ("h" + "f_", 34),
        ("s" + "k_live_", 24),
        ("np" + "m_", 36),
        ("S" + "G.", 22, ".", 43),
        ("9483726150:", "AA", 33),
        ("ey" + "J", 20, ".ey" + "J", 60, ".", 43),
        ("-----BEGIN RSA PRI" + "VATE KEY-----\n", 64),
        ("postgres://anna:", 12, "@db.host.io/x"),
        ("Authorization: Bearer ", 40),
        ("MY_API_KEY=", 32),
        ('{"api_token": "', 40, '"}'),
    ],
)
def test_key(shape: tuple[str | int, ...]) -> None:
    """Keys of the forms that services give them, and values that are called key or token."""
    assert kinds(f"use {made(*shape)} here") == ["key"]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "s" + "k-...",
            "s" + "k-" + 24 * "x",
            "AK" + "IA" + "IOSFODNN7EXAMPLE",
            "task-" + 30 * "ab1",
        ),
        *("API_KEY = 'your_API_key_here_123456'", 'token = "<paste the 40 letters 123>"'),
        *("postgres://user:password@localhost/db", "https://{user}:{word}@host", "key = 'name'"),
        *(
            "postgres://postgres:postgres@localhost",
            "http://127.0.0.1:5000/a@b",
            "sk_" + "test_1234",
        ),
        *("-----BEGIN PRI" + "VATE KEY-----\n...", "token = self.get_token_2024_11_21.read()"),
    ],
)
def test_what_is_no_key(text: str) -> None:
    """Placeholders, published examples, names in code and words that end like a key's mark."""
    assert kinds(text) == []


@pytest.mark.parametrize(
    "piece",
    [
        *("1", "1 ", "1-2 ", "(415)", "+1 ", "phone 12 ", "4539 1488 ", "415-867-5309x "),
        *("a", "a@", "a@a.", "://a:", "key=", "s" + "k-", "ey" + "J", "-----BEGIN "),
    ],
)
def test_time_grows_with_length_alone(piece: str) -> None:
    """A megabyte of what begins like a number, an address or a key is read in seconds."""
    text = piece * (1_000_000 // len(piece))
    began = time.perf_counter()
    kinds(f"{text}@ PRIVATE KEY- 123456789")
    assert time.perf_counter() - began < 20


def test_real_rows() -> None:
    """Nothing is found in 2,500 real rows of twenty languages, which hold nothing of the kind."""
    if not REAL.exists():
        pytest.skip("the file of real instructions does not lie beside this checkout")
    rows = [json.loads(line) for line in REAL.read_text(encoding="utf-8").splitlines()]
    found = label(pa.Table.from_pylist(rows).select(["instruction", "response"]))["personal_data"]
    assert found == [[]] * 2500
