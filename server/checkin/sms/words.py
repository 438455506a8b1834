"""The words people answer with, in six languages, in the form `rules.tidy` gives them.

Only whole words and phrases count. A negation anywhere takes a text out of `safe` and `away`:
"not safe" must never be read as safe.
"""

SAFE = frozenset({
    "safe", "ok", "okay",
    "sauf", "sauve", "sain et sauf", "saine et sauve", "en securite",
    "salvo", "a salvo", "seguro", "segura", "estoy bien",
    "امن", "امنه", "بامان", "سالم", "سالمه", "بخير",
    "в безопасности", "безопасно", "цел", "цела", "жив", "жива",
    "安全", "平安",
})  # fmt: skip
HELP = frozenset({
    "help", "sos", "mayday", "panic", "emergency", "danger", "injured", "hurt",
    "aide", "secours", "panique", "urgence", "blesse", "blessee",
    "ayuda", "socorro", "auxilio", "panico", "emergencia", "herido", "herida",
    "مساعده", "ساعدوني", "طواري", "خطر", "نجده", "النجده", "مصاب", "مصابه",
    "помогите", "помощь", "паника", "опасность", "спасите", "сос", "ранен", "ранена",
    "求助", "救命", "紧急", "危险", "求救", "帮助", "需要帮助", "受伤",
})  # fmt: skip
AWAY = frozenset({
    "away",
    "absent", "absente", "en conge",
    "fuera", "ausente",
    "بعيد", "بعيده", "غايب", "غايبه",
    "уехал", "уехала", "в отъезде",
    "离开", "外出", "不在",
})  # fmt: skip
DONE = frozenset({
    "done", "termine", "terminee", "fini", "listo", "lista", "terminado", "terminada",
    "انتهي", "انتهيت", "готово", "完成",
})  # fmt: skip
EXTEND = frozenset({
    "extend", "prolonger", "prolongez", "prolonge", "ampliar", "amplie", "prolongar",
    "تمديد", "продлить", "продлите", "延长",
})  # fmt: skip
HOURS = frozenset({
    "h", "hour", "hours", "hr", "hrs", "heure", "heures", "hora", "horas",
    "ساعه", "ساعات", "ساعتين", "ч", "час", "часа", "часов", "小时",
})  # fmt: skip
STAGES = {  # what is said of a movement, at the beginning of a text
    "boarded": frozenset({
        "board", "boarded", "boarding", "on board", "onboard", "aboard",
        "a bord", "embarque", "embarquee", "embarques", "monte", "montee",
        "a bordo", "abordo", "embarcado", "embarcada",
        "صعدت", "صعدنا", "ركبت", "ركبنا", "صعود",
        "посадка", "сел", "села", "сели", "на борту",
        "上车", "上了车", "登车", "登机", "上船",
    }),
    "arrived": frozenset({
        "arrived", "arrive", "arrivee", "arrives", "arrivees",
        "llegado", "llegada", "llegue", "llegamos",
        "وصلت", "وصلنا", "وصول",
        "прибыл", "прибыла", "прибыли", "доехал", "доехала", "доехали", "приехал", "приехала",
        "到达", "抵达", "到了",
    }),
    "ready": frozenset({
        "ready", "pret", "prete", "prets", "pretes",
        "preparado", "preparada", "preparados", "preparadas",
        "جاهز", "جاهزه", "جاهزون", "مستعد", "مستعده",
        "готов", "готова", "готовы",
        "就绪", "准备好", "准备就绪",
    }),
    "at_point": frozenset({
        "at", "point", "au point", "punto", "en el punto", "نقطه", "في نقطه", "عند نقطه",
        "пункт", "в пункте", "на пункте", "集合点", "在集合点",
    }),
    "staying": frozenset({
        "stay", "staying", "reste", "restons", "quedo", "me quedo", "quedamos", "nos quedamos",
        "باق", "باقيه", "باقون", "سابقي", "остаюсь", "остаемся", "留下", "留守",
    }),
}  # fmt: skip
ONESELF = frozenset({  # who may stand before it: the sender, or she with hers
    "i", "we", "m", "am", "are", "have", "ve", "just", "je", "j", "nous", "suis", "sommes", "ai",
    "avons", "yo", "nosotros", "estoy", "estamos", "ya", "انا", "نحن", "لقد", "я", "мы", "уже",
})  # fmt: skip
NEGATIONS = frozenset({
    "not", "no", "never", "isnt", "isn", "arent", "aren", "dont", "don", "cannot", "cant", "unsafe",
    "non", "pas", "ne", "ni", "jamais",
    "sin", "nunca", "tampoco",
    "لا", "ليس", "ليست", "لست", "غير", "لم", "لن",
    "не", "нет", "ни",
    "不", "没", "没有", "未", "无",
})  # fmt: skip
STOP = frozenset({"stop", "unsubscribe", "arret", "alto", "توقف", "стоп", "停止"})
MACHINES = frozenset({
    "out of office", "out of the office", "automatic reply", "auto reply", "autoreply",
    "undeliverable", "undelivered", "delivery failed", "could not be delivered",
    "not in service", "message blocking",
    "reponse automatique", "absence du bureau", "respuesta automatica", "fuera de la oficina",
    "رد تلقايي", "автоответ", "автоматическии ответ", "自动回复",
})  # fmt: skip
