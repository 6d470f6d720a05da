"""Sets of characters that have a name, and lists of them in files.

>>> ", ".join(f"{name} {len(characters_of_set(name))}" for name in SETS)
'hiragana 73, katakana 74, latin 52, digits 10, kyoiku 1026, joyo 2136, jis1 2965, gb1 3755'
"""

import os
import string
import unicodedata

from glyphs import joyo
from glyphs.characters import character_of, class_name_of, is_code
from glyphs.errors import UsageError


def rows(encoding, first, last, last_cell):
    """Return the characters of rows of a table of 94 cells a row, up to a cell of the last row."""
    return "".join(
        bytes((row, cell)).decode(encoding)
        for row in range(first, last + 1)
        for cell in range(0xA1, (last_cell if row == last else 0xFE) + 1)
    )


def _range(first, last, without=""):
    return "".join(c for c in map(chr, range(ord(first), ord(last) + 1)) if c not in without)


# Cut out of its line, nothing tells a small kana from a large one.
SMALL_HIRAGANA = "ぁぃぅぇぉっゃゅょゎ"
SMALL_KATAKANA = "ァィゥェォッャュョヮヵヶ"


SETS = {
    "hiragana": lambda: _range("ぁ", "ん", SMALL_HIRAGANA),
    "katakana": lambda: _range("ァ", "ヴ", SMALL_KATAKANA),
    "latin": lambda: string.ascii_uppercase + string.ascii_lowercase,
    "digits": lambda: string.digits,
    "kyoiku": lambda: joyo.KYOIKU,
    "joyo": lambda: joyo.KYOIKU + joyo.SECONDARY,
    "jis1": lambda: rows("euc_jp", 0xB0, 0xCF, 0xD3),
    "gb1": lambda: rows("gb2312", 0xB0, 0xD7, 0xF9),
}


def characters_of_set(name):
    """Return the characters of a named set, as text."""
    return SETS[name]()


def read_characters(name, encoding=None):
    """Return the characters of a named set, or of a file.

    Args:
        name: one of SETS, or a text file in UTF-8: characters or class names such as U+4E00, with
            white space between them; of what is neither, each letter counts.
        encoding: None, or one of characters.ENCODINGS: what four hex digits mean.

    Returns:
        List of characters in NFC, each once, in order.

    Raises:
        UsageError: there is no such set or file, it names no characters, or four hex digits
            without an encoding.
    """
    words = read_words(name)
    for code in filter(is_code, words if encoding is None else ()):
        raise UsageError(f"{name}: {code} is a code; say of what table with --label-encoding")
    return _characters_in(words, encoding)


def _characters_in(words, encoding):
    found = []
    for word in words:
        if character := character_of(word, encoding):
            found.append(character)
        elif encoding or not is_code(word):
            found += word
    return list(dict.fromkeys(found))


def read_words(name):
    """Return the characters of a named set, or the words of a file, in NFC.

    Raises:
        UsageError: there is no such set or file, or it is empty.
    """
    if name in SETS:
        return list(characters_of_set(name))
    if os.path.isdir(name):
        raise UsageError(f"{name}: is a folder; give a text file, or a set: {', '.join(SETS)}")
    if not os.path.exists(name):
        raise UsageError(f"{name}: no such file, and no such set; sets are {', '.join(SETS)}")
    try:
        with open(name, encoding="utf-8-sig") as file:
            words = unicodedata.normalize("NFC", file.read()).split()
    except OSError as error:
        raise UsageError(f"{name}: cannot be read ({error.strerror.lower()})") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    if not words:
        raise UsageError(f"{name}: names no characters")
    return words


def words_of(names):
    """Return the words of several sets or files; see read_words."""
    return [word for name in names for word in read_words(name)]


def names_in(words, encoding=None):
    """Return all that the classes of some words may be called: words and characters.

    Args:
        words: list of text, as read_words returns it.
        encoding: None, or one of characters.ENCODINGS, of class names of four hex digits.
    """
    characters = _characters_in(words, encoding)
    found = {*words, *characters}
    if encoding:
        found.update(class_name_of(c, encoding) for c in characters)
    return found


def missing_in(known, words, encoding=None):
    """Return in a few words which of some words no class is called, or None.

    >>> missing_in({"U+4E9C", "亜", "B0A2"}, ["亜", "一", "二"])
    '2 of 3: 一 二'

    Args:
        known: set of class names and characters.
        words, encoding: as for names_in.
    """
    parts = list(dict.fromkeys(part for word in words for part in _parts(word, known)))
    missing = [part for part in parts if known.isdisjoint(_called(part, encoding))]
    if not missing:
        return None
    shown = " ".join(missing[:10]) + (" ..." if len(missing) > 10 else "")
    return f"{len(missing):,} of {len(parts):,}: {shown}"


def _parts(word, known):
    """Return the letters of a word of which some are known, else the word: it is a class name."""
    return [word] if word in known or known.isdisjoint(word) else list(word)


def _called(word, encoding):
    """Return what the class of a word may be called."""
    character = character_of(word, encoding)
    if character is None:
        return {word}
    return {word, character, class_name_of(character, encoding)}
