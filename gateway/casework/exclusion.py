"""Who may not hear of a report: pure, from what was said and the people who work here.

Whoever is accused, their organisation, and whoever answers to them. What comes out is used at once, to take people
off a plan with their keys; it is stored nowhere. Words are screened in memory: a name that is written as one of
ours may be written, however it is spelled, is taken for ours, because a report that goes to independent people for
nothing costs less than one that is read by whom it is about.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from rapidfuzz.distance import OSA

from gateway.casework.caseworker import Person
from gateway.casework.organisation import ACCUSED, Kind, Row

_LOOKALIKES: Final = str.maketrans(
    dict(zip("0134578@$ɛɔŋıø", "oieastbaseonio", strict=True)) | {"œ": "oe", "æ": "ae"}
)
"""What is typed in place of a letter, and letters that have no plain one below their accent."""
_SOUNDS: Final = tuple(
    (re.compile(written), sounds)
    for written, sounds in (
        ("tsh|tch|sch|sh", "ch"), ("ph", "f"), ("gh", "g"), ("qu(?=[aeioy])|ck|c(?!h)|q", "k"), ("dj", "j"),
        ("gn", "ny"), ("oo|ou|w", "u"), ("oa", "ua"), ("ee|y|j", "i"), ("eau|au", "o"), ("z", "s"), ("x", "ks"),
        ("v", "b"), ("r", "l"),
    )
)  # fmt: skip
"""Letters that are written for one another in French, Swahili and Lingala; in this order."""
_LETTERS: Final = str.maketrans("cqyjzwvr", "kkiisubl")
"""The same, one for one."""
_TITLES: Final = frozenset(
    {
        "mr", "mrs", "m", "mme", "mlle", "monsieur", "madame", "papa", "mama", "maman", "yaya", "ya", "dr",
        "docteur", "chef", "dir", "directeur", "president", "conseiller", "conseillere", "superviseur",
        "superviseuse", "mushauri", "mopesi",
    }
)  # fmt: skip
"""Words before a name that name nobody."""
_KINDS: Final = frozenset(
    {
        "agence", "artisanal", "artisanale", "association", "bureau", "carriere", "centre", "comite", "commission",
        "compagnie", "company", "congo", "congolais", "congolaise", "developpement", "division", "entreprise",
        "exploitation", "federation", "fondation", "groupe", "katanga", "kolwezi", "likasi", "lualaba",
        "lubumbashi", "maison", "mine", "miner", "miners", "mines", "minier", "miniere", "minieres", "miniers",
        "mining", "poste", "reseau", "sarl", "service", "services", "site", "societe", "trading", "union",
    }
)  # fmt: skip
"""Words in the name of an organisation that anybody uses who speaks of a mine. `police` or `cooperative` is none
of them: whoever writes that may well mean those who are called so."""
_COMMON: Final = frozenset(
    re.findall(
        "[a-z]+",
        """
    alors apres argent aussi autre autres avant avec avoir beaucoup bien cela celui cette chez chose comme
    comment contre couteau dans depuis dernier deux devant dire dont elle elles encore enfant enfants entre
    etre faire fait femme femmes fille filles fois font frere garcon gens hier homme hommes jamais jour
    jours jusque leur leurs maintenant mais maison manger matin meme mere moins mort nous nuit parce
    parents pendant pere personne petit petite peur peut plus pour pourquoi prendre pres puis quand quatre
    quel quelque rien sans semaine sept soir sont sous souvent suis tomber tous tout toute toutes toujours
    travail travaille travailler tres trois trop trou vers veut village voir votre vous
    alikuwa alisema askari baada baba bado bali bila binti bwana chakula chini dada haki hakuna hali hapa
    hapana hata hawa hilo hivi hiyo huko huyu jana jina jioni kabla kaka kama kamba karibu katika kazi
    kesho kila kisha kisu kitu kwake kwamba kwangu kwanza kwao kwenye kwetu lile maji mbele mgodi miaka
    mimi mtoto muda mwaka mwana mwanamke mwanaume mwezi mwili mzee nani ndani ndio ndiye ndugu nini nyingi
    nyumba nyuma pale pamoja pesa polisi sababu sana sasa sawa shimo siku sisi tangu tatu tena tumbo
    ugonjwa uongo usiku vile vitu wakati wale wana wangu watoto watu wawili wengi wetu wewe wiki wote yake
    yako yangu yetu yote
    abeti alobaki asali azali azalaki bana banda bango baninga basali basi bato bazali bazalaki bino biso
    bongo butu ebale ekolo elenge eloko epai esali ezali ezalaki kasi kati kelasi kobeta koboma kokende
    komona kopesa kosala koya koyiba kozala kozanga kozwa libulu likambo lisusu lobi lokola mabe mabele
    maboko makambo makasi malamu mbala mboka mbongo mibale mibali mikolo minei misala misato mobali moko
    mokolo mokonzi mosala mosusu moto mwasi nayebi nazali ndako ndeko ndenge ngai ngonga nkombo nsango
    ntango ntongo nyonso nzela nzoto pembeni pokwa sango sika soki tango tata tozali yango
    """,
    )
)
"""Words that are in every other story: no slip makes them a name, else whoever is called nearly so would hear of
nothing. Somebody who is called just so is found."""
_SHORTEST = 4
"""A part of a name with fewer letters is nobody's alone."""
_WINDOW = 3
"""A name may be torn into so many words."""
_SPELLED: Final = re.compile(r"(?<![a-z])[a-z](?:[^a-z]{1,3}[a-z](?![a-z])){3,}")
"""Letters that stand alone, as somebody writes a name who fears to."""
_BY_EAR, _BY_EYE, _EXACT = "ear", "eye", "exact"
_Written = Mapping[tuple[str, int], Collection[str]]
"""What was written, by how it is compared and by its length."""
_APOSTROPHES: Final = re.compile("['’ʼ`]")


