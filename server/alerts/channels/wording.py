"""The neutral lines, in the person's language: no name, no place, no kind of event."""

EXERCISE = {
    "en": "EXERCISE",
    "fr": "EXERCICE",
    "es": "SIMULACRO",
    "ar": "تمرين",
    "ru": "УЧЕНИЯ",
    "zh": "演习",
}
LINE = {
    "en": "You have a message. Open the app.",
    "fr": "Vous avez un message. Ouvrez l'application.",
    "es": "Tiene un mensaje. Abra la aplicación.",
    "ar": "لديك رسالة. افتح التطبيق.",
    "ru": "Вам сообщение. Откройте приложение.",
    "zh": "您有一条消息。请打开应用。",
}
TEXT = {
    "en": "Message from your duty desk. Open the app, or call your warden or the radio room now.",
    "fr": "Message de votre permanence. Ouvrez l'application, ou appelez tout de suite votre"
    " responsable de zone ou la salle radio.",
    "es": "Mensaje de su oficina de guardia. Abra la app, o llame ahora a su responsable de zona"
    " o a la sala de radio.",
    "ar": "رسالة من مكتب المناوبة. افتح التطبيق أو اتصل الآن بمسؤول منطقتك أو بغرفة اللاسلكي.",
    "ru": "Сообщение дежурной службы. Откройте приложение или сразу позвоните старшему зоны"
    " или в радиоцентр.",
    "zh": "值班室有消息给您。请打开应用，或立即致电您的片区联络员或无线电室。",
}
TITLE = "Muster"


def notification(language: str | None, line: str | None, exercise: bool) -> tuple[str, str]:
    """Title and body. An exercise says so in both: no reader may take it for the real thing."""
    code = _code(language)
    body = line or LINE.get(code, LINE["en"])
    if not exercise:
        return TITLE, body
    mark = EXERCISE.get(code, EXERCISE["en"])
    return f"{TITLE} · {mark}", f"{mark}: {body}"


def text(language: str | None, line: str | None, exercise: bool) -> str:
    """What is sent as SMS. An exercise says so before and after, in capitals where there are."""
    code = _code(language)
    body = line or TEXT.get(code, TEXT["en"])
    if not exercise:
        return body
    mark = EXERCISE.get(code, EXERCISE["en"])
    return f"{mark} {mark} {mark}: {body} ({mark})"


def _code(language: str | None) -> str:
    return (language or "en").split("-")[0].lower()
