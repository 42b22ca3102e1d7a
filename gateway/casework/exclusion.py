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
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

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
    alors ange anges apres argent aussi autre autres avant avec avoir banque banques beaucoup bien cela celui
    cette chance chez chose comme comment contre couteau dans depuis dernier deux devant dieu dire dont elle
    elles encore enfant enfants entre espoir etre faire fait femme femmes fille filles fois font frere garcon
    gens gloire grace graces hier homme hommes jamais jeune jeunes joie jour jours jusque leur leurs
    maintenant mais maison manger mari mariage marie mariee marier maris matin meme mere moins mort noel nous
    nuit paix parce parents pendant pere personne petit petite peur peut pierre pierres plus pour pourquoi
    prendre pres prince puis quand quatre quel quelque rien rose roses sage sans semaine sept soir sont sous
    souvent suis tomber toujours tous tout toute toutes travail travaille travailler tres trois trop trou vers
    veut victoire village voir votre vous
    alikuwa alisema askari baada baba bado bali bila binti bwana chakula chini dada haki hakuna hali hapa
    hapana hata hawa hilo hivi hiyo huko huyu jana jina jioni kabla kaka kama kamba karibu katika kazi
    kesho kila kisha kisu kitu kwake kwamba kwangu kwanza kwao kwenye kwetu lile maji mbele mgodi miaka
    mimi mtoto muda mwaka mwana mwanamke mwanaume mwezi mwili mzee nani ndani ndio ndiye ndugu nini nyingi
    nyumba nyuma pale pamoja pesa polisi sababu sana sasa sawa shimo siku sisi tangu tatu tena tumbo
    ugonjwa uongo usiku vile vitu wakati wale wana wangu watoto watu wawili wengi wetu wewe wiki wote yake
    yako yangu yetu yote chake chako changu lake lako langu lenye penye vyake wenye yenye zake zangu zao zenye
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
_LITTLE: Final = frozenset(
    re.findall(
        "[a-z]+",
        """
    a ai as au ce ces d de des du elle en est et eu il ils j je l la le les m ma me mes mon n ne ni non on ou s sa
    se ses si son sur t ta te tes ton tu un une y ba bo ku kwa li mo mu na ndi nse o pa sha te u wa ya yo za zo
    """,
    )
)
"""Words so little that any two of them stand together in every other sentence."""
_SHORTEST = 4
"""A part of a name with fewer letters is nobody's alone."""
_WINDOW = 3
"""A name may be torn into so many words."""
_SPELLED: Final = re.compile(r"(?<![a-z])[a-z](?:[^a-z]{1,3}[a-z](?![a-z])){3,}")
"""Letters that stand alone, as somebody writes a name who fears to."""
_BY_EAR, _BY_EYE, _EXACT = "ear", "eye", "exact"
_Form = tuple[str, str]
"""How a word is compared, and the word as that sees it."""
_Written = Mapping[tuple[str, int], Collection[str]]
"""What was written, by how it is compared and by its length."""


class _Evidence(IntEnum):
    NONE, LIKELY, SURE = range(3)


class _Parts(NamedTuple):
    """What a name may be recognised by: the forms of each of its words, and of all together."""

    words: tuple[tuple[_Form, ...], ...]
    whole: tuple[_Form, ...]


_APOSTROPHES: Final = re.compile("['’ʼ`]")


def under(people: Collection[Person], accused: Collection[int], organisations: Collection[int]) -> set[int]:
    """Everybody who may not hear of what is said of these people and organisations."""
    theirs = {one.organisation for one in people if one.id in accused and one.organisation} | set(organisations)
    found = {one.id for one in people if one.id in accused or one.organisation in theirs}
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


