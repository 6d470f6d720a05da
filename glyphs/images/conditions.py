"""What people's pictures are like: a clean character, as somebody would bring it.

    for name, condition in CONDITIONS.items():
        picture = condition(image, np.random.default_rng([seed, number]))

Each condition takes the image of a character and returns a picture of it: on wider paper, a photo,
on ruled paper, and so on. A human still reads all of them. The same seed gives the same picture.
"""

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from glyphs.images import sheets


def as_it_is(image, rng):
    """The character in its own frame, black on white, as a data set has it."""
    return Image.fromarray(255 - np.asarray(image))


def paper_2x(image, rng):
    """A crop with as much paper again around the character."""
    return sheets.on_white(sheets.framed(image, 2, 2, rng.uniform(0.4, 0.6, 2)))


def paper_4x(image, rng):
    """A small character in the middle of a large sheet."""
    return sheets.on_white(sheets.framed(image, 4, 4, rng.uniform(0.4, 0.6, 2)))


def corner(image, rng):
    """A character written into one corner of the sheet."""
    return sheets.on_white(sheets.framed(image, 2, 2, rng.integers(0, 2, 2) * 0.9 + 0.05))


def strip(image, rng):
    """A strip three times as wide as high, or as high as wide, cut from a line of text."""
    across, down = (3, 1.1) if rng.random() < 0.7 else (1.1, 3)
    return sheets.on_white(sheets.framed(image, across, down, rng.uniform(0.1, 0.9, 2)))


def photo(image, rng):
    """A telephone's photograph: coloured paper, blue or black ink, light from one side, JPEG."""
    return _photographed(
        sheets.framed(image, *rng.uniform(1.3, 2, 2), rng.uniform(0.3, 0.7, 2)), rng
    )


def tight_crop(image, rng):
    """Cut out of a photographed page, by hand or by a program, with hardly any paper around."""
    image = sheets.enlarged(image)
    ink = image.crop(image.point(lambda value: value > 64 and 255).getbbox())
    ink = sheets.framed(ink, *rng.uniform(1, 1.05, 2), rng.uniform(0, 1, 2))
    return _photographed(ink, rng)


def _photographed(ink, rng):
    paper = rng.uniform((200, 195, 165), (250, 245, 230))
    pen = rng.uniform((20, 30, 90), (70, 80, 170)) if rng.random() < 0.7 else rng.uniform(20, 70, 3)
    light = sheets.ramp(ink.size, rng, 0.55, 1.0)[..., None]
    colours = light * (paper + (pen - paper) * sheets.cover(ink)[..., None])
    picture = sheets.picture(colours).filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.4)))
    noisy = np.asarray(picture) + rng.normal(0, rng.uniform(2, 6), colours.shape)
    return sheets.jpeg(sheets.picture(noisy), int(rng.integers(50, 86)))


def shadow_edge(image, rng):
    """The shadow of a hand or of the telephone across the sheet, with a sharp edge."""
    ink = sheets.framed(image, *rng.uniform(1.2, 1.6, 2), rng.uniform(0.3, 0.7, 2))
    side = sheets.half_plane(ink.size, rng)
    soft = side.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 2.5)))
    light = 1 - rng.uniform(0.3, 0.6) * sheets.cover(soft)
    return sheets.written(ink, light * rng.uniform(225, 250), rng.uniform(0.1, 0.3), rng, noise=2)


def on_table(image, rng):
    """A photographed sheet that lies a little askew on a table, which shows around it."""
    ink = sheets.framed(image, *rng.uniform(1.3, 2, 2), rng.uniform(0.3, 0.7, 2))
    sheet = sheets.written(ink, rng.uniform(215, 250), rng.uniform(0.1, 0.25), rng, noise=0)
    turn = rng.uniform(-12, 12)
    outline = Image.new("L", sheet.size, 255).rotate(turn, Image.Resampling.BICUBIC, expand=True)
    sheet = sheet.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    size = tuple(round(side * rng.uniform(1.1, 1.6)) for side in sheet.size)
    table = sheets.table(size, rng)
    places = [round(rng.random() * (a - b)) for a, b in zip(size, sheet.size, strict=True)]
    table.paste(sheet, tuple(places), outline)
    light = sheets.ramp(size, rng, 0.7, 1.0)
    lit = sheets.picture(np.asarray(table) * light).filter(ImageFilter.GaussianBlur(0.7))
    noisy = np.asarray(lit) + rng.normal(0, rng.uniform(1, 4), size[::-1])
    return sheets.jpeg(sheets.picture(noisy), int(rng.integers(60, 90)))


