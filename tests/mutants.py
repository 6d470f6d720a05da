"""Damaged copies of PNG files: bytes, chunks, header fields and lengths are changed."""

import random
import struct
import zlib

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
