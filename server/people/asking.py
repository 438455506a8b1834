"""How a text asks for an answer, in six languages, and how long answer codes are. Pure.

What is printed here must be understood when it comes back (server/checkin/sms), so both take it
from this one place.
"""

import re

# No 0/O, 1/I/L, 5/S, 2/Z, 8/B pairs remain: whichever is typed, the same code is meant.
CODE_ALPHABET = "34679ACDEFGHJKMNPQRTUVWXY"
SHORTEST_CODE, LONGEST_CODE = 4, 7
_ENOUGH = ((250, 4), (7_000, 5), (190_000, 6))

EXERCISE = {
    "en": "EXERCISE",
    "fr": "EXERCICE",
    "es": "SIMULACRO",
    "ar": "تمرين",
    "ru": "УЧЕНИЯ",
    "zh": "演习",
}
SAFE = {"en": "SAFE", "fr": "SAUF", "es": "SALVO", "ar": "آمن", "ru": "БЕЗОПАСНО", "zh": "安全"}
AWAY = {"en": "AWAY", "fr": "ABSENT", "es": "FUERA", "ar": "بعيد", "ru": "УЕХАЛ", "zh": "外出"}
HELP = {"en": "HELP", "fr": "AIDE", "es": "AYUDA", "ar": "مساعدة", "ru": "ПОМОГИТЕ", "zh": "求助"}
DONE = {
    "en": "DONE",
    "fr": "TERMINE",
    "es": "LISTO",
    "ar": "انتهى",
    "ru": "ГОТОВО",
    "zh": "完成",
}
EXTEND = {
    "en": "EXTEND",
    "fr": "PROLONGER",
    "es": "AMPLIAR",
    "ar": "تمديد",
    "ru": "ПРОДЛИТЬ",
    "zh": "延长",
}
# What is texted of a movement, by stage.
STAGES = {
    "boarded": {
        "en": "BOARD",
        "fr": "A BORD",
        "es": "A BORDO",
        "ar": "صعدت",
        "ru": "ПОСАДКА",
        "zh": "上车",
    },
    "arrived": {
        "en": "ARRIVED",
        "fr": "ARRIVE",
        "es": "LLEGADO",
        "ar": "وصلت",
        "ru": "ПРИБЫЛ",
        "zh": "到达",
    },
    "ready": {
        "en": "READY",
        "fr": "PRET",
        "es": "PREPARADO",
        "ar": "جاهز",
        "ru": "ГОТОВ",
        "zh": "就绪",
    },
    "at_point": {
        "en": "AT",
        "fr": "POINT",
        "es": "PUNTO",
        "ar": "نقطة",
        "ru": "ПУНКТ",
        "zh": "集合点",
    },
    "staying": {
        "en": "STAY",
        "fr": "RESTE",
        "es": "QUEDO",
        "ar": "باق",
        "ru": "ОСТАЮСЬ",
        "zh": "留下",
    },
}
ASK_WATCH = {
    "en": "Reply {done} {code} or {extend} 60 {code}",
    "fr": "Répondez {done} {code} ou {extend} 60 {code}",
    "es": "Responda {done} {code} o {extend} 60 {code}",
    "ar": "أرسل {done} {code} أو {extend} 60 {code}",
    "ru": "Ответьте {done} {code} или {extend} 60 {code}",
    "zh": "请回复 {done} {code} 或 {extend} 60 {code}",
}
ASK = {
    "en": "Reply {safe} {code} or {help} {code}",
    "fr": "Répondez {safe} {code} ou {help} {code}",
    "es": "Responda {safe} {code} o {help} {code}",
    "ar": "أرسل {safe} {code} أو {help} {code}",
    "ru": "Ответьте {safe} {code} или {help} {code}",
    "zh": "请回复 {safe} {code} 或 {help} {code}",
}


def language_of(language: str | None) -> str:
    """The one of the six languages that a person's own is, else English."""
    code = (language or "en").split("-")[0].lower()
    return code if code in ASK else "en"


def words_of(language: str | None) -> dict[str, str]:
    """The words to answer with, for the places of a sentence."""
    own = language_of(language)
    of_watches = {"done": DONE[own], "extend": EXTEND[own]}
    of_movements = {stage: said[own] for stage, said in STAGES.items()}
    of_alerts = {"safe": SAFE[own], "away": AWAY[own], "help": HELP[own]}
    return {**of_alerts, **of_watches, **of_movements}


def ask(language: str | None, code: str) -> str:
    """The sentence that asks for an answer with a code."""
    return ASK[language_of(language)].format(code=code, **words_of(language))


def ask_watch(language: str | None, code: str) -> str:
    """The sentence that asks for a word about a watch with a code."""
    return ASK_WATCH[language_of(language)].format(code=code, **words_of(language))


def code_length(people: int) -> int:
    """How long codes are where so many may answer: no more than one in a thousand of all codes
    there are is anybody's. The database's function of this name says the same."""
    return next((letters for most, letters in _ENOUGH if people <= most), LONGEST_CODE)


def sample_code(people: int) -> str:
    """A code of the length that so many people need: what texts are measured with."""
    return "K7Q3M9A"[: code_length(people)]


def without_our_words(text: str) -> tuple[str, bool]:
    """A text without our own sentences that ask for an answer; whether it held one.

    A phone that quotes what it replies to, or a number that echoes, must not be taken to have
    said both SAFE and HELP.
    """
    rest, found = _QUOTED.subn(" ", text)
    return rest, found > 0


def _quoted() -> re.Pattern[str]:
    code = rf"[{CODE_ALPHABET}]{{{SHORTEST_CODE},{LONGEST_CODE}}}"
    forms = []
    for language, sentence in [*ASK.items(), *ASK_WATCH.items()]:
        bare = sentence.split(" ", 1)[1]  # from the first word to answer with: verbs may be cut off
        said = bare.format(code="\x00", **words_of(language))
        forms.append(r"\s+".join(map(re.escape, said.split())).replace("\x00", code))
    return re.compile("|".join(forms), re.IGNORECASE)


_QUOTED = _quoted()
