"""Phone numbers as people write them, turned into E.164 or refused. Pure."""

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

# Marks that come along when a number is copied off a screen: direction, width, joining.
_INVISIBLE = dict.fromkeys(
    [0xAD, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A)]
)
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+")
_DECIMAL = re.compile(r"\d{5,}[.,]0+|0[.,]\d+")
_PARTED = re.compile(r"[/;,|&]|\n")
_E164 = re.compile(r"\+[1-9][0-9]{5,14}")
AS_TEXT = "Format the column as text, enter the number again and save."
IN_FULL = "Write it in full, such as +254 712 345678."


class BadPhone(Exception):
    """A number that cannot be used: why, and what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


@lru_cache(maxsize=4096)
def to_e164(text: str, region: str) -> tuple[str, bool]:
    """E.164, and whether the number is in a plan known to be in use.

    `region` (ISO 3166 alpha-2) is meant where there is no country code. Numbers of a possible
    length pass, in use or not: numbering plans change faster than the library's tables.
    Raises BadPhone.
    """
    bare = text.translate(_INVISIBLE).strip()
    if _SCIENTIFIC.fullmatch(bare):
        raise BadPhone("a spreadsheet has cut this number short", AS_TEXT)
    if _DECIMAL.fullmatch(bare):
        raise BadPhone("a spreadsheet has turned this number into a decimal", AS_TEXT)
    if sum(1 for part in _PARTED.split(bare) if sum(map(str.isdigit, part)) >= 6) > 1:
        raise BadPhone("holds two numbers", "Put the second into phone2.")
    try:
        number = phonenumbers.parse(bare, region)
    except NumberParseException as error:
        raise BadPhone(_UNREADABLE.get(error.error_type, "is no phone number"), IN_FULL) from None
    if number.extension:
        raise BadPhone("has an extension, which no message reaches", "Give a direct number.")
    if any(map(str.isalpha, bare)):
        raise BadPhone("has words in it", "Leave nothing but the number.")
    return _possible(number)


def _possible(number: phonenumbers.PhoneNumber) -> tuple[str, bool]:
    if phonenumbers.is_valid_number(number):
        return phonenumbers.format_number(number, PhoneNumberFormat.E164), True
    length = phonenumbers.is_possible_number_with_reason(number)
    if length != ValidationResult.IS_POSSIBLE:
        raise BadPhone(_LENGTHS.get(length, "is no phone number"), IN_FULL)
    written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if not _E164.fullmatch(written):
        raise BadPhone("is no phone number", IN_FULL)
    return written, False


_UNREADABLE = {
    NumberParseException.INVALID_COUNTRY_CODE: "has an unknown country code",
    NumberParseException.TOO_SHORT_AFTER_IDD: "is too short",
    NumberParseException.TOO_SHORT_NSN: "is too short",
    NumberParseException.TOO_LONG: "is too long",
}
_LENGTHS = {
    ValidationResult.INVALID_COUNTRY_CODE: "has an unknown country code",
    ValidationResult.TOO_SHORT: "is too short for its country",
    ValidationResult.TOO_LONG: "is too long for its country",
    ValidationResult.INVALID_LENGTH: "has a length no number of its country has",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "lacks its area code",
}
