"""The networks by name: what each is, known without loading Keras.

from glyphs import catalogue

network = catalogue.build("kmnist", (28, 28), 10)
"""

import dataclasses

from glyphs.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Entry:
    """A network that has a name.

    Attributes:
        function: its builder in glyphs.networks.
        side: height and width of its pictures in the seed.
        n_classes: number of classes in the seed.
        parameters: of the network for that size and so many classes.
        trainable: how many of these the training changes.
        source: where it comes from.
        options: of the builder.
        takes_weights: whether the builder has the option `weights`.
    """

    function: str
    side: int
    n_classes: int
    parameters: int
    trainable: int
    source: str
    options: dict = dataclasses.field(default_factory=dict)
    takes_weights: bool = False

    @property
    def image_size(self):
        """`(height, width)` of its pictures in the seed."""
        return self.side, self.side


_KANJI = "CNN for handwritten kanji"
_KUZUSHIJI = "Japanese Kuzushiji Character Classification"
NETWORKS = {
    "glyphnet": Entry("glyphnet", 32, 100, 1_277_060, 1_275_140, "this toolkit's own"),
    "kanji": Entry("kanji", 32, 100, 8_344_660, 8_336_240, f"{_KANJI}: model.py"),
    "kanji30": Entry(
        "kanji", 30, 100, 8_339_080, 8_330_660, f"{_KANJI}: model30x30.py",
        {"pad_block_2": True},
    ),
    "kanji-wide": Entry(
        "kanji", 32, 100, 17_490_180, 17_477_620, f"{_KANJI}: model_for_augmented_dataset.py",
        {"filters": (40, 80, 160), "units": 3000},
    ),
    "kuzushiji": Entry("kuzushiji", 80, 514, 37_934_274, 37_921_314, f"{_KUZUSHIJI}: baseline"),
    "kuzushiji-fcn": Entry(
        "kuzushiji_fcn", 80, 514, 11_072_230, 11_067_162, f"{_KUZUSHIJI}: fully convolutional",
    ),
    "xception": Entry(
        "xception", 80, 514, 96_935_994, 80_791_314, f"{_KUZUSHIJI}: transfer learning",
        takes_weights=True,
    ),
    "resnet152v2": Entry(
        "resnet152v2", 80, 514, 134_406_162, 77_098_258, f"{_KUZUSHIJI}: transfer learning",
        takes_weights=True,
    ),
    "kmnist": Entry("kmnist", 28, 10, 11_722, 11_626, "Kuzushiji-MNIST Character Classification"),
    "hebrew": Entry(
        "hebrew", 64, 27, 17_014_107, 17_014_107, "Handwritten ancient Hebrew characters",
    ),
    "melnyk": Entry(
        "melnyk", 96, 3755, 6_523_819, 6_518_635, "Melnyk-Net, arXiv 1812.11489",
    ),
}  # fmt: skip


def find(name):
    """Return the Entry of a network.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in NETWORKS:
        raise UsageError(f"{name}: no such network; choose one of {', '.join(NETWORKS)}")
    return NETWORKS[name]


def build(name, image_size, n_classes, **options):
    """Return a network as an uncompiled keras.Model.

    Args:
        name: one of NETWORKS.
        image_size: `(height, width)` of its pictures.
        n_classes: number of classes.
        **options: of the builder; they go before those of the catalogue.

    Raises:
        UsageError: no such network, the pictures are too small for it, or its weights are missing.
    """
    entry = find(name)
    from glyphs import networks

    builder = getattr(networks, entry.function)
    return builder(image_size, n_classes, **{**entry.options, **options})
