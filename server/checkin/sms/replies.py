"""What a text is answered with, in six languages: what was understood, and what to do. Pure.

No name and no place: whoever holds the phone reads it. Spanish goes without the accents that
would halve the room of a text.
"""

from typing import Literal

from server.people.asking import EXERCISE, ask, ask_watch, language_of, words_of

Key = Literal[
    "safe", "away", "help", "help_drill", "family", "family_some", "use_code", "wrong", "locked",
    "nobody_asks", "called_off", "unclear", "refused", "replayed", "stop", "stranger",
    "watch_done", "watch_on", "watch_over", "use_watch", "how_long",
    "moved", "moved_family", "moved_some", "use_move", "which_vehicle", "which_point", "why_stay",
]  # fmt: skip

LINES: dict[str, dict[str, str]] = {
    "safe": {
        "en": "Recorded: {safe} {code}. In danger, text {help}.",
        "fr": "Enregistré : {safe} {code}. En danger, envoyez {help}.",
        "es": "Registrado: {safe} {code}. En peligro, envie {help}.",
        "ar": "تم التسجيل: {safe} {code}. عند الخطر أرسل {help}.",
        "ru": "Записано: {safe} {code}. При опасности пришлите {help}.",
        "zh": "已记录：{safe} {code}。遇险请发送 {help}。",
    },
    "away": {
        "en": "Recorded: {away} {code}. In danger, text {help}.",
        "fr": "Enregistré : {away} {code}. En danger, envoyez {help}.",
        "es": "Registrado: {away} {code}. En peligro, envie {help}.",
        "ar": "تم التسجيل: {away} {code}. عند الخطر أرسل {help}.",
        "ru": "Записано: {away} {code}. При опасности пришлите {help}.",
        "zh": "已记录：{away} {code}。遇险请发送 {help}。",
    },
    "help": {
        "en": "Your call for help is on record at the duty desk. If you can, call and say where"
        " you are.",
        "fr": "Votre appel à l'aide est enregistré à la permanence. Si possible, appelez et dites"
        " où vous vous trouvez.",
        "es": "Su pedido de ayuda esta registrado en la guardia. Si puede, llame y diga donde"
        " esta.",
        "ar": "سُجّل طلب المساعدة لدى مكتب المناوبة. اتصل إن أمكن وقل أين أنت.",
        "ru": "Ваш призыв о помощи записан у дежурного. Если можете, позвоните и скажите, где вы.",
        "zh": "您的求助已记录在值班室。如可能，请致电说明位置。",
    },
    "help_drill": {
        "en": "Help is recorded in the exercise. In real danger text {help} alone, without a code.",
        "fr": "Aide enregistrée dans l'exercice. En danger réel, envoyez {help} seul, sans code.",
        "es": "Ayuda registrada en el simulacro. En peligro real envie solo {help}, sin codigo.",
        "ar": "سُجّل في التمرين. عند خطر حقيقي أرسل {help} وحدها بلا رمز.",
        "ru": "Записано в рамках учений. При настоящей опасности пришлите {help} без кода.",
        "zh": "已在演习中记录。真正遇险时请只发送 {help}，不带代码。",
    },
    "family": {
        "en": "Recorded: {safe} {code} for all {n} of your family.",
        "fr": "Enregistré : {safe} {code} pour vos {n} proches, vous compris.",
        "es": "Registrado: {safe} {code} para los {n} de su familia.",
        "ar": "تم التسجيل: {safe} {code} لجميع أفراد الأسرة وعددهم {n}.",
        "ru": "Записано: {safe} {code} за всю семью, {n} чел.",
        "zh": "已记录：{safe} {code}，全家共 {n} 人。",
    },
    "family_some": {
        "en": "Recorded for you only: {code}. With you {n} are listed. If all {n} are safe, text"
        " {safe} {n} {code}",
        "fr": "Enregistré pour vous seul : {code}. Avec vous, {n} sont inscrits. Si les {n} sont"
        " saufs : {safe} {n} {code}",
        "es": "Registrado solo para usted: {code}. Con usted figuran {n}. Si los {n} estan a"
        " salvo: {safe} {n} {code}",
        "ar": "سُجّل لك وحدك: {code}. المسجلون معك {n}. إن كانوا جميعا بأمان أرسل {safe} {n} {code}",
        "ru": "Записано только за вас: {code}. Вместе с вами числятся {n}. Если все в безопасности:"
        " {safe} {n} {code}",
        "zh": "只记录了您本人：{code}。连您共登记 {n} 人。若全部平安请发送 {safe} {n} {code}",
    },
    "use_code": {
        "en": "Not counted yet.",
        "fr": "Pas encore compté.",
        "es": "Aun no se cuenta.",
        "ar": "لم يُحسب بعد.",
        "ru": "Пока не засчитано.",
        "zh": "尚未计入。",
    },
    "watch_done": {
        "en": "Recorded: {done} {code}. In danger, text {help}.",
        "fr": "Enregistré : {done} {code}. En danger, envoyez {help}.",
        "es": "Registrado: {done} {code}. En peligro, envie {help}.",
        "ar": "تم التسجيل: {done} {code}. عند الخطر أرسل {help}.",
        "ru": "Записано: {done} {code}. При опасности пришлите {help}.",
        "zh": "已记录：{done} {code}。遇险请发送 {help}。",
    },
    "watch_on": {
        "en": "Recorded {code}. Check in by {until}. In danger, text {help}.",
        "fr": "Enregistré {code}. Donnez de vos nouvelles avant {until}. En danger : {help}.",
        "es": "Registrado {code}. Reportese antes de {until}. En peligro, envie {help}.",
        "ar": "تم التسجيل {code}. سجّل حضورك قبل {until}. عند الخطر أرسل {help}.",
        "ru": "Записано {code}. Отметьтесь до {until}. При опасности пришлите {help}.",
        "zh": "已记录 {code}。请在 {until} 之前报到。遇险请发送 {help}。",
    },
    "watch_over": {
        "en": "Noted. It had ended before. In danger, text {help}.",
        "fr": "Noté. C'était déjà terminé. En danger, envoyez {help}.",
        "es": "Anotado. Ya habia terminado. En peligro, envie {help}.",
        "ar": "سُجّل. كان قد انتهى من قبل. عند الخطر أرسل {help}.",
        "ru": "Записано. Это уже было завершено. При опасности пришлите {help}.",
        "zh": "已记录。此前已结束。遇险请发送 {help}。",
    },
    "use_watch": {
        "en": "Not counted yet.",
        "fr": "Pas encore compté.",
        "es": "Aun no se cuenta.",
        "ar": "لم يُحسب بعد.",
        "ru": "Пока не засчитано.",
        "zh": "尚未计入。",
    },
    "how_long": {
        "en": "Not counted: for how long? Text {extend} 60 {code} or {extend} 18:30 {code}",
        "fr": "Pas compté : jusqu'à quand ? Envoyez {extend} 60 {code} ou {extend} 18:30 {code}",
        "es": "No se cuenta: hasta cuando? Envie {extend} 60 {code} o {extend} 18:30 {code}",
        "ar": "لم يُحسب: إلى متى؟ أرسل {extend} 60 {code} أو {extend} 18:30 {code}",
        "ru": "Не засчитано: до какого времени? Пришлите {extend} 60 {code} или {extend} 18:30"
        " {code}",
        "zh": "未计入：到何时？请发送 {extend} 60 {code} 或 {extend} 18:30 {code}",
    },
    "moved": {
        "en": "Recorded: {stage} {code}. In danger, text {help}.",
        "fr": "Enregistré : {stage} {code}. En danger, envoyez {help}.",
        "es": "Registrado: {stage} {code}. En peligro, envie {help}.",
        "ar": "تم التسجيل: {stage} {code}. عند الخطر أرسل {help}.",
        "ru": "Записано: {stage} {code}. При опасности пришлите {help}.",
        "zh": "已记录：{stage} {code}。遇险请发送 {help}。",
    },
    "moved_family": {
        "en": "Recorded: {stage} {code} for all {n} of your family.",
        "fr": "Enregistré : {stage} {code} pour vos {n} proches, vous compris.",
        "es": "Registrado: {stage} {code} para los {n} de su familia.",
        "ar": "تم التسجيل: {stage} {code} لجميع أفراد الأسرة وعددهم {n}.",
        "ru": "Записано: {stage} {code} за всю семью, {n} чел.",
        "zh": "已记录：{stage} {code}，全家共 {n} 人。",
    },
    "moved_some": {
        "en": "Recorded for you only: {stage} {code}. With you {n} are listed. If it is so for all"
        " {n}, text the same again with {n} before the code",
        "fr": "Enregistré pour vous seul : {stage} {code}. Avec vous, {n} sont inscrits. Si c'est"
        " vrai pour les {n}, renvoyez avec {n} avant le code",
        "es": "Registrado solo para usted: {stage} {code}. Con usted figuran {n}. Si vale para los"
        " {n}, repita con {n} delante del codigo",
        "ar": "سُجّل لك وحدك: {stage} {code}. المسجلون معك {n}. إن كان كذلك للجميع فأعد الإرسال مع"
        " {n} قبل الرمز",
        "ru": "Записано только за вас: {stage} {code}. Вместе с вами числятся {n}. Если так у всех,"
        " пришлите ещё раз с {n} перед кодом",
        "zh": "只记录了您本人：{stage} {code}。连您登记 {n} 人。若全家如此请重发并在代码前加 {n}",
    },
    "use_move": {
        "en": "Not counted yet. To confirm, text the same again with {code} at its end",
        "fr": "Pas encore compté. Pour confirmer, renvoyez ce texte suivi de {code}",
        "es": "Aun no se cuenta. Para confirmar, repita el mismo texto con {code} al final",
        "ar": "لم يُحسب بعد. للتأكيد أعد إرسال النص نفسه مع {code} في آخره",
        "ru": "Пока не засчитано. Чтобы подтвердить, пришлите то же ещё раз с {code} в конце",
        "zh": "尚未计入。请重发相同内容，并在末尾加上 {code} 以确认",
    },
    "which_vehicle": {
        "en": "Not counted: which vehicle? Text {boarded}, its number, then {code}",
        "fr": "Pas compté : quel véhicule ? Envoyez {boarded}, son numéro, puis {code}",
        "es": "No se cuenta: que vehiculo? Envie {boarded}, su numero y {code}",
        "ar": "لم يُحسب: أي مركبة؟ أرسل {boarded} ثم رقمها ثم {code}",
        "ru": "Не засчитано: какая машина? Пришлите {boarded}, её номер и {code}",
        "zh": "未计入：哪辆车？请发送 {boarded}、车号和 {code}",
    },
    "which_point": {
        "en": "Not counted: which point? Text {at_point}, its name as you were told, then {code}",
        "fr": "Pas compté : quel point ? Envoyez {at_point}, son nom tel qu'on vous l'a dit, puis"
        " {code}",
        "es": "No se cuenta: que punto? Envie {at_point}, su nombre como se lo dijeron y {code}",
        "ar": "لم يُحسب: أي نقطة؟ أرسل {at_point} ثم اسمها كما قيل لك ثم {code}",
        "ru": "Не засчитано: какой пункт? Пришлите {at_point}, его название, как вам сказали, и"
        " {code}",
        "zh": "未计入：哪个集合点？请发送 {at_point}、所告知的名称和 {code}",
    },
    "why_stay": {
        "en": "Not counted: say why. Text {staying}, the reason, then {code}",
        "fr": "Pas compté : dites pourquoi. Envoyez {staying}, la raison, puis {code}",
        "es": "No se cuenta: diga por que. Envie {staying}, el motivo y {code}",
        "ar": "لم يُحسب: اذكر السبب. أرسل {staying} ثم السبب ثم {code}",
        "ru": "Не засчитано: скажите почему. Пришлите {staying}, причину и {code}",
        "zh": "未计入：请说明原因。请发送 {staying}、原因和 {code}",
    },
    "wrong": {
        "en": "Not counted: this code is not known. Look at the message you had, and try again.",
        "fr": "Pas compté : ce code est inconnu. Regardez le message et réessayez.",
        "es": "No se cuenta: este codigo no se conoce. Mire el mensaje recibido y repita.",
        "ar": "لم يُحسب: هذا الرمز غير معروف. انظر إلى الرسالة التي وصلتك وأعد المحاولة.",
        "ru": "Не засчитано: такого кода нет. Посмотрите в сообщении и попробуйте ещё раз.",
        "zh": "未计入：代码不存在。请查看收到的短信后重试。",
    },
    "locked": {
        "en": "Not counted: this code is locked after wrong tries. Your warden will ask you.",
        "fr": "Pas compté : code bloqué après des essais faux. Votre responsable vous appellera.",
        "es": "No se cuenta: codigo bloqueado por intentos fallidos. Su responsable le llamara.",
        "ar": "لم يُحسب: أُقفل الرمز بعد محاولات خاطئة. سيتصل بك مسؤول منطقتك.",
        "ru": "Не засчитано: код закрыт после ошибок. Вас спросит старший зоны.",
        "zh": "未计入：多次输错，代码已锁定。联络员会与您联系。",
    },
    "nobody_asks": {
        "en": "Noted for the duty desk. Nobody is asking just now. In danger, text {help}.",
        "fr": "Noté à la permanence. Aucun appel en cours. En danger, envoyez {help}.",
        "es": "Anotado en la guardia. Nadie pregunta ahora. En peligro, envie {help}.",
        "ar": "سُجّل لدى مكتب المناوبة. لا يوجد استفسار الآن. عند الخطر أرسل {help}.",
        "ru": "Передано дежурному. Сейчас опроса нет. При опасности пришлите {help}.",
        "zh": "已转值班室。目前没有点名。遇险请发送 {help}。",
    },
    "called_off": {
        "en": "The message you answer was called off. In danger, text {help}.",
        "fr": "Le message auquel vous répondez est annulé. En danger, envoyez {help}.",
        "es": "El mensaje al que responde fue anulado. En peligro, envie {help}.",
        "ar": "أُلغيت الرسالة التي ترد عليها. عند الخطر أرسل {help}.",
        "ru": "Сообщение, на которое вы отвечаете, отменено. При опасности пришлите {help}.",
        "zh": "您回复的通知已取消。遇险请发送 {help}。",
    },
    "unclear": {
        "en": "Not understood. Text {safe}, {away} or {help}, each with your code.",
        "fr": "Pas compris. Envoyez {safe}, {away} ou {help}, avec votre code.",
        "es": "No se entiende. Envie {safe}, {away} o {help}, con su codigo.",
        "ar": "لم تُفهم. أرسل {safe} أو {away} أو {help} مع رمزك.",
        "ru": "Не понято. Пришлите {safe}, {away} или {help} со своим кодом.",
        "zh": "未能理解。请发送 {safe}、{away} 或 {help}，并加上代码。",
    },
    "refused": {
        "en": "Not counted: the app's message cannot be verified. In danger, text {help}.",
        "fr": "Pas compté : message de l'application non vérifiable. En danger, envoyez {help}.",
        "es": "No se cuenta: mensaje de la app sin verificar. En peligro, envie {help}.",
        "ar": "لم تُحسب: تعذر التحقق من رسالة التطبيق. عند الخطر أرسل {help}.",
        "ru": "Не засчитано: сообщение приложения не проверено. При опасности пришлите {help}.",
        "zh": "未计入：无法验证应用短信。遇险请发送 {help}。",
    },
    "replayed": {
        "en": "This message of the app came before and is not counted again. In danger, text"
        " {help}.",
        "fr": "Ce message de l'application est déjà venu ; pas recompté. En danger, envoyez"
        " {help}.",
        "es": "Este mensaje de la app ya llego; no se cuenta otra vez. En peligro, envie {help}.",
        "ar": "وصلت رسالة التطبيق هذه من قبل ولا تُحسب ثانية. عند الخطر أرسل {help}.",
        "ru": "Это сообщение приложения уже было и второй раз не считается. При опасности"
        " пришлите {help}.",
        "zh": "此应用短信已收到过，不重复计入。遇险请发送 {help}。",
    },
    "stop": {
        "en": "Noted for the duty desk. Messages about your safety still come.",
        "fr": "Noté à la permanence. Les messages sur votre sécurité viendront encore.",
        "es": "Anotado en la guardia. Los mensajes sobre su seguridad seguiran llegando.",
        "ar": "سُجّل لدى مكتب المناوبة. ستصلك رسائل سلامتك رغم ذلك.",
        "ru": "Передано дежурному. Сообщения о вашей безопасности будут приходить и дальше.",
        "zh": "已转值班室。涉及您安全的短信仍会发送。",
    },
    "stranger": {
        "en": "This number is not known here. Add the code of the message you had. The duty desk"
        " sees this.",
        "fr": "Numéro inconnu ici. Ajoutez le code du message. La permanence voit ceci.",
        "es": "Numero desconocido aqui. Añada el codigo del mensaje. La guardia ve esto.",
        "ar": "هذا الرقم غير معروف هنا. أضف رمز الرسالة التي وصلتك. يرى مكتب المناوبة هذا.",
        "ru": "Этот номер здесь неизвестен. Добавьте код из сообщения. Дежурный это видит.",
        "zh": "此号码未登记。请加上短信中的代码。值班室会看到此信息。",
    },
}


def reply(
    key: Key,
    language: str | None,
    code: str = "",
    n: int = 0,
    drill: bool = False,
    until: str = "",
    stage: str = "",
) -> str:
    """One answer. `drill`: it is about an exercise, and says so. `until`: a deadline. `stage`: the
    word for a stage, with the vehicle's number."""
    own = language_of(language)
    line = LINES[key][own] if code else LINES[key][own].replace(" {code}", "")
    line = line.format(code=code, n=n, until=until, stage=stage, **words_of(language))
    if key in ("use_code", "use_watch"):
        line = f"{line} {(ask if key == 'use_code' else ask_watch)(language, code)}"
    return f"{EXERCISE[own]}: {line}" if drill else line
