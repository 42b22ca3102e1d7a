import unicodedata
from pathlib import Path

import gsm0338
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text import (
    Phrase,
    Words,
    clean,
    cut,
    offenders,
    read_catalogue,
    septets,
    to_ascii,
    to_gsm7,
)

CODEC = gsm0338.Codec()
ESCAPE = "\x1b"


def encoded(text: str) -> bytes | None:
    """What goes over the air, one byte a septet; nothing if a phone cannot show it."""
    try:
        return bytes(CODEC.encode(text)[0])
    except UnicodeEncodeError:
        return None


# Escape is in the table of the standard, but it is half a letter and not one.
PHONE_LETTERS = "".join(
    letter for letter in map(chr, range(0x3000)) if letter != ESCAPE and encoded(letter) is not None
)
FRENCH = "ÀÂÇÈÉÊËÎÏÔŒÙÛÜŸàâçèéêëîïôœùûüÿæÆ«»’“”–—…\u00a0\u202f°№"
LINGALA = "ɛɔŋƐƆŊáíóúâêîôûǎěǐǒǔɛ́ɔ̂"
phone_text = st.text(st.sampled_from(PHONE_LETTERS))
any_text = st.text() | st.text(st.sampled_from(PHONE_LETTERS + FRENCH + LINGALA + "e\u0301 \u200b\u202e\t"))


@given(phone_text)
def test_the_length_is_that_of_the_encoded_text(text: str) -> None:
    assert septets(text) == len(encoded(text) or b"")


def test_a_letter_outside_the_alphabet_counts_one() -> None:
    assert septets("ç🙂") == 2


@given(any_text)
def test_a_text_without_offenders_can_be_encoded_and_no_other_can(text: str) -> None:
    text = unicodedata.normalize("NFC", text).replace(ESCAPE, "")
    assert (offenders(text) == {}) == (encoded(text) is not None)


@given(any_text)
def test_replacing_makes_every_text_fit_for_a_phone(text: str) -> None:
    plain = to_gsm7(text)
    assert encoded(plain) is not None and ESCAPE not in plain
    assert to_gsm7(plain) == plain


@given(phone_text)
def test_what_a_phone_can_show_stays_as_it_is(text: str) -> None:
    assert to_gsm7(text) == text


@given(any_text)
def test_the_offenders_name_exactly_what_is_replaced(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    assert to_gsm7(text) == composed.translate({ord(a): b for a, b in offenders(text).items()})


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("ç ê â î ô û ë ï œ Œ", "c e a i o u e i oe OE"),
        ("À È Ê Ç É é è à ù", "A E E Ç É é è à ù"),
        ("« L’école »", '" L\'école "'),
        ("Où\u00a0? Là\u202f: 5 – 6 — 7…", "Où ? Là : 5 - 6 - 7..."),
        ("mɔ́tɔ na ɛ́lɔkɔ́, ŋombe", "moto na eloko, ngombe"),
        ("27 °C, 3 × 4, ½", "27 oC, 3 x 4, 1/2"),
        ("`a` ‹b› №5", "'a' 'b' No5"),
        ("pa\u00adni\u200ber\tet\u2028fin", "panier et fin"),
        ("e\u0301cole", "école"),
        ("🙂 中 한", "? ? ?"),
    ],
)
def test_the_replacement_is_what_a_reader_expects(typed: str, shown: str) -> None:
    assert to_gsm7(typed) == shown


def test_escape_is_never_sent_as_a_letter() -> None:
    assert offenders(f"a{ESCAPE}e") == {ESCAPE: ""}


@given(any_text)
def test_plain_letters_are_ascii_and_take_no_more_room(text: str) -> None:
    plain, seven = to_ascii(text), to_gsm7(text)
    assert plain.isascii()
    assert len(plain) == len(seven) and septets(plain) <= septets(seven)


def test_accents_of_the_french_texts_fold_to_their_letter() -> None:
    assert to_ascii("Éboulement, blessé grave, où, là, procès") == "Eboulement, blesse grave, ou, la, proces"


@given(phone_text, st.integers(-3, 40))
def test_a_cut_text_is_the_longest_beginning_that_fits(text: str, limit: int) -> None:
    start = cut(text, limit)
    assert text.startswith(start)
    assert septets(start) <= max(limit, 0)
    assert start == text or septets(text[: len(start) + 1]) > limit


def test_a_letter_of_two_septets_is_never_cut_in_half() -> None:
    assert cut("ab€", 3) == "ab"
    assert cut("€" * 81, 160) == "€" * 80


