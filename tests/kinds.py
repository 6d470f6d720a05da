"""Small files of every kind that is read, made by code: what the mutants are made of."""

import bz2
import functools
import gzip
import io
import lzma
import struct
import tarfile
import tempfile
import zipfile
import zlib

import numpy as np
from PIL import Image

SIDES = (22, 18)  # width, height of a picture


def saved(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def drawing(mode="RGB", side=2):
    """Return a picture with a dark stroke on light paper, of any mode of Pillow."""
    width, height = SIDES
    grey = np.full((height, width), 230, np.uint8)
    grey[5 : 5 + side, 3:15] = 20
    grey[3:14, 8 : 8 + side] = 40
    if mode in ("I;16", "I", "F"):
        wide = grey.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode])
        return Image.fromarray(wide * 257 if mode == "I;16" else wide)
    picture = Image.fromarray(grey)
    if mode.endswith("A"):
        picture = picture.convert(mode)
        picture.putalpha(Image.linear_gradient("L").resize(SIDES))
        return picture
    return picture.convert("RGB").convert(mode) if mode == "LAB" else picture.convert(mode)


def png(width, height, bits, colour, interlace=0, chunks=()):
    """Return a PNG of a colour type, of noise; `chunks` go before its data."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    rng = np.random.default_rng([bits, colour, interlace])
    steps = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
             (0, 1, 1, 2)) if interlace else ((0, 0, 1, 1),)  # fmt: skip
    lines = b""
    for left, top, across, down in steps:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        for _ in range(rows if columns else 0):
            size = (columns * bits * channels + 7) // 8
            lines += bytes([rng.integers(5)]) + rng.integers(0, 256, size, np.uint8).tobytes()
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace)
    parts = ((b"IHDR", header), *chunks, (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


def tiled_tiff():
    """Return a TIFF of two by two tiles of 16x16."""
    data = drawing("L").resize((32, 32)).tobytes()
    entries = [(256, 3, 1, 32), (257, 3, 1, 32), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
               (277, 3, 1, 1), (322, 3, 1, 16), (323, 3, 1, 16), (324, 4, 4, 200),
               (325, 4, 4, 216)]  # fmt: skip
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    head += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    places = struct.pack("<8I", *(256 + 256 * i for i in range(4)), *(256,) * 4)
    return head.ljust(200, b"\0") + places.ljust(56, b"\0") + data


def bmp_of_runs():
    """Return a BMP whose pixels are run-length encoded."""
    palette = b"".join(bytes((i, i, i, 0)) for i in range(256))
    lines = b"".join(bytes((10, 200, 0, 3, 1, 2, 3, 0, 9, 0xF0, 0, 0)) for _ in range(18)) + b"\0\1"
    offset = 54 + len(palette)
    return (
        struct.pack("<2sIHHI", b"BM", offset + len(lines), 0, 0, offset)
        + struct.pack("<IiiHHIIiiII", 40, 22, 18, 1, 8, 1, len(lines), 0, 0, 256, 0)
        + palette
        + lines
    )


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


TRANSPARENT = ((b"PLTE", bytes(range(256)) * 3), (b"tRNS", bytes(range(256))))
PNGS = {
    f"PNG, type {colour}, {bits} bits{', interlaced' * laced}": functools.partial(
        png, *SIDES, bits, colour, laced
    )
    for colour, depths in {0: (1, 4, 8, 16), 2: (8, 16), 4: (8, 16), 6: (8, 16)}.items()
    for bits in depths
    for laced in (0, 1)
}
PICTURES = {
    **PNGS,
    "PNG, palette": lambda: png(*SIDES, 8, 3, 0, TRANSPARENT),
    "PNG, palette, interlaced": lambda: png(*SIDES, 8, 3, 1, TRANSPARENT),
    "PNG, grey key": lambda: png(*SIDES, 8, 0, 0, ((b"tRNS", b"\0\7"),)),
    "PNG, turned": lambda: saved(drawing(), "PNG", exif=turned()),
    "PNG, animated": lambda: saved(
        drawing(), "PNG", save_all=True, append_images=[drawing("RGB", 5)]
    ),
    "JPEG": lambda: saved(drawing(), "JPEG"),
    "JPEG, grey": lambda: saved(drawing("L"), "JPEG"),
    "JPEG, progressive": lambda: saved(drawing(), "JPEG", progressive=True),
    "JPEG, CMYK": lambda: saved(drawing("CMYK"), "JPEG"),
    "JPEG, turned": lambda: saved(drawing(), "JPEG", exif=turned()),
    "JPEG, restarts": lambda: saved(drawing(), "JPEG", restart_marker_blocks=1),
    "JPEG, several": lambda: saved(drawing(), "MPO", save_all=True, append_images=[drawing()]),
    **{
        f"BMP, {mode}": lambda mode=mode: saved(drawing(mode), "BMP")
        for mode in ("1", "L", "P", "RGB")
    },
    "BMP, alpha": lambda: saved(drawing("RGBA"), "BMP"),
    "BMP, runs": bmp_of_runs,
    "GIF": lambda: saved(drawing("L"), "GIF"),
    "GIF, interlaced": lambda: saved(drawing("P"), "GIF", interlace=True, transparency=3),
    "GIF, animated": lambda: saved(
        drawing("P"), "GIF", save_all=True, append_images=[drawing("P", 5)]
    ),
    **{
        f"TIFF, {mode}": lambda mode=mode: saved(drawing(mode), "TIFF")
        for mode in ["1", "L", "LA", "RGB", "RGBA", "CMYK", "LAB", "I;16", "I", "F"]
    },
    **{
        f"TIFF, {how}": lambda how=how: saved(
            drawing("1" if how in ("group3", "group4", "tiff_ccitt") else "RGB"),
            "TIFF",
            compression=how,
        )
        for how in (
            "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "group3", "group4",
            "tiff_ccitt", "jpeg", "lzma", "zstd",
        )
    },
    "TIFF, 16 bits, LZW": lambda: saved(drawing("I;16"), "TIFF", compression="tiff_lzw"),
    "TIFF, floats, LZW": lambda: saved(drawing("F"), "TIFF", compression="tiff_lzw"),
    "TIFF, big": lambda: saved(drawing(), "TIFF", big_tiff=True),
    "TIFF, tiles": tiled_tiff,
    "TIFF, several": lambda: saved(
        drawing(), "TIFF", save_all=True, append_images=[drawing("L")]
    ),
    "WebP": lambda: saved(drawing(), "WEBP"),
    "WebP, lossless": lambda: saved(drawing(), "WEBP", lossless=True),
    "WebP, alpha": lambda: saved(drawing("RGBA"), "WEBP"),
    "WebP, animated": lambda: saved(
        drawing(), "WEBP", save_all=True, append_images=[drawing("RGB", 5)], duration=9
    ),
}  # fmt: skip


# --- Sources: dict of relative path -> bytes; the first of them is what is damaged. ---

TAGS = (b"\xb0\xa1", b"\xb0\xa2", b"A\0")
IMAGES = np.random.default_rng(0).integers(0, 256, (30, 7, 5), np.uint8)
LABELS = np.arange(30, dtype=np.uint8) % 3


def gnt():
    pixels = np.asarray(drawing("L"))
    height, width = pixels.shape
    return b"".join(
        struct.pack("<I2sHH", 10 + width * height, TAGS[i % 3], width, height) + pixels.tobytes()
        for i in range(9)
    )


def etl(kind):
    pixels = {"etl8b": 504, "etl9b": 504, "etl8g": 8128, "etl9g": 8128}[kind]
    size = {"etl8b": 512, "etl9b": 576}.get(kind, 8199)
    start = {"etl8g": 60, "etl9g": 64}.get(kind, 8)
    rng = np.random.default_rng(len(kind))
    record = b""
    for i in range(8):
        data = bytearray(size)
        struct.pack_into(">HH", data, 0, 1 + i // 2, (0x3021, 0x2422, 0x4F53)[i % 3])
        data[start : start + pixels] = rng.integers(0, 256, pixels, np.uint8).tobytes()
        record += data
    return (bytes(size) if kind.endswith("b") else b"") + record


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def npz(how=np.savez_compressed, **arrays):
    file = io.BytesIO()
    how(file, **arrays)
    return file.getvalue()


def class_folders(top=""):
    return {
        f"{top}{name}/{i}.png": saved(drawing("L", 2 + label), "PNG")
        for label, name in enumerate(("U+4E00", "U+4E8C"))
        for i in range(3)
    }


def zipped(files, how=zipfile.ZIP_DEFLATED):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", how) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, how)
    return data.getvalue()


def tarred(files, format=tarfile.PAX_FORMAT):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=format) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def table(delimiter=",", extra=True):
    rows = [("file", "label", "split", "writer")]
    for i in range(8):
        rows.append((f"{i}.png", "亜右"[i % 2], ("train", "test")[i % 4 == 3], f"w{i // 3}"))
    text = "".join(delimiter.join(row[: 4 if extra else 2]) + "\n" for row in rows)
    return text.encode()


def loose():
    return {f"{i}.png": saved(drawing("L", 2 + i % 2), "PNG") for i in range(8)}


def pages():
    page = Image.new("L", (70, 60), 230)
    for left in (5, 30):
        page.paste(drawing("L"), (left, 20))
    return {f"train_images/{i}_1.png": saved(page, "PNG") for i in range(3)}


def boxes():
    return ("image_id,labels\n" + "".join(
        f"{i}_1,U+306F 5 20 22 18 U+2000B 30 20 22 18\n" for i in range(3)
    )).encode()  # fmt: skip


def keras_arrays():
    return npz(x_train=IMAGES[:20], y_train=LABELS[:20], x_test=IMAGES[20:], y_test=LABELS[20:])


IMGS, LABS = "k49-train-imgs.npz", "k49-train-labels.npz"
IDX3, IDX1 = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
SOURCES = {
    "GNT": lambda: {"001.gnt": gnt(), "002.gnt": gnt(), "003.gnt": gnt()},
    "GNT in a zip": lambda: {"a.zip": zipped({"1.gnt": gnt(), "2.gnt": gnt()})},
    "ETL8B": lambda: {"ETL8B2C1": etl("etl8b")},
    "ETL8G": lambda: {"ETL8G_01": etl("etl8g")},
    "ETL9B": lambda: {"ETL9B_1": etl("etl9b")},
    "ETL9G": lambda: {"ETL9G_01": etl("etl9g")},
    "ETL of no name": lambda: {"data.bin": etl("etl9b")},
    "npz": lambda: {IMGS: npz(arr_0=IMAGES), LABS: npz(arr_0=LABELS)},
    "npz, labels": lambda: {LABS: npz(arr_0=LABELS), IMGS: npz(arr_0=IMAGES)},
    "npz, stored": lambda: {IMGS: npz(np.savez, arr_0=IMAGES), LABS: npz(arr_0=LABELS)},
    "npz of Keras": lambda: {"mnist.npz": keras_arrays()},
    "idx": lambda: {IDX3: idx(IMAGES), IDX1: idx(LABELS)},
    "idx, labels": lambda: {IDX1: idx(LABELS), IDX3: idx(IMAGES)},
    "idx.gz": lambda: {
        f"{IDX3}.gz": gzip.compress(idx(IMAGES)), f"{IDX1}.gz": gzip.compress(idx(LABELS)),
    },
    "class map": lambda: {
        "map.csv": "index,codepoint,char\n0,U+304A,お\n1,U+304D,き\n2,U+3059,す\n".encode(),
        IMGS: npz(arr_0=IMAGES), LABS: npz(arr_0=LABELS),
    },
    "zip, stored": lambda: {"a.zip": zipped(class_folders(), zipfile.ZIP_STORED)},
    "zip": lambda: {"a.zip": zipped(class_folders("top/"))},
    "zip of a table": lambda: {"a.zip": zipped({"t.csv": table(), **loose()})},
    "tar": lambda: {"a.tar": tarred(class_folders())},
    "tar of GNU": lambda: {"a.tar": tarred(class_folders("x" * 120 + "/"), tarfile.GNU_FORMAT)},
    "tar.gz": lambda: {"a.tar.gz": gzip.compress(tarred(class_folders()))},
    "tar.xz": lambda: {"a.tar.xz": lzma.compress(tarred(class_folders()))},
    "tar.bz2": lambda: {"a.tar.bz2": bz2.compress(tarred(class_folders()))},
    "tar of pages": lambda: {"a.tar": tarred({"train.csv": boxes(), **pages()})},
    "table, commas": lambda: {"labels.csv": table(), **loose()},
    "table, tabs": lambda: {"labels.tsv": table("\t"), **loose()},
    "table of two columns": lambda: {"labels.csv": table(extra=False), **loose()},
    "Kaggle": lambda: {"train.csv": boxes(), **pages()},
    "class folders": class_folders,
    "list of classes": lambda: {"classes.txt": "U+4E00\n二\n".encode(), **class_folders()},
    "corrections": lambda: {
        "corrections.csv": b"path,label,correction\nU+4E00/1.png,U+4E00,U+4E8C\n"
        b"U+4E8C/2.png,U+4E8C,\n",
        **class_folders(),
    },
}  # fmt: skip
# What create_dataset.py is told besides the folder, with the name of the damaged file in it.
OPTIONS = {
    "class map": ("--class-map", "{}"),
    "list of classes": ("--classes", "{}"),
    "corrections": ("--corrections", "{}"),
    "Kaggle": ("--reader", "kaggle"),
}


# --- Files of the toolkit itself ---


def dataset(copies=0):
    from glyphs.dataset.write import write_dataset
    from glyphs.images.preprocessing import Preprocessing

    elastic = (copies * 10, iter([np.concatenate([IMAGES[:10]] * copies)])) if copies else None
    splits = {
        name: (IMAGES, np.arange(i, i + 10), LABELS[i : i + 10])
        for name, i in (("train", 0), ("val", 10), ("test", 20))
    }
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/d"
        write_dataset(path, splits, list("abc"), Preprocessing(((7, 5),)), {}, elastic=elastic)
        with open(path, "rb") as file:
            return file.read()


def dataset_of_2016():
    file = io.BytesIO()
    for i in (0, 10, 20):
        np.save(file, (IMAGES[i : i + 10, None] / 255).astype(np.float32))
        np.save(file, LABELS[i : i + 10].astype(int))
    np.save(file, np.array([b"B0A1", b"B0A2", b"B0A3"]))
    return file.getvalue()


DATASETS = {
    "dataset": dataset,
    "dataset, elastic": lambda: dataset(2),
    "dataset of 2016": dataset_of_2016,
}
MODEL_FILES = {
    "architecture": "_architecture.json", "weights": "_weights.h5", "ONNX": ".onnx",
}  # fmt: skip
