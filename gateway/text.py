"""Words: the letters a basic phone can show, what a caller typed, and translated texts.

The alphabet is GSM 03.38 (3GPP TS 23.038, section 6.2.1) with its extension table. Lengths are septets.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, PoFileParser

_EXTENSION = "\f^{}\\[~]|€"
_ALPHABET = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà" + _EXTENSION
)
NUMBER = re.compile(r"\d(?:[ .+-]*\d){6,}")
"""What may be somebody's telephone number, however it is written."""
_TWO_SEPTETS = re.compile(f"[{re.escape(_EXTENSION)}]")
_OUTSIDE = re.compile(f"[^{re.escape(''.join(sorted(_ALPHABET)))}]")

# Only what Unicode cannot take apart by itself; `ç`, `ê`, `…`, `№`, no-break spaces need no line here.
_REPLACED = {
    **dict.fromkeys("‘’‚‛′‹›ʼʹ`´", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−•·", "-"),
    "œ": "oe",
    "Œ": "OE",
    "ɛ": "e",
    "Ɛ": "E",
    "ɔ": "o",
    "Ɔ": "O",
    "ŋ": "ng",
    "Ŋ": "Ng",
    "ɓ": "b",
    "Ɓ": "B",
    "ɗ": "d",
    "Ɗ": "D",
    "đ": "d",
    "Đ": "D",
    "ı": "i",
    "ł": "l",
    "Ł": "L",
    "°": "o",
    "º": "o",
    "×": "x",
    "⁄": "/",
}

# One letter for one letter, so that a screen that fits in GSM 03.38 also fits in ASCII.
_ASCII = str.maketrans(
    "£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà€",
    "LYeeuioCOoAaDFGLOPPSTXAasE?!AONUS?aonuaE",
)

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co"})
_MARKS = frozenset({"Mn", "Mc", "Me"})

# What Babel takes for granted: it drops the last letter of a text whose closing quote is missing.
_PO_LINE = re.compile(r'(?:(?:msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) )?"(?:[^"\\]|\\.)*"')


def septets(text: str) -> int:
    """The length of `text` on a phone: one septet a letter, two for a letter of the extension table.

    A letter outside the alphabet counts one and is no error: ask `offenders`, or pass text through `to_gsm7`.
    """
    return len(text) + len(_TWO_SEPTETS.findall(text))


def offenders(text: str) -> dict[str, str]:
    """The letters of `text` that a basic phone cannot show, each with what to write in its place.

    The text is composed (NFC) first, so `e` with a combining acute accent is the `é` that phones have.
    A replacement may be empty (marks and letters that show nothing) and is `?` where there is no better one.
    Escape (U+001B) is an offender although the standard lists it: alone it would swallow the next letter.
    """
    return {letter: _replacement(letter) for letter in _OUTSIDE.findall(unicodedata.normalize("NFC", text))}


def to_gsm7(text: str) -> str:
    """`text` with every offender replaced; what phones have stays as it is. It may become longer (`œ`)."""
    return _OUTSIDE.sub(lambda match: _replacement(match[0]), unicodedata.normalize("NFC", text))


def to_ascii(text: str) -> str:
    """`text` for a network that garbles accents: GSM 03.38 first, then one plain letter for one letter.

    Never longer than `to_gsm7(text)`, in letters or in septets.
    """
    return to_gsm7(text).translate(_ASCII)


def cut(text: str, limit: int) -> str:
    """The longest beginning of `text` (GSM 03.38) that has at most `limit` septets."""
    start = text[: max(limit, 0)]
    over = septets(start) - limit
    while start and over > 0:
        over -= septets(start[-1])
        start = start[:-1]
    return start


def clean(text: str, most: int) -> str:
    """What a caller typed, fit to be kept and shown: at most `most` letters on one line.

    Composed (NFC); control, bidirectional, zero-width and private letters and broken surrogates are dropped,
    runs of white space become one space and none stands at an end. Nothing is refused.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(
            " " if letter.isspace() else letter
            for letter in text
            if letter.isspace() or unicodedata.category(letter) not in _UNSEEN
        )
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.split())[:most].rstrip()


@dataclass(frozen=True, slots=True)
class Phrase:
    """A translation in a catalogue: its text (empty if it is still to come), where it stands (the line of its
    msgid, from 1), and whether it is marked fuzzy, that is made for an older source text."""

    text: str
    line: int
    fuzzy: bool


def read_catalogue(path: Path) -> dict[tuple[str | None, str], Phrase]:
    """The phrases of a .po file by context and source text, the header left out.

    A phrase with plural forms stands under its singular with its first form.
    Raises OSError if the file cannot be read, ValueError with file and line if it is no sound catalogue:
    not UTF-8, a quote missing, a translation missing, the same phrase twice.
    """
    return {
        (message.context, _first(message.id)): Phrase(
            _first(message.string), message.lineno or 0, bool(message.fuzzy)
        )
        for message in _catalogue(path)
        if message.id
    }


class Words:
    """The words of the pages in every language.

    A text missing in a language is taken from French; one missing there stays as in the source, English
    (`en`). A language nobody knows gets French. No lookup ever raises.
    """

    problems: tuple[str, ...]
    """One line for each catalogue that was left out because it cannot be read."""

    def __init__(self, catalogues: Mapping[str, NullTranslations], problems: tuple[str, ...] = ()) -> None:
        self._catalogues = {**catalogues, "en": NullTranslations()}
        self._otherwise = catalogues.get("fr", NullTranslations())
        self.problems = problems

    @classmethod
    def load(cls, locales: Path) -> "Words":
        """Every `<language>/LC_MESSAGES/web.po` below `locales`, compiled in memory; none is no error."""
        catalogues: dict[str, NullTranslations] = {}
        problems: list[str] = []
        for path in sorted(locales.glob("*/LC_MESSAGES/web.po")):
            try:
                catalogues[path.parent.parent.name] = _compiled(_catalogue(path))
            except (OSError, ValueError) as error:
                problems.append(str(error))
        french = catalogues.get("fr")
        for catalogue in catalogues.values():
            if french and catalogue is not french:
                catalogue.add_fallback(french)
        return cls(catalogues, tuple(problems))

    def gettext(self, language: str, msgid: str) -> str:
        """The text `msgid` in `language`."""
        # In a catalogue the empty text is its header.
        return self._in(language).gettext(msgid) if msgid else ""

    def ngettext(self, language: str, one: str, many: str, n: int) -> str:
        """The text for `n` things, by the plural rule of the language it is found in."""
        return self._in(language).ngettext(one, many, n)

    def pgettext(self, language: str, context: str, msgid: str) -> str:
        """The text `msgid` as it is said in `context`."""
        return self._in(language).pgettext(context, msgid)

    def _in(self, language: str) -> NullTranslations:
        return self._catalogues.get(language, self._otherwise)


def _replacement(letter: str) -> str:
    """What stands for a letter outside the alphabet; itself GSM 03.38."""
    if letter in _REPLACED:
        return _REPLACED[letter]
    if letter.isspace():
        return " "
    if unicodedata.category(letter) in _MARKS | _UNSEEN - {"Co"}:
        return ""
    parts = unicodedata.normalize("NFKD", letter)
    if parts == letter:
        return "?"
    plain = "".join(part if part in _ALPHABET else _replacement(part) for part in parts)
    return plain if plain.strip("? ") else "?"


class _Catalogue(Catalog):
    """Babel keeps the first of two equal phrases without a word; here that is an error."""

    def __setitem__(self, id: str | list[str] | tuple[str, ...], message: Message) -> None:
        if id and self.get(id, message.context) is not None:
            raise PoFileError("the same phrase twice", self, "", (message.lineno or 1) - 1)
        super().__setitem__(id, message)


def _catalogue(path: Path) -> Catalog:
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8") from error
    for number, whole in enumerate(lines, 1):
        line = whole.strip()
        if line and line[0] != "#" and not _PO_LINE.fullmatch(line):
            raise ValueError(f"{path}:{number}: not a line of a catalogue")
    catalogue = _Catalogue(charset="utf-8")
    try:
        PoFileParser(catalogue, ignore_obsolete=True, abort_invalid=True).parse(lines)
    except PoFileError as error:
        raise ValueError(f"{path}:{error.lineno + 1}: {error.args[0].rpartition(' on ')[0]}") from error
    except (ValueError, LookupError, AttributeError) as error:
        raise ValueError(f"{path}: not a catalogue: {error}") from error
    return catalogue


def _compiled(catalogue: Catalog) -> GNUTranslations:
    # Babel would fill a form that is missing with English, where French may have it.
    for message in list(catalogue):
        if message.id and message.pluralizable and not all(message.string or ()):
            catalogue.delete(message.id, message.context)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


def _first(forms: str | list[str] | tuple[str, ...] | None) -> str:
    return forms if isinstance(forms, str) else (forms or ("",))[0]


# The table of a quasigroup of order ten after H. M. Damm (2004): every single wrong digit and every swap of
# neighbours shows.
_DAMM = (
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
)


def check_digit(digits: str) -> str:
    """The digit that makes `digits` (ASCII digits) a number that checks."""
    interim = 0
    for digit in digits:
        interim = int(_DAMM[interim][int(digit)])
    return str(interim)


def check_digit_ok(digits: str) -> bool:
    """Whether the last of `digits` is the check digit of the others; False for anything but ASCII digits."""
    return len(digits) > 1 and digits.isascii() and digits.isdigit() and check_digit(digits[:-1]) == digits[-1]


_MOBILE = re.compile(r"(?:\+?243|00243|0)?([89][0-9]{8})", re.ASCII)


def mobile_number(typed: str) -> str | None:
    """A mobile number of DR Congo as `+243` and nine digits, however it was typed: with `0`, with `243` in front,
    or bare. None for anything else (ITU national numbering plan: mobile numbers begin with 8 or 9)."""
    found = _MOBILE.fullmatch(typed)
    return f"+243{found[1]}" if found else None
