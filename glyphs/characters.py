"""Class names and the characters that they stand for."""

import collections
import contextlib
import re
import unicodedata

# Names of code tables as the user types them. JIS codes are EUC-JP with the high bits clear.
ENCODINGS = ("jis", "euc-jp", "gb2312")

_CODE_POINT = r"(?:U\+|0x)([0-9A-Fa-f]{4,6})"
_CODE_POINTS = re.compile(rf"{_CODE_POINT}(_{_CODE_POINT})*\Z")
_TWO_BYTES = re.compile(r"[0-9A-Fa-f]{4}\Z")


def character_of(class_name, encoding=None):
    """Return the character that a class name stands for, or None.

    Understood always: `U+4E00`, `0x304b`, several such as `U+0915_U+0901` for one with marks, and
    the character itself (in NFC; a base letter with marks counts as one). Four hex digits are
    understood only with `encoding`, since B0A1 is 亜 in EUC-JP and 啊 in GB 2312.

    Args:
        class_name: text, such as a folder's name.
        encoding: None, or one of ENCODINGS: what four hex digits mean.
    """
    name = unicodedata.normalize("NFC", class_name)
    if _CODE_POINTS.match(name):
        code_points = [int(digits, 16) for digits in re.findall(_CODE_POINT, name)]
        if any(point > 0x10FFFF or 0xD800 <= point <= 0xDFFF for point in code_points):
            return None
        return "".join(map(chr, code_points))
    if encoding and is_code(name):
        return _decode(bytes.fromhex(name), encoding)
    if name and sum(1 for c in name if not unicodedata.combining(c)) == 1:
        return name
    return None


def is_code(class_name):
    """Return whether a class name is four hex digits, which some table of codes explains."""
    return bool(_TWO_BYTES.match(class_name))


def class_name_of(character, encoding=None):
    """Return the class name of a character: its two bytes in `encoding`, or `U+XXXX`.

    >>> class_name_of("亜", "euc-jp"), class_name_of("亜"), class_name_of("A", "euc-jp")
    ('B0A1', 'U+4E9C', 'U+0041')

    Args:
        character: text; base letters with marks are joined as `U+0915_U+0901`.
        encoding: None, or one of ENCODINGS; what has no code of two bytes there is named `U+XXXX`.
    """
    code = b""
    if encoding:
        with contextlib.suppress(UnicodeEncodeError):
            code = character.encode("gb2312" if encoding == "gb2312" else "euc_jp")
    if len(code) != 2:
        return "_".join(f"U+{ord(c):04X}" for c in character)
    if encoding == "jis":
        code = bytes(byte & 0x7F for byte in code)
    return code.hex().upper()


def completed(class_names, characters, encoding):
    """Return the character of each class: the one given or, where that is None, by `encoding`."""
    pairs = zip(class_names, characters, strict=True)
    return [given or character_of(name, encoding) for name, given in pairs]


def numbers_of(class_names, characters):
    """Return the number of each class by its name, and by its character where one class has it.

    A name goes before a character: where a class is called as another's character, it is meant.

    >>> numbers_of(["U+6F22", "ka", "kb"], ["漢", "カ", "カ"])
    {'漢': 0, 'U+6F22': 0, 'ka': 1, 'kb': 2}

    Args:
        class_names: list of text.
        characters: the character of each, or None.
    """
    once = {c for c, count in collections.Counter(characters).items() if count == 1}
    numbers = {c: number for number, c in enumerate(characters) if c is not None and c in once}
    return numbers | {name: number for number, name in enumerate(class_names)}


def matched(class_names, characters, others):
    """Return for each class the number of the other side's class that it means, or None.

    Args:
        class_names: list of text.
        characters: the character of each, or None.
        others: what numbers_of returned of the other side: a class is matched by name, else by
            character.
    """
    pairs = zip(class_names, characters, strict=True)
    return [others.get(name, others.get(character)) for name, character in pairs]


def _decode(code, encoding):
    if encoding == "jis":
        code = bytes(byte | 0x80 for byte in code)
    try:
        text = code.decode("gb2312" if encoding == "gb2312" else "euc_jp")
    except UnicodeDecodeError:
        return None
    return text if len(text) == 1 else None
