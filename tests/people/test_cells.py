"""What people and spreadsheets put into cells: made clean, or refused with a remedy."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.people.phones import BadPhone, to_e164
from server.people.roster import cells
from server.people.roster.cells import BadCell


@pytest.mark.parametrize(
    ("written", "region", "meant"),
    [
        ("0712 345 678", "KE", "+254712345678"),
        ("+254 (712) 345-678", "HT", "+254712345678"),
        ("254712345678", "KE", "+254712345678"),
        ("٠٧١٢٣٤٥٦٧٨", "KE", "+254712345678"),
        ("\u202a+254712345678\u202c", "KE", "+254712345678"),
        ("00 33 6 12 34 56 78", "FR", "+33612345678"),
        ("(509) 34-10-1234", "HT", "+50934101234"),
    ],
)
def test_a_number_is_understood_as_it_is_written(written: str, region: str, meant: str) -> None:
    assert to_e164(written, region)[0] == meant


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("2.11912E+11", "a spreadsheet has cut this number short"),
        ("2,11912e+11", "a spreadsheet has cut this number short"),
        ("254712345678.0", "a spreadsheet has turned this number into a decimal"),
        ("12", "is too short for its country"),
        ("+999123456789", "has an unknown country code"),
        ("+2547123456789012", "is too long for its country"),
        ("ask Ann", "is no phone number"),
        ("0712345678 / 0722345678", "holds two numbers"),
        ("0712345678 (wife)", "has words in it"),
        ("0.00000025", "a spreadsheet has turned this number into a decimal"),
        ("0712345678 ext 9", "has an extension, which no message reaches"),
        ("+", "is no phone number"),
    ],
)
def test_a_number_is_never_guessed(written: str, reason: str) -> None:
    with pytest.raises(BadPhone) as refused:
        to_e164(written, "KE")
    assert refused.value.reason == reason
    assert refused.value.remedy


def test_a_number_outside_known_plans_passes_with_a_word() -> None:
    assert to_e164("+211900000000", "SS") == ("+211900000000", False)


@given(st.text(max_size=40))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        number, _ = to_e164(text, "SS")
    except BadPhone:
        return
    assert number[0] == "+"
    assert 6 <= len(number[1:]) <= 15
    assert number[1:].isdecimal()


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("  Ann   Otieno ", "Ann Otieno"),
        ("Ann\u00a0Otieno\u200f", "Ann Otieno"),
        ("Ann\nOtieno", "Ann Otieno"),
        ("Jose\u0301", "José"),
        ("\ufeffP1", "P1"),
        ("\u0645\u06cc\u200c\u0631", "\u0645\u06cc\u200c\u0631"),
        ("", ""),
        (" \t ", ""),
    ],
)
def test_text_has_one_form(raw: str, text: str) -> None:
    assert cells.clean(raw, 50) == text


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("A\x00B", "holds a NUL"),
        ("A\x07B", "holds a control character"),
        ("A\ud800", "holds a control character"),
        ("Jos\ufffd", "was damaged when the file was saved"),
        ("#REF!", "is a formula's error"),
        ("x" * 51, "is longer than 50 characters"),
        (f"{cells.DATE}2026-01-02", "a spreadsheet has turned this into a date"),
    ],
)
def test_text_no_record_can_hold_is_refused(raw: str, reason: str) -> None:
    with pytest.raises(BadCell) as refused:
        cells.clean(raw, 50)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("check", "text", "reason"),
    [
        (lambda t: cells.degrees(t, 90), "-1,28", "has a decimal comma"),
        (lambda t: cells.degrees(t, 90), "91", "is outside -90 to 90"),
        (lambda t: cells.degrees(t, 90), "nan", "is no number of degrees"),
        (lambda t: cells.degrees(t, 90), "1e1", "is no number of degrees"),
        (lambda t: cells.degrees(t, 90), "1°14'S", "is no number of degrees"),
        (cells.language, "French", "is no language code"),
        (cells.language, "xx", "is no language code"),
        (cells.email, "ann at example.org", "is no e-mail address"),
        (cells.email, "a@b.org; c@d.org", "is no e-mail address"),
        (cells.key, "1.2E+05", "a spreadsheet has turned this into a number"),
        (cells.key, "A/B", "holds a character that lists and addresses need"),
        (cells.key, "..", "holds a character that lists and addresses need"),
        (cells.key, "", "is empty"),
        (cells.keys, "P1; P2;P1", "names P1 twice"),
        (lambda t: cells.choice(t, frozenset({"zone"})), "Zones", "is unknown"),
        (lambda t: cells.choice(t, frozenset({"zone"})), "", "is empty"),
    ],
)
def test_a_value_of_the_wrong_sort_is_refused(
    check: Callable[[str], Any], text: str, reason: str
) -> None:
    with pytest.raises(BadCell) as refused:
        check(text)
    assert refused.value.reason == reason
    assert refused.value.remedy


def test_values_have_one_form() -> None:
    assert cells.choice("Duty Station", frozenset({"duty_station"})) == "duty_station"
    assert [cells.language(t) for t in ("FR", "pt_br", "zh-hant", "din")] == [
        "fr",
        "pt-BR",
        "zh-hant",
        "din",
    ]
    assert cells.degrees("-1.28", 90) == -1.28
    assert cells.keys(" P1 ;; P2; ") == ["P1", "P2"]