@dataclass(frozen=True, slots=True)
class Named:
    """Who may not hear of a report after some words: everybody who may be meant, and `sure`, those of them of whom
    more was written than one word that may be another."""

    all: frozenset[int]
    sure: frozenset[int]

    def sparing(self, deciding: Iterable[tuple[int, bool]]) -> set[int]:
        """Who is left out. If of those who decide about the report (person, whether they are an integrity officer)
        nobody would be left, the officers stay of whom it is not sure; if there is none, others who decide. A
        report that nobody may hear of helps nobody, least of all for one word that may be another."""
        deciding = list(deciding)
        if any(person not in self.all for person, _ in deciding):
            return set(self.all)
        unsure = [(person, officer) for person, officer in deciding if person not in self.sure]
        officers = {person for person, officer in unsure if officer}
        return set(self.all - (officers or {person for person, _ in unsure}))


def by_words(people: Collection[Person], organisations: Collection[Row], words: str) -> Named:
    """Who may not hear of a report after these words."""
    written = _windows(words)
    if not written:
        return Named(frozenset(), frozenset())
    said = {one.id: _evidence(written, (one.name, *one.aliases)) for one in people}
    said_of = {one.id: _evidence(written, (one.name, *one.aliases)) for one in organisations}

    def theirs(least: _Evidence) -> frozenset[int]:
        accused = [one for one, evidence in said.items() if evidence >= least]
        named = [one for one, evidence in said_of.items() if evidence >= least]
        return frozenset(under(people, accused, named)) if accused or named else frozenset()

    return Named(theirs(_Evidence.LIKELY), theirs(_Evidence.SURE))


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


def _evidence(written: _Written, names: Iterable[str]) -> _Evidence:
    """How sure it is that one of these names was written. Of a name of several words one word makes it likely; all
    of them together, or two of them without a slip, make it sure."""
    found = _Evidence.NONE
    for name in names:
        parts = _parts(name)
        if not any(_is_written(written, form) for part in (*parts.words, parts.whole) for form in part):
            continue
        plain = sum(any(_is_written(written, form, slips=False) for form in part) for part in parts.words)
        together = len(parts.words) > 1 and any(_is_written(written, form) for form in parts.whole)
        if together or plain >= min(2, len(parts.words)) > 0:
            return _Evidence.SURE
        found = _Evidence.LIKELY
    return found


def _is_written(written: _Written, form: _Form, *, slips: bool = True) -> bool:
    """Whether something written is this part of a name, give or take a slip of the thumb."""
    sense, part = form
    most = 0 if not slips or sense == _EXACT or len(part) <= _SHORTEST else 1 if len(part) < 8 else 2
    return any(
        OSA.distance(part, word, score_cutoff=most) <= most
        for length in range(len(part) - most, len(part) + most + 1)
        for word in written.get((sense, length), ())
    )


@lru_cache(maxsize=4096)
def _parts(name: str) -> _Parts:
    """What a name may be recognised by, by ear and by eye: each of its words that is long enough, and all of them
    together."""
    words = _without_titles(_words(_APOSTROPHES.sub("", _plain(name))))
    own = [word for word in words if word not in _KINDS] or ["".join(words)]
    whole = "".join(own)
    parts = [word for word in own if len(_sound(word)) >= _SHORTEST]
    if not whole:
        return _Parts((), ())
    whole_ = (*_forms(whole), (_EXACT, whole)) if len(_sound(whole)) >= _SHORTEST or not parts else ()
    return _Parts(tuple((*_forms(part), (_EXACT, part)) for part in dict.fromkeys(parts)), whole_)


def _windows(words: str) -> _Written:
    """Every word, and words that stand together as one, by ear and by eye, by their length."""
    plain = _plain(words)
    typed = _words(plain)
    common = _COMMON.intersection(typed)
    joined = {re.sub("[^a-z]", "", spelled) for spelled in _SPELLED.findall(plain)}
    joined.update(_together(typed, 2))  # a torn name may have a piece that looks like a title
    joined.update(_together(_without_titles(typed), 1))
    little = {"".join(some) for some in _windows_of(typed) if (_LITTLE | _COMMON).issuperset(some)}
    # Whoever is called just so is found; what merely looks like it is no name.
    common, joined = common | little, joined - little
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
    return ("".join(some) for some in _windows_of(words, least))


def _windows_of(words: list[str], least: int = 2) -> Iterator[list[str]]:
    for size in range(least, _WINDOW + 1):
        for at in range(len(words) - size + 1):
            yield words[at : at + size]


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