def ruled(image, rng):
    """A page of an exercise book: evenly spaced lines, often blue, on which one writes."""
    ink = sheets.framed(image, *rng.uniform(1.3, 2, 2), rng.uniform(0.3, 0.7, 2))
    lines = Image.new("L", ink.size)
    spacing = ink.height * rng.uniform(0.22, 0.6)
    sheets.draw_rules(
        lines, spacing, rng.uniform(0, 1), rng.normal(0, 0.006), int(rng.integers(1, 3))
    )
    return sheets.printed(ink, lines, rng)


def boxed(image, rng):
    """A printed box around the character, as on forms and genkō yōshi; strokes may touch it."""
    size = rng.uniform(1.12, 1.5)
    ink = sheets.framed(image, size, size, rng.uniform(0.3, 0.7, 2))
    lines = Image.new("L", ink.size)
    edge = ink.width * rng.uniform(0.01, 0.06)
    box = (edge, edge, max(edge, ink.width - 1 - edge), max(edge, ink.height - 1 - edge))
    width = int(rng.integers(1, 4))
    ImageDraw.Draw(lines).rectangle(box, outline=255, width=width)
    if rng.random() < 0.4:  # the cells beside it go on
        draw = ImageDraw.Draw(lines)
        for y in (box[1], box[3] - width + 1):
            draw.line((0, y, ink.width, y), fill=255, width=width)
    return sheets.printed(ink, lines, rng)


def grid(image, rng):
    """Squared paper, as for sums: the character lies over several squares."""
    ink = sheets.framed(image, *rng.uniform(1.2, 1.8, 2), rng.uniform(0.3, 0.7, 2))
    lines = Image.new("L", ink.size)
    spacing, width = ink.height * rng.uniform(0.15, 0.4), int(rng.integers(1, 3))
    tilt = rng.normal(0, 0.01)
    sheets.draw_rules(lines, spacing, rng.uniform(0, 1), tilt, width)
    across = Image.new("L", ink.size[::-1])
    sheets.draw_rules(across, spacing, rng.uniform(0, 1), -tilt, width)
    lines = ImageChops.lighter(lines, across.transpose(Image.Transpose.TRANSPOSE))
    return sheets.printed(ink, lines, rng)


def practice(image, rng):
    """A cell of practice paper, with lines through its middle: 田字格, or with diagonals 米字格."""
    image = sheets.enlarged(image)
    side = rng.uniform(1.15, 1.5) * max(image.size)
    ink = sheets.framed(image, side / image.width, side / image.height, rng.uniform(0.4, 0.6, 2))
    lines = Image.new("L", ink.size)
    width, gap = int(rng.integers(1, 4)), int(rng.integers(0, 9))  # dashes, or 0: whole lines
    first = side * rng.uniform(-0.03, 0.06)  # below 0 the box is cut off
    last, middle = side - first, side / 2
    guides = [(first, middle, last, middle), (middle, first, middle, last)]
    if rng.random() < 0.5:
        guides += [(first, first, last, last), (first, last, last, first)]
    for guide in guides:
        sheets.draw_dashes(lines, guide, 8, gap, width)
    ImageDraw.Draw(lines).rectangle((first, first, last, last), outline=255, width=width + 1)
    return sheets.printed(ink, lines, rng)