def under(people: Collection[Person], accused: Collection[int], organisations: Collection[int]) -> set[int]:
    """Everybody who may not hear of what is said of these people and organisations."""
    theirs = {one.organisation for one in people if one.id in accused} | set(organisations)
    found = {one.id for one in people if one.id in accused or (one.organisation or 0) in theirs}
    return found | answering_to(people, found)


def answering_to(people: Collection[Person], above: Collection[int]) -> set[int]:
    """Everybody who answers to one of these, however many steps lie between."""
    found: set[int] = set()
    while more := {one.id for one in people if one.supervisor in found.union(above)} - found:
        found |= more
    return found


def by_answer(people: Collection[Person], accused: str) -> set[int]:
    """Who may not hear of a report after this answer to who did it, or who is in charge."""
    kind = ACCUSED.get(accused)
    if kind is None:
        return set()
    return under(people, (), {one.organisation for one in people if one.kind is kind and one.organisation})


def by_words(people: Collection[Person], organisations: Collection[Row], words: str) -> set[int]:
    """Who may not hear of a report after these words."""
    written = _windows(words)
    if not written:
        return set()
    accused = [one.id for one in people if _is_named(written, (one.name, *one.aliases))]
    named = [one.id for one in organisations if _is_named(written, (one.name, *one.aliases))]
    return under(people, accused, named) if accused or named else set()


def only_independent(accused_known: bool, severity: str) -> bool:
    """Whether only people independent of every organisation at the mines may be told: as long as nobody has said
    who did it, or who is in charge, and of an emergency always."""
    return not accused_known or severity == "P0"


def dependent(people: Collection[Person]) -> set[int]:
    """Who may not hear of a report as long as nobody has said who did it: the people of every organisation that
    works at the mines, and whoever answers to them."""
    mines = {one.organisation for one in people if one.organisation and one.kind is not Kind.INDEPENDENT}
    nowhere = [one.id for one in people if one.organisation is None]  # nobody has said that they are independent
    return under(people, nowhere, mines)


def _is_named(written: _Written, names: Iterable[str]) -> bool:
    return any(_is_written(written, *part) for name in names for part in _parts(name))


def _is_written(written: _Written, sense: str, part: str) -> bool:
    """Whether something written is this part of a name, give or take a slip of the thumb."""
    slips = 0 if sense == _EXACT or len(part) <= _SHORTEST else 1 if len(part) < 8 else 2
    return any(
        OSA.distance(part, word, score_cutoff=slips) <= slips
        for length in range(len(part) - slips, len(part) + slips + 1)
        for word in written.get((sense, length), ())
    )


@lru_cache(maxsize=4096)
def _parts(name: str) -> tuple[tuple[str, str], ...]:
    """What a name may be recognised by, by ear and by eye: each of its words that is long enough, and all of them
    together."""
    words = _without_titles(_words(_APOSTROPHES.sub("", _plain(name))))
    own = [word for word in words if word not in _KINDS] or ["".join(words)]
    whole = "".join(own)
    parts = [word for word in own if len(_sound(word)) >= _SHORTEST]
    if whole and (len(_sound(whole)) >= _SHORTEST or not parts):
        parts.append(whole)
    common = [(_EXACT, part) for part in parts if part in _COMMON]
    return (*dict.fromkeys(form for part in parts for form in _forms(part)), *common)


def _windows(words: str) -> _Written:
    """Every word, and words that stand together as one, by ear and by eye, by their length."""
    plain = _plain(words)
    typed = _words(plain)
    common = _COMMON.intersection(typed)
    joined = {re.sub("[^a-z]", "", spelled) for spelled in _SPELLED.findall(plain)}
    joined.update(_together(typed, 2))  # a torn name may have a piece that looks like a title
    joined.update(_together(_without_titles(typed), 1))
    joined |= {rest for word in joined for rest in _behind_a_title(word)}
    found: dict[tuple[str, int], set[str]] = {}
    forms = {form for word in joined - common for form in _forms(word)}
    for sense, form in forms | {(_EXACT, word) for word in common}:
        found.setdefault((sense, len(form)), set()).add(form)
    return found


def _forms(word: str) -> tuple[tuple[str, str], ...]:
    """A word as it sounds, and letter by letter: a slip of the thumb changes one of these, but may change more of
    a sound."""
    return (_BY_EAR, _sound(word)), (_BY_EYE, word.translate(_LETTERS))


def _together(words: list[str], least: int) -> Iterator[str]:
    for size in range(least, _WINDOW + 1):
        for at in range(len(words) - size + 1):
            yield "".join(words[at : at + size])


def _without_titles(words: list[str]) -> list[str]:
    return [word for word in words if word not in _TITLES]


def _behind_a_title(word: str) -> Iterator[str]:
    """What is left of a word that a title was not parted from."""
    for title in _TITLES:
        if len(title) >= _SHORTEST and word.startswith(title) and len(word) - len(title) >= _SHORTEST:
            yield word[len(title) :]


def _plain(text: str) -> str:
    """A text in small letters without accents."""
    plain = unicodedata.normalize("NFKD", text).casefold().translate(_LOOKALIKES)
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _words(plain: str) -> list[str]:
    return re.findall(r"[a-z]+", plain)


def _sound(word: str) -> str:
    """A word as it sounds, whatever letters it was written with."""
    for written, sounds in _SOUNDS:
        word = written.sub(sounds, word)
    return re.sub(r"(.)\1+", r"\1", word.replace("h", "") or word)
