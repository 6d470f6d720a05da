"""All pictures of one character, from every source that has it."""

import numpy as np

from glyphs.drawing import hand, paper, pen, typeface


def draw(character, ways, glyphs, count, seed):
    """Draw a character many times; picture number i of every character is by the same writer.

    Half of the pictures are of strokes, the other half of fonts, where there are both.

    Args:
        character: text; with the seed it determines the pictures.
        ways: list of lists of strokes, as Strokes.of returns them: ways to write it.
        glyphs: list of PIL images, as Typeface.glyph returns them.
        count: how many to draw; the first are the same ones however many there are.
        seed: integer, 0 or more.

    Returns:
        Iterator of PIL images of mode "L", dark ink on light paper.
    """
    writers = hand.Writers.drawn(count, np.random.default_rng(seed))
    own = np.random.default_rng([seed, *map(ord, character)])
    first = int(own.integers(1 << 30))  # so that few pictures are not all by the first fonts
    written = [
        hand.write(way, writers, rng) for way, rng in zip(ways, own.spawn(len(ways)), strict=True)
    ]
    for i in range(count):
        by_strokes = ways and (not glyphs or i % 2 == 0)
        turn = first + (i // 2 if ways and glyphs else i)
        rng = np.random.default_rng([seed, i, *map(ord, character)])
        if by_strokes:
            trajectories = written[turn % len(ways)]
            ink = pen.ink(
                trajectories.points[i],
                trajectories.pressure[i],
                writers.width[i],
                writers.pressure[i],
            )
        else:
            ink = typeface.distorted(
                glyphs[turn % len(glyphs)],
                writers.slant[i],
                writers.rise[i],
                writers.aspect[i],
                writers.unsteadiness[i],
                rng,
            )
        yield paper.on_paper(ink, np.random.default_rng([seed, i]), rng)
