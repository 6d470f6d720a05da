"""Damaged copies of files: bytes, numbers, stretches; of PNG files chunks and header fields."""

import gzip
import random
import re
import struct
import zlib

ODDITIES = (
    b"", b"\n", b"\r", b'"', b'""', b"\0", b"\xff", b"-1", b"9" * 30, b"1e9", b"nan", b"../../a",
    b"/dev/zero", b"U+D800", b"U+110000", "\u202e\u0301".encode(), b"," * 50, b"x" * 70_000,
    b"\xef\xbb\xbf",
)  # fmt: skip
SIDES = (0, 1, 2, 31, 33, 255, 6000, 7000, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def mutants(wholes, count, seed=0):
    """Yield `count` damaged copies of the files `wholes` (bytes), taken in turn."""
    rng = random.Random(seed)
    for i in range(count):
        yield mutant(wholes[i % len(wholes)], rng)


def mutant(whole, rng):
    return rng.choice((change_bytes, cut, change_chunks, change_field))(whole, rng)


def change_bytes(whole, rng):
    data = bytearray(whole)
    for _ in range(rng.choice((1, 1, 2, 8, 40))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def cut(whole, rng):
    return whole[: rng.randrange(len(whole))]


def change_numbers(whole, rng):
    """Put a number that is rare where a number may be, in either byte order."""
    data = bytearray(whole)
    for _ in range(rng.choice((1, 1, 2, 4))):
        form = rng.choice(("<I", ">I", "<H", ">H"))
        largest = 2 ** (8 * struct.calcsize(form)) - 1
        if len(data) >= struct.calcsize(form):
            place = rng.randrange(len(data) - struct.calcsize(form) + 1)
            if rng.random() < 0.5:  # headers are where it matters
                place = min(place, rng.randrange(64))
            struct.pack_into(form, data, place, rng.choice(SIDES) & largest)
    return bytes(data)


def move(whole, rng):
    """Drop a stretch, repeat it many times, or put it elsewhere."""
    start = rng.randrange(len(whole))
    stretch = whole[start : start + rng.choice((1, 2, 8, 100, 600))]
    rest = whole[:start] + whole[start + len(stretch) :]
    place = rng.randrange(len(rest) + 1)
    return rest[:place] + stretch * rng.choice((0, 1, 2, 300)) + rest[place:]


def change_text(whole, rng):
    """Put something odd in place of a cell of a table."""
    cells = re.split(rb"([,;\t \n])", whole)
    for _ in range(rng.choice((1, 1, 3))):
        cells[rng.randrange(len(cells))] = rng.choice(ODDITIES)
    return b"".join(cells)


ANY = (change_bytes, change_bytes, cut, change_numbers, change_numbers, move)


def damaged(whole, rng):
    """Return a damaged copy of a file of any kind."""
    if rng.random() < 0.3:
        if whole.startswith(b"\x89PNG"):
            return rng.choice((change_chunks, change_field))(whole, rng)
        if whole.startswith(b"\x1f\x8b"):  # what is in it, packed again
            return gzip.compress(damaged(gzip.decompress(whole), rng), 1)
        if b"\n" in whole and b"\0" not in whole:
            return change_text(whole, rng)
    return rng.choice(ANY)(whole, rng)


def change_chunks(whole, rng):
    """Swap, repeat or drop chunks."""
    chunks = list(split(whole))
    for _ in range(rng.choice((1, 2))):
        i, j = rng.randrange(len(chunks)), rng.randrange(len(chunks))
        action = rng.randrange(3)
        if action == 0:
            chunks[i], chunks[j] = chunks[j], chunks[i]
        elif action == 1:
            chunks.insert(i, chunks[j])
        elif len(chunks) > 1:
            del chunks[i]
    return join(chunks)


def change_field(whole, rng):
    """Change a byte of a chunk, or a side of the picture, and correct the chunk's checksum."""
    chunks = list(split(whole))
    i = 0 if rng.random() < 0.6 else rng.randrange(len(chunks))
    name, data = chunks[i]
    data = bytearray(data)
    if name == b"IHDR" and rng.random() < 0.5:
        struct.pack_into(">I", data, rng.choice((0, 4)), rng.choice(SIDES))
    elif data:
        data[rng.randrange(len(data))] = rng.randrange(256)
    chunks[i] = (name, bytes(data))
    return join(chunks)


def split(whole):
    """Yield `(name, data)` of each chunk of a PNG, as far as there are any."""
    position = 8
    while position + 8 <= len(whole):
        (length,) = struct.unpack_from(">I", whole, position)
        start = position + 8
        yield whole[position + 4 : start], whole[start : start + length]
        position = start + length + 4


def join(chunks):
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
