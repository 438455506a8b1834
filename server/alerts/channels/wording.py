"""The neutral line of a push, in the person's language: no name, no place, no kind of event."""

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
TITLE = "Muster"


def notification(language: str | None, line: str | None, exercise: bool) -> tuple[str, str]:
    """Title and body. An exercise says so in both: no reader may take it for the real thing."""
    code = (language or "en").split("-")[0].lower()
    body = line or LINE.get(code, LINE["en"])
    if not exercise:
        return TITLE, body
    mark = EXERCISE.get(code, EXERCISE["en"])
    return f"{TITLE} · {mark}", f"{mark}: {body}"
