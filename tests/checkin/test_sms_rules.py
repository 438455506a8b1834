"""What a text message means: clear things are understood, unclear ones never guessed."""

from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.alerts.segments import segments
from server.checkin.sms import rules, signed, words
from server.checkin.sms.replies import LINES, Key, reply
from server.checkin.sms.rules import Understood, understand
from server.people.asking import ASK, AWAY, HELP, SAFE, ask
from server.people.rules import ALPHABET

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY = b"k" * 20


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("SAFE", "safe"), ("safe.", "safe"), ("  Safe!! ", "safe"), ("OK", "safe"),
        ("Sain et sauf", "safe"), ("en sécurité", "safe"), ("A SALVO", "safe"),
        ("آمن", "safe"), ("آمنة", "safe"), ("В безопасности", "safe"), ("安全", "safe"),
        ("我很安全", "safe"), ("I am safe at the hotel", "safe"),
        ("HELP", "need_help"), ("SOS!!!", "need_help"), ("à l'aide", "need_help"),
        ("¡AYUDA!", "need_help"), ("مساعدة", "need_help"), ("Помогите", "need_help"),
        ("救命", "need_help"), ("请救命啊", "need_help"), ("safe but injured, help", "need_help"),
        ("AWAY", "away"), ("absente", "away"), ("fuera", "away"), ("غائب", "away"),
        ("уехала", "away"), ("外出", "away"), ("不在", "away"),
    ],
)  # fmt: skip
def test_clear_words_are_understood_in_six_languages(text: str, status: str) -> None:
    assert understand(text).status == status


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "not safe", "I am NOT safe", "unsafe", "isn't safe", "no estoy a salvo",
        "pas en sécurité", "je ne suis pas sauf", "لست آمنة", "не в безопасности", "不安全",
        "没有安全", "safe or away?", "4", "K7Q3", "safety first", "is this a test", "не уехал",
    ],
)  # fmt: skip
def test_what_is_unclear_is_never_guessed(text: str) -> None:
    assert understand(text).status is None


@pytest.mark.parametrize(
    ("text", "code", "people"),
    [
        ("SAFE K7Q3", "K7Q3", None), ("k7q3 safe", "K7Q3", None), ("SAFE 4", None, 4),
        ("SAFE K7Q3 4", "K7Q3", 4), ("آمن K7Q3 ٤", "K7Q3", 4), ("安全K7Q3", "K7Q3", None),
        ("SAFE 400", None, None), ("SAFE 0", None, None),
    ],
)  # fmt: skip
def test_codes_and_numbers_are_found_wherever_they_stand(
    text: str, code: str | None, people: int | None
) -> None:
    assert understand(text) == Understood("safe", code, people)


def test_stop_alone_is_stop_and_within_a_sentence_is_not() -> None:
    assert understand("STOP").stop
    assert understand("стоп").stop
    assert not understand("stop the car help").stop


@given(text=st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    said = understand(text)
    assert said.status in (None, "safe", "need_help", "away")
    signed.read(text)


@given(
    word=st.sampled_from(sorted(words.SAFE | words.AWAY)),
    no=st.sampled_from(sorted(words.NEGATIONS)),
    help_word=st.sampled_from(sorted(words.HELP)),
)
def test_a_negation_undoes_and_help_overrides(word: str, no: str, help_word: str) -> None:
    assert understand(f"{no} {word}").status is None
    assert understand(f"{no} {word} {help_word}").status == "need_help"


def test_the_words_are_in_the_form_texts_are_brought_to() -> None:
    for word in (
        words.SAFE | words.HELP | words.AWAY | words.NEGATIONS | words.STOP | words.MACHINES
    ):
        assert " ".join(rules.tidy(word)) == word


LETTERS = st.sampled_from(["S", "H", "A", "P"])
PLACES = st.sampled_from(["", "-1.2921,36.8219", "33.5,36.3", "0,0"])


@given(counter=st.integers(0, 10**12), letter=LETTERS, place=PLACES)
def test_a_signed_text_is_read_as_it_was_written(counter: int, letter: str, place: str) -> None:
    text = signed.write(KEY, "ABCDE", counter, NOON, letter, place)  # type: ignore[arg-type]
    found = signed.read(f"  {text.lower()} ")
    assert found is not None
    assert (found.counter, found.letter, found.at) == (counter, letter, NOON)
    assert signed.is_genuine(KEY, found)
    assert len(text) <= 70


@given(counter=st.integers(0, 10**6), letter=LETTERS, place=PLACES, data=st.data())
def test_any_change_of_a_signed_text_is_noticed(
    counter: int, letter: str, place: str, data: st.DataObject
) -> None:
    text = signed.write(KEY, "ABCDE", counter, NOON, letter, place)  # type: ignore[arg-type]
    where = data.draw(st.integers(3, len(text) - 1))
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,.- "))
    changed = text[:where] + other + text[where + 1 :]
    found = signed.read(changed)
    same = " ".join(changed.split()) == " ".join(text.split())
    assert found is None or same or not signed.is_genuine(KEY, found)


def test_another_key_vouches_for_nothing() -> None:
    found = signed.read(signed.write(b"other", "ABCDE", 1, NOON, "S"))
    assert found is not None
    assert not signed.is_genuine(KEY, found)


@pytest.mark.parametrize(
    "text",
    ["M1", "M1 ABCDE", "M1 ABCDE 1 ZZZZZZ S AAAAAAAA", "M1 ABCDE -1 1 S AAAAAAAA",
     "M1 ABCDE 1 1 X AAAAAAAA", "M2 ABCDE 1 1 S AAAAAAAA", "M1 ABCDE 1 1 S AAAAAAAA 1,2,3"],
)  # fmt: skip
def test_what_is_not_well_made_is_not_read(text: str) -> None:
    assert signed.read(text) is None


# -- what we write, and what is said back


@pytest.mark.parametrize("language", list(ASK))
def test_what_a_text_asks_for_is_understood_when_it_comes_back(language: str) -> None:
    for said, status in ((SAFE, "safe"), (AWAY, "away"), (HELP, "need_help")):
        assert understand(f"{said[language]} K7Q3M") == Understood(status, "K7Q3M")  # type: ignore[arg-type]
    asked = ask(language, "K7Q3M")
    assert understand(f"Stay inside. {asked}") == Understood(machine=True)
    assert understand(f"{HELP[language]}! > {asked}").status == "need_help"
    assert understand(f"{SAFE[language]} > {asked}") == Understood("safe")
    assert segments(asked).count == 1


def test_every_answer_is_there_in_six_languages_and_short() -> None:
    assert set(get_args(Key)) == LINES.keys()
    for key, lines in LINES.items():
        assert lines.keys() == ASK.keys(), key
        for language in ASK:
            size = segments(reply(key, language, "K7Q3M9A", 12, drill=True))
            plain = language in ("en", "fr", "es")
            assert size.count == 1 if plain else size.count <= 2, (key, language)
            assert not plain or size.encoding == "GSM-7", (key, language)


def test_an_id_of_a_device_is_of_the_alphabet_that_makes_them() -> None:
    for sign in ALPHABET:
        found = signed.read(signed.write(KEY, sign * 5, 1, NOON, "S"))
        assert found is not None, sign