@given(any_text, st.integers(0, 50))
def test_a_cleaned_text_is_one_short_line_without_hidden_letters(text: str, most: int) -> None:
    line = clean(text, most)
    assert len(line) <= most
    assert not {unicodedata.category(letter) for letter in line} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert line == line.strip() and "  " not in line
    assert line == unicodedata.normalize("NFC", line)
    assert clean(line, most) == line
    line.encode()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  la  terre\r\n\test tombée ", "la terre est tombée"),
        ("\u202eeuq\u202c al\u200be\u0301", "euq alé"),
        ("a \u200b b", "a b"),
        ("pas\x00de\x1bnul", "pasdenul"),
        ("\ud83d seul", "seul"),
        ("\u200b\u2066", ""),
        ("*1*2#", "*1*2#"),
    ],
)
def test_what_a_caller_typed_is_kept_without_what_cannot_be_seen(typed: str, kept: str) -> None:
    assert clean(typed, 100) == kept


def test_a_long_text_is_cut_without_a_space_at_its_end() -> None:
    assert clean("mot apres", 4) == "mot"


HEADER = """msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=2; plural={plural};\\n"

"""


def catalogue(body: str, language: str = "ln", plural: str = "(n > 1)") -> str:
    return HEADER.format(language=language, plural=plural) + body


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "phone.po"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_catalogue_is_read_by_context_and_source_text(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        catalogue(
            "# mark: b\n"
            'msgctxt "home"\n'
            'msgid ""\n"Menu\\n"\n"1 \\"Help\\""\n'
            'msgstr ""\n"Menu\\n"\n"1 \\"Lisungi\\""\n'
            "\n"
            '#, fuzzy\nmsgid "Back"\nmsgstr "Zonga"\n'
            "\n"
            'msgid "New"\nmsgstr ""\n'
            "\n"
            'msgid "one day"\nmsgid_plural "%(n)s days"\nmsgstr[0] "mokolo"\nmsgstr[1] "mikolo"\n'
            "\n"
            '#~ msgid "Old"\n#~ msgstr "Kala"\n'
        ),
    )
    assert read_catalogue(path) == {
        ("home", 'Menu\n1 "Help"'): Phrase('Menu\n1 "Lisungi"', 9, False),
        (None, "Back"): Phrase("Zonga", 17, True),
        (None, "New"): Phrase("", 20, False),
        (None, "one day"): Phrase("mokolo", 23, False),
    }


def test_a_catalogue_saved_on_windows_reads_the_same(tmp_path: Path) -> None:
    text = catalogue('msgid "Back"\nmsgstr "Zonga"\n').replace("\n", "\r\n")
    path = written(tmp_path, b"\xef\xbb\xbf" + text.encode())
    assert read_catalogue(path)[None, "Back"].text == "Zonga"


@pytest.mark.parametrize(
    ("body", "place", "problem"),
    [
        ('msgid "Back"\nmsgstr "Zonga\n', ":8: ", "not a line of a catalogue"),
        ('msgid "Back"\nmsgstr "Zo"nga"\n', ":8: ", "not a line of a catalogue"),
        ("<<<<<<< ours\n", ":7: ", "not a line of a catalogue"),
        ('msgid "Back"\n\nmsgid "More"\nmsgstr "Misusu"\n', ":7: ", "missing msgstr"),
        ('msgid "A"\nmsgstr "1"\n\nmsgid "A"\nmsgstr "2"\n', ":10: ", "the same phrase twice"),
        ('msgid "A"\nmsgid_plural "B"\nmsgstr[7] "x"\n', ":7: ", "more translations"),
    ],
)
def test_an_unsound_catalogue_is_refused_with_its_line(
    tmp_path: Path, body: str, place: str, problem: str
) -> None:
    path = written(tmp_path, catalogue(body))
    with pytest.raises(ValueError, match=problem) as refused:
        read_catalogue(path)
    assert str(refused.value).startswith(f"{path}{place}")


@pytest.mark.parametrize(
    "text",
    [
        b'msgid "a"\nmsgstr "\xe9"\n',
        '"lost"\n',
        'msgid ""\nmsgstr ""\n"PO-Revision-Date: yesterday\\n"\n',
        'msgid ""\nmsgstr ""\n"Plural-Forms: nplurals=two\\n"\n',
    ],
)
def test_a_broken_catalogue_is_refused_with_its_name(tmp_path: Path, text: str | bytes) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=r"phone\.po"):
        read_catalogue(path)