def chalk(image, rng):
    """Chalk on a blackboard: light, grainy strokes on uneven grey, with dust and wiped places."""
    ink = sheets.framed(image, *rng.uniform(1.2, 1.8, 2), rng.uniform(0.3, 0.7, 2))
    grain = rng.uniform(0.55, 1, ink.size[::-1])
    wiped = sheets.clouds(ink.size, rng)
    board = (rng.uniform(35, 80) + 25 * wiped) * sheets.ramp(ink.size, rng, 0.8, 1.0)
    dust = (rng.random(grain.shape) < 0.004) * rng.uniform(20, 90, grain.shape)
    cover = sheets.cover(ink.filter(ImageFilter.GaussianBlur(0.7))) * grain
    grey = board + dust + (rng.uniform(190, 240) - board) * cover
    return sheets.picture(grey + rng.normal(0, 4, grey.shape)).filter(ImageFilter.GaussianBlur(0.6))


def thin_pen(image, rng):
    """A fine pen, on clean paper."""
    ink = sheets.framed(image, *rng.uniform(1, 1.4, 2), (0.5, 0.5))
    thinned = sheets.grown(ink, -sheets.stroke_width(ink) * rng.uniform(0.12, 0.22))
    # What was fine already would vanish: its middle line stays.
    soft = ImageOps.autocontrast(ink.filter(ImageFilter.GaussianBlur(1.5)))
    grey = np.pad(np.asarray(soft, np.int32), 2)
    middle, ridge = grey[2:-2, 2:-2], np.zeros(ink.size[::-1], bool)
    for beside in ((grey[:-4, 2:-2], grey[4:, 2:-2]), (grey[2:-2, :-4], grey[2:-2, 4:])):
        ridge |= (middle > beside[0] + 3) & (middle > beside[1] + 3) & (middle > 70)
    ridge = sheets.picture(255.0 * ridge).filter(ImageFilter.GaussianBlur(0.8))
    return sheets.on_white(ImageChops.lighter(thinned, ImageOps.autocontrast(ridge)))


def thick_pen(image, rng):
    """A felt pen or brush, on clean paper."""
    ink = sheets.framed(image, *rng.uniform(1.2, 1.5, 2), (0.5, 0.5))
    return sheets.on_white(
        sheets.grown(ink, max(sheets.stroke_width(ink) * rng.uniform(0.15, 0.3), 1.5))
    )


def rotated(image, rng):
    """The sheet lay askew: turned by about 10 degrees, to either side."""
    ink = sheets.framed(image, 1.5, 1.5, (0.5, 0.5))
    angle = rng.uniform(8, 12) * rng.choice((-1, 1))
    return sheets.on_white(ink.rotate(angle, Image.Resampling.BICUBIC))


def sheared(image, rng):
    """A slanting hand, or a page seen from the side."""
    ink = sheets.framed(image, 1.6, 1.4, (0.5, 0.5))
    slope = rng.uniform(0.15, 0.3) * rng.choice((-1, 1))
    back = (1, slope, -slope * ink.height / 2, 0, 1, 0)
    return sheets.on_white(ink.transform(ink.size, Image.Transform.AFFINE, back, Image.BICUBIC))


def small(image, rng):
    """A picture of 12 to 16 pixels, cut from a page that was scanned coarsely."""
    ink = sheets.framed(image, *rng.uniform(1, 1.2, 2), (0.5, 0.5))
    scale = int(rng.integers(12, 17)) / max(ink.size)
    size = [max(1, round(side * scale)) for side in ink.size]
    return sheets.on_white(ink.resize(size, Image.Resampling.BOX))


