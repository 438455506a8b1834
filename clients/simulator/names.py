"""Names for invented people, in four scripts. No list holds a real person."""

from random import Random
from typing import NamedTuple

import msgspec


class Origin(msgspec.Struct, frozen=True):
    """Where a name comes from: its language, its lists, and how the parts join.

    `home` is a mobile prefix of that part of the world, with how many digits follow.
    `surnames` are (for men, for women); `order` formats {given} and {family}.
    """

    language: str
    women: list[str]
    men: list[str]
    surnames: list[tuple[str, str]]
    home: tuple[str, int]
    order: str = "{given} {family}"


def _words(names: str) -> list[str]:
    return names.split()


def _same(names: str) -> list[tuple[str, str]]:
    return [(name, name) for name in names.split()]


KENYAN = Origin(
    language="en",
    women=_words(
        "Wanjiku Achieng Nyambura Akinyi Chebet Mwikali Amina Faith Mercy Nafula Halima Zawadi "
        "Wairimu Atieno Jepkosgei Nduta Rehema Adhiambo Makena Naliaka"
    ),
    men=_words(
        "Kamau Otieno Kiprop Mutua Baraka Juma Wekesa Njoroge Ochieng Kibet Musyoka Hassan Omari "
        "Kariuki Barasa Onyango Cheruiyot Mwangi Abdi Simiyu"
    ),
    surnames=_same(
        "Mwangi Otieno Njoroge Odhiambo Kiptoo Mutiso Wafula Kimani Ouma Chepkwony Ndungu "
        "Wanyama Musyoka Karanja Omondi Koech Kilonzo Barasa Maina Auma Rotich Muriuki Were "
        "Githinji Abdullahi Makokha Nyong'o Kiplagat"
    ),
    home=("+2547", 8),
)
ENGLISH = Origin(
    language="en",
    women=_words("Hannah Priya Ngozi Ruth Fatou Elin Grace Aoife Leilani Tamara Sunita Ingrid"),
    men=_words("Tendai Daniel Kwame Arjun Lars Samuel Oliver Chidi Rajesh Peter Moses Finn"),
    surnames=_same(
        "Okafor Sharma Lindqvist Mensah Hughes Banda Patel O'Brien Nkosi Fernando Clarke Boateng "
        "Iyer Svensson Moyo Campbell"
    ),
    home=("+447400", 6),
)
FRENCH = Origin(
    language="fr",
    women=_words("Aïcha Chloé Mariam Hélène Fatoumata Élodie Bintou Camille Awa Solène"),
    men=_words("Moussa Étienne Ibrahima Benoît Ousmane Luc Cheikh François Idriss Rémi"),
    surnames=_same(
        "Traoré Dubois Ndiaye Lefèvre Koné Mercier Diallo Moreau Ouédraogo Girard Kouassi Fontaine"
    ),
    home=("+3361", 7),
)
SPANISH = Origin(
    language="es",
    women=_words("Lucía Ximena Inés Valentina Marisol Begoña Camila Itziar"),
    men=_words("Andrés Joaquín Íñigo Mateo Ramón Santiago Álvaro Nicolás"),
    surnames=_same(
        "Muñoz Quispe Herrera Ibáñez Cárdenas Peña Restrepo Zúñiga Vargas Echeverría Salas Ríos"
    ),
    home=("+346", 8),
)
ARABIC = Origin(
    language="ar",
    women=_words("عائشة مريم سلمى ليلى نور هدى زينب رانيا آمنة دعاء"),
    men=_words("محمد يوسف خالد إبراهيم سامي طارق عمر حسن ماجد كريم"),
    surnames=_same("الحداد منصور النجار حمدان الشامي عثمان الطيب قاسم المصري سليمان بدران الخطيب"),
    home=("+2010", 8),
)
RUSSIAN = Origin(
    language="ru",
    women=_words("Ольга Наталья Гульнара Светлана Айгуль Екатерина Дарья Людмила"),
    men=_words("Алексей Тимур Сергей Бауржан Дмитрий Николай Руслан Фёдор"),
    surnames=[
        ("Соколов", "Соколова"),
        ("Ахметов", "Ахметова"),
        ("Кузнецов", "Кузнецова"),
        ("Ким", "Ким"),
        ("Щербаков", "Щербакова"),
        ("Иванов", "Иванова"),
        ("Сулейменов", "Сулейменова"),
        ("Лебедев", "Лебедева"),
        ("Ёлкин", "Ёлкина"),
        ("Мельник", "Мельник"),
    ],
    home=("+7916", 7),
)
CHINESE = Origin(
    language="zh",
    women=_words("秀英 静怡 雨桐 晓梅 思颖 佳琪 丽华 欣然"),
    men=_words("伟 志强 建国 浩然 俊杰 明轩 文博 天宇"),
    surnames=_same("王 李 张 刘 陈 杨 欧阳 赵 黄 周 吴 徐"),
    home=("+86138", 8),
    order="{family}{given}",
)

# Shares per hundred: whom a duty station recruits locally, and whom from abroad.
LOCAL = {KENYAN.language: 94, ARABIC.language: 6}
ABROAD = {"en": 30, "fr": 20, "es": 12, "ar": 15, "ru": 11, "zh": 12}
_BY_LANGUAGE = {o.language: o for o in (ENGLISH, FRENCH, SPANISH, ARABIC, RUSSIAN, CHINESE)}


class Name(NamedTuple):
    """A person's name and what a household shares of it."""

    full: str
    origin: Origin
    surname: tuple[str, str]


def origin(rng: Random, *, locally_recruited: bool) -> Origin:
    """Draws where a staff member comes from."""
    shares = LOCAL if locally_recruited else ABROAD
    language = rng.choices(list(shares), weights=list(shares.values()))[0]
    if locally_recruited and language == KENYAN.language:
        return KENYAN
    return _BY_LANGUAGE[language]


def name(rng: Random, source: Origin, surname: tuple[str, str] | None = None) -> Name:
    """A woman's or a man's name of this origin; `surname` is that of the household."""
    woman = rng.random() < 0.5
    surname = surname or rng.choice(source.surnames)
    given = rng.choice(source.women if woman else source.men)
    full = source.order.format(given=given, family=surname[woman])
    return Name(full, source, surname)
