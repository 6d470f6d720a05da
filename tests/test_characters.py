import unicodedata

import pytest

from glyphs.characters import ENCODINGS, character_of, class_name_of


@pytest.mark.parametrize(
    ("name", "encoding", "expected"),
    [
        ("U+4E00", None, "一"),
        ("U+2000B", None, "𠀋"),
        ("0x304b", None, "か"),
        ("亜", None, "亜"),
        (unicodedata.normalize("NFD", "が"), None, "が"),
        ("B0A1", "euc-jp", "亜"),
        ("B0A1", "gb2312", "啊"),
        ("3021", "jis", "亜"),
        ("2422", "jis", "あ"),
        ("b0a1", "euc-jp", "亜"),
        ("B0A1", None, None),
        ("FFFF", "euc-jp", None),
        ("U+0915_U+094D_U+0937", None, "क्ष"),
        ("U+0915_", None, None),
        ("U+0915_U+D800", None, None),
        ("U+D800", None, None),
        ("U+FFFFFF", None, None),
        ("Kaf-final", None, None),
        ("", None, None),
    ],
)
def test_class_name_to_character(name, encoding, expected):
    assert character_of(name, encoding) == expected


@pytest.mark.parametrize("encoding", [None, *ENCODINGS])
def test_class_name_and_character_are_inverse(encoding):
    for character in "亜一右":
        if encoding == "gb2312" and character == "亜":
            continue  # a Japanese form that GB 2312 lacks
        name = class_name_of(character, encoding)
        assert character_of(name, encoding) == character


def test_character_without_a_code_of_two_bytes_is_named_by_its_code_point():
    assert class_name_of("A", "euc-jp") == "U+0041"
    assert class_name_of("东", "euc-jp") == "U+4E1C"
    assert class_name_of("亜\u0301", "euc-jp") == "U+4E9C_U+0301"
