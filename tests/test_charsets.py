import pytest

from glyphs import charsets, joyo
from glyphs.errors import UsageError


def test_jis_level_1_and_gb_2312_level_1_begin_and_end_as_the_tables_do():
    for name, ends in (("jis1", "亜腕"), ("gb1", "啊座")):
        characters = charsets.characters_of_set(name)
        assert characters[0] + characters[-1] == ends
        assert len(set(characters)) == len(characters)


def test_kyoiku_are_1026_of_the_2136_joyo():
    kyoiku, joyo_kanji = (set(charsets.characters_of_set(name)) for name in ("kyoiku", "joyo"))
    assert (len(kyoiku), len(joyo_kanji)) == (1026, 2136)
    assert kyoiku < joyo_kanji
    assert set("茨媛岡潟岐熊香佐埼崎滋鹿縄井沖栃奈梨阪阜") <= kyoiku  # added in 2020
    # Of the common kanji, 32 are outside of JIS level 1.
    assert len(joyo_kanji - set(charsets.characters_of_set("jis1"))) == 32
    assert "".join(sorted(joyo.KYOIKU)) == joyo.KYOIKU


def test_small_kana_are_not_in_the_sets():
    kana = charsets.characters_of_set("hiragana") + charsets.characters_of_set("katakana")
    assert not set("っょッョヶ") & set(kana)
    assert {"あ", "ん", "ア", "ン", "ヴ", "ゑ"} <= set(kana)


def test_a_file_holds_characters_code_points_or_text(tmp_path):
    path = tmp_path / "wanted.txt"
    path.write_text("\ufeffU+4E00 二\n三四 0x4e94\nか\u3099 二", encoding="utf-8")
    assert charsets.read_characters(str(path)) == list("一二三四五が")
    path.write_text("B0A1", encoding="utf-8")
    assert charsets.read_characters(str(path), "euc-jp") == ["亜"]
    assert charsets.read_characters(str(path), "gb2312") == ["啊"]
    with pytest.raises(UsageError, match="B0A1 is a code; say of what table"):
        charsets.read_characters(str(path))


def test_names_of_classes_are_words_characters_and_codes(tmp_path):
    path = tmp_path / "wanted.txt"
    path.write_text("ring U+4E9C", encoding="utf-8")
    names = charsets.names_in(charsets.read_words("digits") + charsets.read_words(path), "euc-jp")
    assert {"0", "9", "ring", "U+4E9C", "亜", "B0A1"} <= names
    path.write_text("B0A1 B0A2", encoding="utf-8")
    assert charsets.names_in(charsets.read_words(path)) == {"B0A1", "B0A2"}  # no letters, no digits


@pytest.mark.parametrize(
    ("words", "encoding", "missing"),
    [
        ("亜 唖", None, None),
        ("亜 唖 娃", None, "1 of 3: 娃"),
        ("亜唖娃", None, "1 of 3: 娃"),
        ("娃阿哀", None, "1 of 1: 娃阿哀"),
        ("B0A1 U+5516", "euc-jp", None),
        ("B0A1 B0A3", None, "2 of 2: B0A1 B0A3"),
        ("亜 亜 ring", "euc-jp", "1 of 2: ring"),
        ("あいうえおかきくけこさ亜", None, "11 of 12: あ い う え お か き く け こ ..."),
    ],
)
def test_what_no_class_is_called_is_missing(tmp_path, words, encoding, missing):
    (tmp_path / "wanted").write_text(words, encoding="utf-8")
    known = {"U+4E9C", "亜", "唖", None}
    assert charsets.missing_in(known, charsets.read_words(tmp_path / "wanted"), encoding) == missing


def test_a_folder_names_no_characters(tmp_path):
    with pytest.raises(UsageError, match="is a folder; give a text file, or a set: hiragana"):
        charsets.read_words(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file, and no such set; sets are hiragana"), (b" \n", "names no characters"),
     (b"\xff\xfe\x00", r"not UTF-8 text \(byte 0\); save it as UTF-8")],
)  # fmt: skip
def test_what_cannot_be_read_is_named(tmp_path, content, message):
    path = tmp_path / "wanted.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        charsets.read_characters(str(path))
