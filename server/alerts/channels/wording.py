"""The neutral lines, in the person's language: no name, no place, no kind of event."""

from server.people.asking import EXERCISE, ask

__all__ = ["EXERCISE", "notification", "text"]

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
BRANCH_LINE = {
    "en": "Your people need you. Open the app.",
    "fr": "Vos gens ont besoin de vous. Ouvrez l'application.",
    "es": "Su gente le necesita. Abra la aplicación.",
    "ar": "أفراد مجموعتك بحاجة إليك. افتح التطبيق.",
    "ru": "Вы нужны своим людям. Откройте приложение.",
    "zh": "您负责的人员需要您。请打开应用。",
}
BRANCH_TEXT = {
    "en": "Warden: your people need you now. Open the app for the list, or call the radio room.",
    "fr": "Responsable de zone : vos gens ont besoin de vous. Ouvrez l'application pour la liste,"
    " ou appelez la salle radio.",
    "es": "Responsable de zona: su gente le necesita ahora. Abra la app para ver la lista, o llame"
    " a la sala de radio.",
    "ar": "مسؤول المنطقة: أفراد مجموعتك بحاجة إليك الآن. افتح التطبيق لرؤية القائمة أو اتصل"
    " بغرفة اللاسلكي.",
    "ru": "Старший зоны: вы нужны своим людям. Список в приложении, или позвоните в радиоцентр.",
    "zh": "片区联络员：您负责的人员现在需要您。请打开应用查看名单，或致电无线电室。",
}
PANIC_LINE = {
    "en": "Somebody needs you now. Open the app.",
    "fr": "On a besoin de vous tout de suite. Ouvrez l'application.",
    "es": "Se le necesita ahora mismo. Abra la aplicación.",
    "ar": "هناك من يحتاج إليك الآن. افتح التطبيق.",
    "ru": "Вы срочно нужны. Откройте приложение.",
    "zh": "现在有人需要您。请打开应用。",
}
PANIC_TEXT = {
    "en": "Warden: somebody needs you now. Open the app, or call the radio room at once.",
    "fr": "Responsable de zone : on a besoin de vous. Ouvrez l'application, ou appelez tout de"
    " suite la salle radio.",
    "es": "Responsable de zona: se le necesita ahora. Abra la app, o llame enseguida a la sala"
    " de radio.",
    "ar": "مسؤول المنطقة: هناك من يحتاج إليك الآن. افتح التطبيق أو اتصل فوراً بغرفة اللاسلكي.",
    "ru": "Старший зоны: вы срочно нужны. Откройте приложение или сразу позвоните в радиоцентр.",
    "zh": "片区联络员：现在有人需要您。请打开应用，或立即致电无线电室。",
}
NEARBY_TEXT = {  # to a colleague: whoever reads it on a lock screen learns no name and no place
    "en": "A colleague needs you now. Open the app, or call the radio room at once.",
    "fr": "Un collègue a besoin de vous. Ouvrez l'application, ou appelez tout de suite la salle"
    " radio.",
    "es": "Un colega le necesita ahora. Abra la app, o llame enseguida a la sala de radio.",
    "ar": "زميل يحتاج إليك الآن. افتح التطبيق أو اتصل فوراً بغرفة اللاسلكي.",
    "ru": "Вы срочно нужны коллеге. Откройте приложение или сразу позвоните в радиоцентр.",
    "zh": "现在有同事需要您。请打开应用，或立即致电无线电室。",
}
_LINES = {"ask": BRANCH_LINE, "chase": BRANCH_LINE, "panic": PANIC_LINE}
_TEXTS = {"ask": BRANCH_TEXT, "chase": BRANCH_TEXT, "panic": PANIC_TEXT}
TITLE = "Muster"


def notification(
    language: str | None, line: str | None, exercise: bool, purpose: str = "alert"
) -> tuple[str, str]:
    """Title and body. An exercise says so in both: no reader may take it for the real thing."""
    code = _code(language)
    lines = _LINES.get(purpose, LINE)
    body = line or lines.get(code, lines["en"])
    if not exercise:
        return TITLE, body
    mark = EXERCISE.get(code, EXERCISE["en"])
    return f"{TITLE} · {mark}", f"{mark}: {body}"


def text(
    language: str | None,
    line: str | None,
    exercise: bool,
    purpose: str = "alert",
    code: str | None = None,
) -> str:
    """What is sent as SMS, with how to answer it where there is a code. An exercise says so
    before and after, in capitals where there are."""
    own = _code(language)
    texts = _TEXTS.get(purpose, TEXT)
    body = line or texts.get(own, texts["en"])
    if code is not None:
        body = f"{body.rstrip()} {ask(language, code)}"
    if not exercise:
        return body
    mark = EXERCISE.get(own, EXERCISE["en"])
    return f"{mark} {mark} {mark}: {body} ({mark})"


def letter(
    language: str | None, line: str | None, exercise: bool, purpose: str = "alert"
) -> tuple[str, str]:
    """Subject and body of an e-mail. The subject is always the neutral line: it is read in lists,
    over shoulders, and by mail servers."""
    title, neutral = notification(language, None, exercise, purpose)
    subject = neutral if exercise else f"{title}: {neutral}"
    return subject, text(language, line, exercise, purpose)


def desk(alert_id: str | None, line: str | None, exercise: bool) -> tuple[str, str]:
    """Title and body for the duty desk's own channels, in English; an alert by its opaque id."""
    what = line or (f"alert {alert_id} needs the duty desk." if alert_id else "Look at the desk.")
    if not exercise:
        return TITLE, f"{TITLE}: {what}"
    mark = EXERCISE["en"]
    return f"{TITLE} - {mark}", f"{mark} {mark} {mark}: {TITLE}: {what} ({mark})"


def _code(language: str | None) -> str:
    return (language or "en").split("-")[0].lower()