def neighbours(image, rng):
    """A crop from running text, with strokes of the characters beside it entering at the border."""
    ink = sheets.framed(image, *rng.uniform(1.35, 1.6, 2), (0.5, 0.5))
    beside = sheets.enlarged(image).rotate(180)
    box = beside.getbbox()
    if box is None:
        return sheets.on_white(ink)
    beside = beside.crop(box)
    depth = [round(side * rng.uniform(0.03, 0.1)) for side in ink.size]
    shift = round(ink.height * rng.uniform(-0.1, 0.1))
    across, down = (ink.width - beside.width) // 2, (ink.height - beside.height) // 2 + shift
    places = {
        "left": (depth[0] - beside.width, down),
        "right": (ink.width - depth[0], down),
        "above": (across, depth[1] - beside.height),
        "below": (across, ink.height - depth[1]),
    }
    for side in rng.permutation(list(places))[: int(rng.integers(1, 4))]:
        ink.paste(255, places[str(side)], beside)
    return sheets.on_white(ink)


def scan_rim(image, rng):
    """A scan whose page did not fill the glass: dark along up to three sides, often obliquely."""
    ink = sheets.framed(image, *rng.uniform(1.3, 2, 2), rng.uniform(0.3, 0.7, 2))
    grey = np.array(
        sheets.written(ink, rng.uniform(225, 255), rng.uniform(0.1, 0.25), rng, noise=1)
    )
    dark = rng.integers(10, 70)
    for side in rng.permutation(4)[: rng.integers(1, 4)]:
        turned = np.rot90(grey, side)  # a view
        height, width = turned.shape
        depth = np.linspace(*rng.uniform(0, 0.06, 2) * height, width)
        turned[np.arange(height)[:, None] < depth] = dark
    return sheets.picture(grey).filter(ImageFilter.GaussianBlur(0.5))


def bleed_through(image, rng):
    """Thin paper: what is written on its back shows through, mirrored and faint."""
    ink = sheets.framed(image, *rng.uniform(1.2, 1.7, 2), rng.uniform(0.3, 0.7, 2))
    turned = ImageChops.offset(ink.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 0, ink.height // 3)
    back = sheets.cover(turned.filter(ImageFilter.GaussianBlur(rng.uniform(1, 2.5))))
    paper = rng.uniform(215, 245) * (1 - rng.uniform(0.08, 0.22) * back)
    return sheets.written(ink, paper, rng.uniform(0.1, 0.3), rng, noise=3)


def fax(image, rng):
    """A fax: black or white only, ragged edges, specks."""
    ink = sheets.framed(image, *rng.uniform(1.2, 1.6, 2), rng.uniform(0.3, 0.7, 2))
    cover = sheets.cover(ink) + rng.normal(0, 0.12, ink.size[::-1])
    black = cover > 0.5
    specks = rng.random(black.shape)
    black = (black | (specks < 0.006)) & (specks < 0.985)
    return sheets.picture(np.where(black, 0, 255))


CONDITIONS = {
    condition.__name__: condition
    for condition in (
        as_it_is, paper_2x, paper_4x, corner, strip, photo, tight_crop, on_table, shadow_edge,
        scan_rim, ruled, boxed, practice, grid, chalk, thin_pen, thick_pen, rotated, sheared, small,
        neighbours, bleed_through, fax,
    )
}  # fmt: skip


def contact_sheet(images, *, seed=1, conditions=CONDITIONS, side=96):
    """Return one picture of characters under every condition, to look at.

    Args:
        images: character images, uint8 `(h, w)` each, 0 = paper, 255 = ink.
        seed: of the conditions; row number i, whatever the others are, always looks the same.
        conditions: dict of functions, as CONDITIONS.
        side: pixels of a cell.

    Returns:
        PIL image of mode "RGB": a row per character, a column per condition, its name above.
    """
    title = 12
    size = (len(conditions) * side, title + len(images) * side)
    sheet = Image.new("RGB", size, (128, 128, 160))
    draw = ImageDraw.Draw(sheet)
    for column, (name, condition) in enumerate(conditions.items()):
        draw.text((column * side + 2, 0), name, fill=(255, 255, 255))
        for row, image in enumerate(images):
            picture = condition(image, np.random.default_rng([seed, row])).convert("RGB")
            scale = (side - 4) / max(picture.size)
            picture = picture.resize([max(1, round(s * scale)) for s in picture.size])
            sheet.paste(picture, (column * side + 2, title + row * side + 2))
    return sheet
