"""Add distorted copies of the training pictures to a dataset, as other hands might write them.

    python create_augmented_dataset.py

Reads `characters_dataset`; writes `characters_dataset_elastic`, which
model_for_augmented_dataset.py trains on. It holds all of `characters_dataset` and 9 elastically
distorted copies of its train split. --preview N also shows N classes before and after in
Dataset-Augmentation/.

Presets (alpha is the strength, sigma the smoothness, in pixels of a 32-pixel picture):

    classic  alpha 47, sigma 6
    simard   alpha 41.4, sigma 4.41 (Simard 2003: 34 and 4 at 29 pixels)
    ciresan  alpha 43.83 to 46.27, sigma 5.52 to 6.62 (Ciresan 2010: 36 to 38 and 5 to 6 at 29
             pixels), rotation or shear within 15 degrees, height and width scaled within 15 to 20 %
    affine   alpha 36, sigma 5, rotation and shear within 10 degrees each, height and width scaled
             within 12 %, shifts within 1.5 pixels; some ink may leave the picture
    pens     affine, and strokes thicker or thinner, blurred, faint or noisy; glyphnet's own
"""

import sys

from glyphs import console, options
from glyphs.errors import one_line

COPIES = 9
PREVIEWS = "Dataset-Augmentation"


def parse_args(argv=None):
    parser = options.make_parser(__doc__)
    parser.add_argument(
        "--dataset", default="characters_dataset", metavar="FILE", help="what to distort"
    )
    parser.add_argument(
        "--output", default="characters_dataset_elastic", metavar="FILE", help="what to write"
    )
    parser.add_argument(
        "--copies",
        type=options.integer(1, 1000),
        default=COPIES,
        metavar="N",
        help="distorted copies of each training picture",
    )
    parser.add_argument(
        "--preview",
        type=options.integer(1),
        metavar="N",
        help=f"also write before and after pictures of N classes to {PREVIEWS}/",
    )
    options.add_workers(parser, "threads")
    distortion = parser.add_argument_group("distortion")
    distortion.add_argument(
        "--preset",
        type=options.preset,
        choices=("classic", "simard", "ciresan", "affine", "pens"),
        default="classic",
        help="how to distort",
    )
    distortion.add_argument(
        "--alpha",
        type=options.not_negative_number,
        metavar="X",
        help="strength, not the preset's",
    )
    distortion.add_argument(
        "--sigma", type=options.positive_number, metavar="X", help="smoothness, not the preset's"
    )
    distortion.add_argument(
        "--small-angle",
        nargs="+",
        default=[],
        metavar="CLASS",
        help="classes to turn by half the angle only, such as characters that differ by a slant",
    )
    options.add_seed(distortion)
    args = parser.parse_args(argv)
    if args.small_angle and args.preset not in ("ciresan", "affine", "pens"):
        parser.error(f"--small-angle: --preset {args.preset} does not turn pictures")
    return args


def main(argv=None):
    args = parse_args(argv)
    import os

    from glyphs import files
    from glyphs.augment import build, preview
    from glyphs.dataset.open import open_dataset

    dataset = open_dataset(args.dataset)
    preset = choose_preset(args)
    if args.preview:
        files.make_folder(PREVIEWS)
    existed = os.path.exists(args.output)
    with console.Progress("pictures") as progress:
        summary = build.augment_dataset(
            dataset,
            args.output,
            preset,
            copies=args.copies,
            seed=args.seed,
            small_angle=args.small_angle,
            preset_name=args.preset,
            workers=args.workers,
            progress=progress.update,
        )
    print_summary(summary, dataset, preset, args, existed)
    if args.preview:
        written = open_dataset(args.output)
        for path in preview.write_sheets(written, PREVIEWS, args.preview):
            print(f"{path}: written")


def choose_preset(args):
    """Return the Preset that was asked for, with its alpha and sigma replaced if given."""
    import dataclasses

    from glyphs.augment.presets import PRESETS

    given = {"alpha": args.alpha, "sigma": args.sigma}
    given = {name: (value,) for name, value in given.items() if value is not None}
    return dataclasses.replace(PRESETS[args.preset], **given)


def print_summary(summary, dataset, preset, args, existed):
    """Say on stdout what is in the dataset."""
    height, width = dataset.preprocessing.image_size
    replaced = " (the file that was there is replaced)" if existed else ""
    print(one_line(f"{args.output}: written{replaced}"))
    print(
        f"  {summary.distorted:,} distorted pictures of {len(dataset.class_names)} classes, "
        f"{height}x{width}: {args.copies} of each in train"
    )
    for name in ("train", "val", "test"):
        print(f"  {name:<6}{len(getattr(dataset, f'y_{name}')):>9,} pictures, unchanged")
    values = (f"{name} {describe(getattr(preset, name))}" for name in ("alpha", "sigma"))
    print(f"  preset {args.preset}: {', '.join(values)}; seed {args.seed}")
    if preset.angle:
        shares = [100 * share for share in sorted(set(preset.scaling))]
        both = "or" if preset.shift is None else "and"
        shift = f", shifts within {preset.shift:g} pixels" if preset.shift else ""
        print(
            f"  rotation {both} shear within {preset.angle:g} degrees, scaling within "
            f"{describe(shares)} %{shift}"
        )
    if summary.small_angle:
        print(one_line(f"  half that angle: {', '.join(summary.small_angle)}"))
    print(f"  {summary.seconds:.1f} s, {summary.pictures_per_second:,.0f} pictures/s")


def describe(values):
    return f"{values[0]:g}" if len(values) == 1 else f"{min(values):g} to {max(values):g}"


if __name__ == "__main__":
    sys.exit(console.run(main))
