"""Exclusions: whoever is named, however it is spelled, hears nothing, nor theirs; and words that name nobody take
nobody away."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.casework import exclusion
from gateway.casework.caseworker import Person, Role
from gateway.casework.organisation import Kind, Row

ORGANISATIONS = (
    Row(1, "Coopérative Minière Upepo", Kind.COOPERATIVE, ("COOMIUP",)),
    Row(2, "Société Kisima Mining", Kind.COOPERATIVE, ()),
    Row(3, "Comptoir Almasi", Kind.BUYER_COMPANY, ("Maison Dhahabu",)),
    Row(4, "Brigade Umeme", Kind.POLICE_ARMY_GUARD, ()),
    Row(5, "Service Chemchemi", Kind.MINE_SERVICE, ()),
    Row(6, "Nyota Bahari", Kind.INDEPENDENT, ("Angaza",)),
    Row(7, "Bureau Mwezini", Kind.INDEPENDENT, ()),
)
STAFF = (
    # Words for animals and plants in Swahili and Lingala: nobody is called so. Then aliases, for whom, under whom.
    (1, "Twiga Mkorosho", ("Madoadoa",), 1, None),
    (2, "Kipepeo Mzeituni", ("Ya Bawabawa",), 1, 1),
    (3, "Sungura Mlimau", ("Masikio",), 6, 2),
    (4, "Kunguru Msonobari", ("Manyoya",), 2, None),
    (5, "Kinyonga Muarobaini", ("Rangi Saba",), 6, 4),
    (6, "Konokono Mchungwa", ("Polepole",), 7, 5),
    (7, "Kasuku Mnazini", ("Mdomoni",), 3, None),
    (8, "Kiboko Mwembeni", ("Bwawani",), 6, 7),
    (9, "Ndovu Mbuyuni", ("Mkonga",), 3, None),
    (10, "Farasi Mgunga", ("Kwatoni",), 4, None),
    (11, "Mbweha Mperani", ("Mkiamkia",), 4, 10),
    (12, "Ng'ombe Mparachichi", ("Pembezoni",), 5, None),
    (13, "Nyuki Mdalasini", ("Bustani",), 5, 12),
    (14, "Samaki Mpapai", ("Magamba",), 6, None),
    (15, "Mboloko Nzete", ("Mapeka",), 6, 14),
    (16, "Makako Lilala", ("Mpungampunga",), 7, None),
    (17, "Nkoyi Matembele", ("Makilani",), 7, 16),
    (18, "Ngando Likemba", ("Minomino",), 6, None),
    (19, "Panzi Zabibu", ("Rukaruka",), 7, None),
    (20, "Kerengende Fenesi", ("Miguu Mia",), 6, 9),
)
PEOPLE = tuple(
    Person(
        id_,
        name,
        Role.CASE_WORKER,
        True,
        "fr",
        frozenset(),
        frozenset(),
        frozenset(),
        None,
        None,
        works_for,
        ORGANISATIONS[works_for - 1].kind,
        under,
        aliases,
    )
    for id_, name, aliases, works_for, under in STAFF
)
BY_ID = {one.id: one for one in PEOPLE}


def theirs(*named: int, organisations: frozenset[int] = frozenset()) -> set[int]:
    """Who must not hear of it, found the other way round: whoever has somebody of those above them."""
    accused = organisations | {BY_ID[person].organisation for person in named}

    def is_below(person: Person) -> bool:
        above: Person | None = person
        while above is not None:
            if above.id in named or above.organisation in accused:
                return True
            above = BY_ID.get(above.supervisor or 0)
        return False

    return {person.id for person in PEOPLE if is_below(person)}


def found(words: str) -> set[int]:
    return set(exclusion.by_words(PEOPLE, ORGANISATIONS, words).all)


# How people write a name. None of this looks at how the screening reads one.

Spell = Callable[[str], Iterator[str]]


def swapped(word: str, *pairs: tuple[str, str]) -> Iterator[str]:
    """Each of the pairs in its turn, then all of them."""
    for one, other in pairs:
        if one in word:
            yield word.replace(one, other)
    for one, other in pairs:
        word = word.replace(one, f"\0{other}\0") if "\0" not in one else word
    yield word.replace("\0", "")


def capitals(word: str) -> Iterator[str]:
    yield word.upper()
    yield word.lower()
    yield "".join(letter.upper() if at % 2 else letter.lower() for at, letter in enumerate(word))


def accents(word: str) -> Iterator[str]:
    yield from swapped(word.lower(), ("a", "à"), ("e", "é"), ("i", "î"), ("o", "ɔ"), ("u", "ü"), ("e", "ɛ"))


def doubled(word: str) -> Iterator[str]:
    word = word.lower()
    for at in range(1, len(word)):
        yield word[: at + 1] + word[at:]


def hard(word: str) -> Iterator[str]:
    word = word.lower()
    if "ch" not in word:
        yield from swapped(word, ("c", "k"), ("k", "c"))
    yield from swapped(word, ("k", "q"), ("k", "ck"), ("ki", "qui"), ("ke", "que"), ("ka", "qua"))


def round_(word: str) -> Iterator[str]:
    yield from swapped(word.lower(), ("w", "u"), ("w", "ou"))
    yield from swapped(word.lower(), ("u", "ou"))
    yield from swapped(word.lower(), ("u", "w"), ("oo", "u"))


def thin(word: str) -> Iterator[str]:
    yield from swapped(word.lower(), ("y", "i"), ("j", "y"))
    yield from swapped(word.lower(), ("y", "j"), ("i", "y"))
    yield from swapped(word.lower(), ("i", "j"), ("j", "dj"))


def hissing(word: str) -> Iterator[str]:
    word = word.lower()
    yield from swapped(word, ("s", "z"), ("z", "s"))
    yield from swapped(word, ("sh", "ch"), ("ch", "tsh"), ("ch", "tch"), ("ph", "f"), ("f", "ph"))


def missing(word: str) -> Iterator[str]:
    word = word.lower()
    yield from (word[:at] + word[at + 1 :] for at in range(len(word)))


KEYPAD = ("abc", "def", "ghi", "jkl", "mno", "pqrs", "tuv", "wxyz")


def wrong(word: str) -> Iterator[str]:
    """Pressed once too often, or once too little, on the keys of a telephone."""
    word = word.lower()
    for at, letter in enumerate(word):
        for key in KEYPAD:
            if letter in key:
                other = key[(key.index(letter) + 1) % len(key)]
                yield word[:at] + other + word[at + 1 :]


def crossed(word: str) -> Iterator[str]:
    word = word.lower()
    for at in range(len(word) - 1):
        if word[at] != word[at + 1]:
            yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def torn(word: str) -> Iterator[str]:
    for at in range(1, len(word)):
        yield f"{word[:at]} {word[at:]}"
        yield f"{word[:at]}-{word[at:]}"
    for one, other in itertools.combinations(range(1, len(word)), 2):
        yield f"{word[:one]} {word[one:other]} {word[other:]}"
        yield f"{word[:one]}-{word[one:other]}-{word[other:]}"


def digits(word: str) -> Iterator[str]:
    yield from swapped(word.lower(), ("o", "0"), ("i", "1"), ("e", "3"), ("a", "4"), ("s", "5"), ("a", "@"))


def titled(word: str) -> Iterator[str]:
    for title in ("Mr", "M.", "Mme", "Papa", "Mama", "Maman", "Ya", "Chef", "Dr", "Directeur", "Conseiller"):
        yield f"{title} {word}"
    yield f"papa{word.lower()}"
    yield f"chef {word.lower()} chef"


def spelled_out(word: str) -> Iterator[str]:
    yield " ".join(word)
    yield ".".join(word.upper())


SENTENCES = (
    "C'est {} qui a pris mon argent hier soir",
    "le travail de nuit, {}, trois enfants.",
    "On m'a dit que c'etait pour {}",
    "J'ai peur d'{}!",
    "Alinipiga jana usiku, ni {}",
    "Ni {} ndiye aliyechukua pesa yetu",
    "watoto wanafanya kazi kwa {} kila siku",
    "Azali {} nde azwaki mbongo na biso",
    "Nazali kobanga {}",
    "{} abeti ngai lobi na pokwa",
)


def in_a_sentence(word: str) -> Iterator[str]:
    for sentence in SENTENCES:
        yield sentence.format(word)
        yield sentence.format(word.lower()).upper()


ALONE: tuple[Spell, ...] = (
    capitals, accents, doubled, hard, round_, thin, hissing, missing, wrong, crossed, torn, digits, titled,
    spelled_out, in_a_sentence,
)  # fmt: skip


def letter_for_letter(word: str) -> Iterator[str]:
    word = word.lower()
    yield from swapped(word, ("k", "c"), ("i", "y"), ("s", "z"), ("w", "u"))
    yield from swapped(word, ("k", "q"), ("i", "j"), ("u", "w"), ("y", "i"))


SOUND: tuple[Spell, ...] = (capitals, accents, letter_for_letter, digits)
SLIPS: tuple[Spell, ...] = (doubled, missing, wrong, crossed)
SPELLINGS = 50


def whole(name: str, aliases: tuple[str, ...]) -> Iterator[str]:
    """What is done to a name as a whole."""
    first, last = name.split()
    yield name
    yield f"{last} {first}"
    yield f"{first}{last}".lower()
    yield f"{last}-{first}"
    yield first
    yield last
    for alias in aliases:
        yield alias
        yield alias.upper()
        yield f"on l'appelle {alias.lower()} ici"


def spellings(name: str, aliases: tuple[str, ...]) -> list[str]:
    """Fifty: all that is done to the whole, then every rule in turn, each at a place that chance chooses but the
    same every time, to the first part, the last part or both."""
    chance = random.Random(name)
    first, last = name.split()
    made = dict.fromkeys(whole(name, aliases))
    for rule in itertools.cycle(ALONE):
        part = chance.choice([first, last])
        candidates = [one for one in rule(part) if one not in made]
        if candidates:
            made[chance.choice(candidates)] = None
        if len(made) == SPELLINGS:
            return list(made)
    raise AssertionError("cycle never ends")


@pytest.mark.parametrize(
    ("person", "name", "aliases"), [(id_, name, aliases) for id_, name, aliases, *_ in STAFF], ids=lambda one: one
)
def test_however_a_name_is_spelled_it_takes_that_person_and_all_who_are_theirs(
    person: int, name: str, aliases: tuple[str, ...]
) -> None:
    written = spellings(name, aliases)
    assert len(set(written)) == SPELLINGS
    assert [one for one in written if not theirs(person) <= found(one)] == []
    for one in whole(name, aliases):
        assert found(one) == theirs(person), "and nobody else's"


@pytest.mark.parametrize("rule", ALONE, ids=lambda rule: rule.__name__)
def test_no_place_in_a_name_is_safe_from_any_rule(rule: Spell) -> None:
    """Every spelling of a rule, not only the fifty: each letter missing, each pair swapped, each tear."""
    missed = [
        one
        for person, name, *_ in STAFF
        for part in name.split()
        for one in rule(part)
        if not theirs(person) <= found(one)
    ]
    assert missed == []


@given(data=st.data())
def test_a_name_written_by_ear_with_a_slip_of_the_thumb_in_a_sentence_is_caught(data: st.DataObject) -> None:
    person, name, *_ = data.draw(st.sampled_from(STAFF))
    part = data.draw(st.sampled_from([part for part in name.split() if len(part) >= 6]))
    slipped = data.draw(st.sampled_from(list(data.draw(st.sampled_from(SLIPS))(part))))
    # The slip first, then one letter for another: a slip that makes or breaks an `ou` is two.
    by_ear = data.draw(st.sampled_from([*data.draw(st.sampled_from(SOUND))(slipped), slipped]))
    sentence = data.draw(st.sampled_from(SENTENCES)).format(by_ear)
    assert theirs(person) <= found(sentence), sentence


@given(words=st.text(max_size=160))
def test_whatever_is_typed_is_screened_without_failing(words: str) -> None:
    assert found(words) <= set(BY_ID)


@pytest.mark.parametrize(
    ("organisation", "words"),
    [
        (1, "la cooperative oupepo nous vole"),
        (1, "Upeppo"),
        (1, "ba kopelative batiki te"),
        (1, "COOMIUP"),
        (1, "C.O.O.M.I.U.P."),
        (2, "kisyma"),
        (2, "ku Kissima Mining"),
        (3, "le comptoire"),
        (3, "almazi"),
        (3, "maison d'habu"),
        (3, "dahabu"),
        (4, "ba brigade ya oumeme"),
        (5, "chem chemi"),
        (5, "tshemtshemi"),
        (6, "niota baari"),
        (6, "angasa"),
        (7, "mwe zini"),
    ],
)
def test_an_organisation_that_is_named_takes_all_its_people_and_whoever_answers_to_them(
    organisation: int, words: str
) -> None:
    assert found(words) == theirs(organisations=frozenset({organisation}))


def test_what_anybody_says_of_a_mine_names_no_organisation() -> None:
    """Only what is its own: every name holds such a word, and every story does."""
    assert found("la société minière, le service des mines, le bureau du site, mining company") == set()


def test_an_organisation_of_such_words_alone_is_named_by_all_of_them_together() -> None:
    service = Row(8, "Service des Mines", Kind.MINE_SERVICE, ())
    worker = one(1, organisation=8, kind=Kind.MINE_SERVICE)
    assert exclusion.by_words([worker], [service], "les gens du service des mines").all == {1}
    assert exclusion.by_words([worker], [service], "mon service dans les mines").all == set()


def one(
    id_: int,
    *,
    name: str = "Nobody",
    organisation: int | None = None,
    kind: Kind | None = Kind.INDEPENDENT,
    supervisor: int | None = None,
) -> Person:
    """Somebody of whom nothing else matters."""
    nothing: frozenset[str] = frozenset()
    return Person(
        id_,
        name,
        Role.CASE_WORKER,
        True,
        "fr",
        nothing,
        frozenset(),
        nothing,
        None,
        None,
        organisation,
        kind if organisation is not None else None,
        supervisor,
    )


def test_two_who_are_named_take_the_people_of_both() -> None:
    assert found("ni Twiga na Kunguru") == theirs(1, 4)


def test_a_name_with_an_apostrophe_is_found_with_and_without_one() -> None:
    for words in ("ng'ombe", "ngombe", "ng’ombe", "NG OMBE", "d'ngombe", "c'est l’ng’ombe"):
        assert found(words) == theirs(12), words


def test_a_torn_name_whose_piece_looks_like_a_title_is_found() -> None:
    farmer = one(1, name="Mamazizi Yangumi", organisation=1)
    for words in ("mama zizi", "ya ngumi", "Mme Mama-zizi"):
        assert exclusion.by_words([farmer], [], words).all == {1}, words


def test_a_short_part_of_a_name_is_found_as_it_is_and_not_with_a_slip() -> None:
    """One letter of four is too much: every other word would be somebody."""
    short = one(1, name="Paka Mti", organisation=1)
    assert exclusion.by_words([short], [], "ni Paka").all == {1}
    assert exclusion.by_words([short], [], "ni paca").all == {1}
    assert exclusion.by_words([short], [], "mti, pata, taka, pka").all == set()


def test_a_name_of_short_words_is_found_when_they_stand_together() -> None:
    short = one(1, name="Ua Bo", organisation=1)
    assert exclusion.by_words([short], [], "chez ua bo").all == exclusion.by_words([short], [], "wabo").all == {1}
    assert exclusion.by_words([short], [], "ua la bo").all == set()


def test_a_name_without_a_letter_is_found_nowhere() -> None:
    assert exclusion.by_words([one(1, name="—", organisation=1)], [], "— - 12 ? nani").all == set()


ORDINARY = """\
Mon enfant de neuf ans porte les sacs toute la journée
On ne nous a pas payé depuis trois semaines
Il y a des fissures dans le puits et personne ne vient
Deux hommes sont sous la terre depuis ce matin
L'eau de la rivière est devenue rouge, les poissons meurent
Ils ont battu mon frère à l'entrée du site
La balance est fausse, ils volent sur chaque sac
Une femme a été violée près du dépôt la nuit
Ma fille ne va plus à l'école, elle lave les minerais
Les soldats demandent de l'argent à la barrière
Nous creusons sans casque et sans corde
Le prix a changé sans qu'on nous le dise
Il m'a menacé avec un couteau parce que j'ai parlé
Notre maison a été détruite pour agrandir la carrière
Je ne sais pas son nom, il porte une chemise bleue
On a enterré quelqu'un hier, il avait seize ans
La poussière rend malade les bébés du village
Mon mari n'est pas rentré du trou depuis hier
Ils nous obligent à travailler le dimanche
Venez vite, la galerie va tomber
Mtoto wangu wa miaka tisa anabeba mifuko siku nzima
Hatujalipwa tangu wiki tatu
Kuna nyufa ndani ya shimo na hakuna mtu anakuja
Wanaume wawili wako chini ya udongo tangu asubuhi
Maji ya mto yamekuwa mekundu, watu wanaumwa
Walimpiga ndugu yangu kwenye mlango wa mgodi
Mizani ni ya uongo, wanaiba kila mfuko
Mwanamke alibakwa usiku karibu na soko
Binti yangu haendi tena shuleni, anaosha mawe
Askari wanaomba pesa kwenye kizuizi
Tunachimba bila kofia na bila kamba
Bei imebadilika bila kutuambia
Alinitisha kwa kisu kwa sababu nilisema
Nyumba yetu ilibomolewa ili kupanua mgodi
Sijui jina lake, amevaa shati la bluu
Tumezika mtu jana, alikuwa na miaka kumi na sita
Vumbi linaleta ugonjwa kwa watoto wa kijiji
Bwana yangu hajarudi kutoka shimoni tangu jana
Wanatulazimisha kufanya kazi siku ya Mungu
Kujeni haraka, shimo litaanguka, tumbo inaniuma
Mwana na ngai ya mibu libwa amemaka basaki mokolo mobimba
Bafuti biso te banda mposo misato
Libulu ezali kopasuka mpe moto moko te azoya
Mibali mibale bazali na nse ya mabele banda ntongo
Mai ya ebale ekomi motane, bato bazali kobela
Babetaki ndeko na ngai na ekuke ya libulu
Emekelo ezali ya lokuta, bazali koyiba na saki nyonso
Basangisaki mwasi na makasi na butu
Mwana na ngai ya mwasi akendaka lisusu kelasi te
Basoda bazali kosenga mbongo na nzela
Tozali kotimola kozanga ekoti mpe nsinga
Ntalo ebongwani kozanga koyebisa biso
Abangisaki ngai na mbeli mpo nalobaki
Ndako na biso babukaki mpo na kobakisa libulu
Nayebi nkombo na ye te, alati simisi ya bule
Tokundaki moto lobi, azalaki na mibu zomi na motoba
Putulu ezali kopesa bana ya mboka maladi
Mobali na ngai azongi na libulu te banda lobi
Bazali kotinda biso kosala mokolo ya lomingo
Boya noki, mabele ekokwea, nazali na nzala""".splitlines()


@pytest.mark.parametrize("words", ORDINARY)
def test_what_names_nobody_takes_nobody_away(words: str) -> None:
    assert found(words) == set()


@given(words=st.permutations(sorted({word for line in ORDINARY for word in line.split()})))
def test_nor_do_the_same_words_in_another_order_take_most_people_away(words: list[str]) -> None:
    """Some of them together may look like a name; a message is 160 letters long."""
    assert len(ORDINARY) == 60
    assert len(found(" ".join(words)[:160])) <= len(PEOPLE) / 2


# Answers, and what follows from whom.


@pytest.mark.parametrize(
    ("accused", "organisations"),
    [
        ("cooperative", {1, 2}),
        ("pit_boss", {1, 2}),
        ("buyer_company", {3}),
        ("police_army_guard", {4}),
        ("mine_service", {5}),
        # A complaint about a case worker moves to the integrity lane as a whole; the others name none of ours.
        ("ngo_caseworker", set()),
        ("family", set()),
        ("not_known", set()),
        ("independent", set()),
        ("", set()),
        ("anything else", set()),
    ],
)
def test_an_answer_takes_every_organisation_of_its_kind(accused: str, organisations: set[int]) -> None:
    expected = theirs(organisations=frozenset(organisations)) if organisations else set()
    assert exclusion.by_answer(PEOPLE, accused) == expected


def test_as_long_as_nobody_is_accused_only_independent_people_hear_of_it() -> None:
    left_out = exclusion.dependent(PEOPLE)
    assert left_out == theirs(organisations=frozenset({1, 2, 3, 4, 5}))
    hearing = [person for person in PEOPLE if person.id not in left_out]
    assert {person.kind for person in hearing} == {Kind.INDEPENDENT}
    assert 3 in left_out, "independent, but answers to the cooperative"
    assert 6 in left_out, "and so does whoever answers to somebody who answers to it"


def test_whoever_belongs_to_no_organisation_is_dependent_until_placed_and_takes_nobody_along() -> None:
    people = [one(1, name="Twiga"), one(2), one(3, supervisor=1)]
    assert exclusion.dependent(people) == {1, 2, 3}
    assert exclusion.by_words(people, [], "twiga").all == {1, 3}, "not everybody else without one"


def test_whom_somebody_answers_to_in_another_organisation_still_hears_of_it() -> None:
    """Exclusion goes down a line, never up: else naming anybody would empty the house."""
    left_out = found("Sungura")
    assert left_out == theirs(3)
    assert not left_out & {1, 2}
    above = [one(1, organisation=1), one(2, organisation=2, supervisor=1), one(3, organisation=3, supervisor=2)]
    assert exclusion.under(above, {3}, ()) == {3}
    assert exclusion.under(above, {2}, ()) == {2, 3}
    assert exclusion.under(above, {1}, ()) == {1, 2, 3}


def test_whom_somebody_answers_to_in_their_own_organisation_does_not() -> None:
    inside = [one(1, organisation=1), one(2, organisation=1, supervisor=1), one(3, organisation=2)]
    assert exclusion.under(inside, {2}, ()) == {1, 2}


@given(
    above=st.lists(st.integers(min_value=0, max_value=7) | st.none(), min_size=8, max_size=8),
    works_for=st.lists(st.integers(min_value=1, max_value=4) | st.none(), min_size=8, max_size=8),
    accused=st.sets(st.integers(min_value=0, max_value=7)),
    organisations=st.sets(st.integers(min_value=1, max_value=5)),
)
def test_circles_end_and_everything_that_follows_is_there_and_nothing_else(
    above: list[int | None], works_for: list[int | None], accused: set[int], organisations: set[int]
) -> None:
    """Nobody can save a circle; whoever writes one into the table must not stop the house."""
    people = [one(id_, organisation=works_for[id_], supervisor=above[id_]) for id_ in range(8)]
    left_out = exclusion.under(people, accused, organisations)
    named = organisations | {works_for[id_] for id_ in accused} - {None}

    def reaches(person: int) -> bool:
        walked: set[int] = set()
        at: int | None = person
        while at is not None and at not in walked:
            if at in accused or works_for[at] in named:
                return True
            walked.add(at)
            at = above[at]
        return False

    assert left_out == {id_ for id_ in range(8) if reaches(id_)}


# How sure it is, and that somebody is left.

GIVEN = (
    "Jean", "Jeanne", "Marie", "Joseph", "Joséphine", "Pierre", "Paul", "Pauline", "Christian", "Christine",
    "Patrick", "Patience", "Espérance", "Grâce", "Rose", "Ange", "Dieudonné", "Fidèle", "Noël", "Pascal", "Serge",
    "Sylvie", "Thérèse", "Véronique", "Benjamin", "Emmanuel", "Gloire", "Merveille", "Trésor", "Banze",
)  # fmt: skip
"""Words that many are called by; a word alone names nobody."""


def test_in_an_ordinary_sentence_a_common_given_name_is_found_where_it_stands_and_nowhere_else() -> None:
    for name in GIVEN:
        person = one(1, name=f"{name} Mkorosho", organisation=1)
        for sentence in ORDINARY:
            stands = exclusion._plain(name) in exclusion._words(exclusion._plain(sentence))
            assert bool(exclusion.by_words([person], [], sentence).all) is stands, (name, sentence)
    for name, sentence in (
        ("Marie", "Mon mari n'est pas rentré du puits"),
        ("Jeanne", "Je ne sais pas où il est"),
        ("Banze", "Sa mère est partie à la banque"),
    ):
        person = one(1, name=f"{name} Mkorosho", organisation=1)
        assert exclusion.by_words([person], [], sentence).all == set()
        assert exclusion.by_words([person], [], f"{sentence}, chez {name.upper()}").all == {1}


def test_a_given_name_that_is_also_a_word_is_found_as_it_is() -> None:
    for name in ("Pierre", "Rose", "Grâce"):
        person = one(1, name=f"{name} Mkorosho", organisation=1)
        assert exclusion.by_words([person], [], f"la {name.lower()} est là").all == {1}
        assert exclusion.by_words([person], [], f"des {name.lower()}s sont là").all == set()


@pytest.mark.parametrize(
    ("words", "sure"),
    [
        ("le petit twiga est coincé", False),
        ("twiga na mkorosho", True),
        ("Twiga Mkorosho", True),
        ("twigamkoroso", True),
        ("mkorosho, je crois que c'est twiga", True),
        ("mkoroso, twiqa", False),
        ("c'est madoadoa", True),
        ("c'est madoado", False),
    ],
)
def test_one_word_of_a_name_or_a_slip_is_likely_and_two_words_or_an_other_name_are_sure(
    words: str, sure: bool
) -> None:
    named = exclusion.by_words(PEOPLE, ORGANISATIONS, words)
    assert 1 in named.all
    assert (1 in named.sure) is sure
    assert named.sure <= named.all


def test_when_nobody_who_decides_would_be_left_an_officer_of_whom_it_is_not_sure_stays() -> None:
    everybody, sure = frozenset({1, 2, 3, 4, 5}), frozenset({1, 4})
    named = exclusion.Named(everybody, sure)
    assert named.sparing([(2, False), (3, True), (6, True)]) == {1, 2, 3, 4, 5}, "somebody else decides"
    assert named.sparing([(2, False), (3, True)]) == {1, 2, 4, 5}
    assert named.sparing([(2, False), (4, True)]) == {1, 3, 4, 5}, "of the officer it is sure"
    assert named.sparing([(4, True), (1, False)]) == {1, 2, 3, 4, 5}, "and those stay out whatever comes"
    assert named.sparing([]) == {1, 2, 3, 4, 5}
