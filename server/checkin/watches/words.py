"""What is sent about watches, in six languages: no name, no place, no kind of watch."""

from server.people.asking import ask_watch, language_of

# For each occasion the line of a push, and the words of a text.
REMIND = {
    "en": "Please check in soon. Open the app.",
    "fr": "Donnez bientôt de vos nouvelles. Ouvrez l'application.",
    "es": "Repórtese pronto. Abra la aplicación.",
    "ar": "يرجى تسجيل حضورك قريبًا. افتح التطبيق.",
    "ru": "Скоро нужно отметиться. Откройте приложение.",
    "zh": "请尽快报到。请打开应用。",
}
MISSED = {
    "en": "Please check in now. Open the app, or call your warden or the radio room.",
    "fr": "Donnez de vos nouvelles maintenant. Ouvrez l'application, ou appelez votre responsable"
    " de zone ou la salle radio.",
    "es": "Repórtese ahora. Abra la app, o llame a su responsable de zona o a la sala de radio.",
    "ar": "يرجى تسجيل حضورك الآن. افتح التطبيق أو اتصل بمسؤول منطقتك أو بغرفة اللاسلكي.",
    "ru": "Отметьтесь сейчас. Откройте приложение или позвоните старшему зоны или в радиоцентр.",
    "zh": "请立即报到。请打开应用，或致电您的片区联络员或无线电室。",
}
LEAD = {
    "en": "Somebody of your people has not checked in. Open the app, or call the radio room.",
    "fr": "Une personne de votre groupe n'a pas donné de nouvelles. Ouvrez l'application, ou"
    " appelez la salle radio.",
    "es": "Alguien de su gente no se ha reportado. Abra la app, o llame a la sala de radio.",
    "ar": "أحد أفراد مجموعتك لم يسجل حضوره. افتح التطبيق أو اتصل بغرفة اللاسلكي.",
    "ru": "Кто-то из ваших людей не отметился. Откройте приложение или позвоните в радиоцентр.",
    "zh": "您负责的人员中有人未报到。请打开应用，或致电无线电室。",
}
DESK = "watches are overdue that nobody has answered for. Look at the desk."
UNHEARD = "convoys were offered to another radio room and not heard in time. Look at the desk."


def line(words: dict[str, str], language: str | None) -> str:
    """The words in a person's language, else in English."""
    return words[language_of(language)]


def text(words: dict[str, str], language: str | None, code: str | None) -> str:
    """The words of a text, with what to answer where there is a code."""
    own = line(words, language)
    return own if code is None else f"{own} {ask_watch(language, code)}"