def test_a_missing_catalogue_is_told_apart_from_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_catalogue(tmp_path / "phone.po")


def locales(folder: Path, **bodies: str) -> Path:
    for language, body in bodies.items():
        path = folder / language / "LC_MESSAGES" / "web.po"
        path.parent.mkdir(parents=True)
        path.write_text(body, "utf-8")
    return folder


@pytest.fixture
def words(tmp_path: Path) -> Words:
    return Words.load(
        locales(
            tmp_path,
            fr=catalogue(
                'msgid "Reports"\nmsgstr "Signalements"\n\n'
                'msgid "Duty"\nmsgstr "Garde"\n\n'
                'msgctxt "verb"\nmsgid "Close"\nmsgstr "Fermer"\n\n'
                'msgid "one day"\nmsgid_plural "%(n)s days"\n'
                'msgstr[0] "%(n)s jour"\nmsgstr[1] "%(n)s jours"\n\n'
                'msgid "one key"\nmsgid_plural "%(n)s keys"\nmsgstr[0] "une"\nmsgstr[1] "des"\n',
                "fr",
            ),
            ln=catalogue(
                'msgid "Reports"\nmsgstr "Makambo"\n\n'
                'msgid "one day"\nmsgid_plural "%(n)s days"\nmsgstr[0] "mokolo"\nmsgstr[1] "mikolo"\n\n'
                'msgid "one key"\nmsgid_plural "%(n)s keys"\nmsgstr[0] "fungola"\nmsgstr[1] ""\n\n'
                '#, fuzzy\nmsgid "Duty"\nmsgstr "Mosala"\n'
            ),
            sw_CD=catalogue(
                'msgid "one day"\nmsgid_plural "%(n)s days"\nmsgstr[0] "siku 1"\nmsgstr[1] "siku"\n',
                "sw_CD",
                "(n != 1)",
            ),
            xx='msgid "broken\n',
        )
    )


@pytest.mark.parametrize(
    ("language", "msgid", "shown"),
    [
        ("ln", "Reports", "Makambo"),
        ("sw_CD", "Reports", "Signalements"),
        ("en", "Reports", "Reports"),
        ("ln", "Duty", "Garde"),
        ("ln", "Never translated", "Never translated"),
        ("fr", "Never translated", "Never translated"),
        ("nobody's", "Reports", "Signalements"),
        ("xx", "Reports", "Signalements"),
        ("fr", "", ""),
    ],
)
def test_a_missing_text_comes_from_french_and_then_from_the_source(
    words: Words, language: str, msgid: str, shown: str
) -> None:
    assert words.gettext(language, msgid) == shown


@pytest.mark.parametrize(
    ("language", "n", "shown"),
    [
        ("fr", 0, "%(n)s jour"),
        ("fr", 2, "%(n)s jours"),
        ("ln", 0, "mokolo"),
        ("ln", 2, "mikolo"),
        ("sw_CD", 0, "siku"),
        ("sw_CD", 1, "siku 1"),
        ("en", 0, "%(n)s days"),
        ("en", 1, "one day"),
    ],
)
def test_a_number_takes_the_form_of_its_language(words: Words, language: str, n: int, shown: str) -> None:
    assert words.ngettext(language, "one day", "%(n)s days", n) == shown


def test_a_half_translated_plural_comes_whole_from_french(words: Words) -> None:
    assert [words.ngettext("ln", "one key", "%(n)s keys", n) for n in (1, 2)] == ["une", "des"]


def test_a_text_with_a_context_is_found_by_it_alone(words: Words) -> None:
    assert words.pgettext("ln", "verb", "Close") == "Fermer"
    assert words.pgettext("ln", "adjective", "Close") == "Close"
    assert words.gettext("fr", "Close") == "Close"


def test_a_broken_catalogue_is_left_out_and_named(words: Words, tmp_path: Path) -> None:
    assert words.problems == (f"{tmp_path / 'xx/LC_MESSAGES/web.po'}:1: not a line of a catalogue",)


def test_without_any_catalogue_every_text_is_the_source(tmp_path: Path) -> None:
    words = Words.load(tmp_path / "nowhere")
    assert words.problems == ()
    assert words.gettext("fr", "Reports") == "Reports"
    assert words.ngettext("ln", "one day", "%(n)s days", 2) == "%(n)s days"
    assert words.pgettext("sw_CD", "verb", "Close") == "Close"
