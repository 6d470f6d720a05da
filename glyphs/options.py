"""The options of the scripts: each is declared once, with its type, and shown in groups.

A script makes a parser of its docstring and adds to it. Only scripts import this.
"""

import argparse
import os
import re

from glyphs import characters


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Print a script's docstring as it stands, and the default of every option that has one."""

    def _get_help_string(self, action):
        shown = action.default not in (None, False, argparse.SUPPRESS, [])
        if action.option_strings and shown and "(default" not in action.help:
            default = action.default
            text = " ".join(map(str, default)) if isinstance(default, (list, tuple)) else None
            return f"{action.help} (default: {text or '%(default)s'})"
        return action.help


def make_parser(docstring):
    """Return an argument parser whose description is the script's docstring."""
    return argparse.ArgumentParser(
        description=docstring, formatter_class=_HelpFormatter, allow_abbrev=False
    )


# --- Types: each turns the text of an argument into its value ---


def integer(lowest, highest=None):
    """Return a type: a whole number of at least `lowest` and at most `highest`."""

    def parse(text):
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"not a whole number: {text!r}") from None
        if value < lowest or (highest is not None and value > highest):
            limits = f"at least {lowest}" + ("" if highest is None else f", at most {highest}")
            raise argparse.ArgumentTypeError(f"must be {limits}. Received: {value}")
        return value

    return parse


def positive_number(text):
    """Type: a finite number above 0."""
    value = not_negative_number(text)
    if not value:
        raise argparse.ArgumentTypeError(f"must be a positive number. Received: {text}")
    return value


def not_negative_number(text):
    """Type: a finite number, 0 or above."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a number: {text!r}") from None
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be 0 or a positive number. Received: {text}")
    return value


def share(text):
    """Type: a number of at least 0 and below 1."""
    value = not_negative_number(text)
    if value >= 1:
        raise argparse.ArgumentTypeError(f"must be a share below 1. Received: {text}")
    return value


def part(text):
    """Type: `I/N`, the Ith of N parts, to `(I, N)`."""
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    number, count = map(int, match.groups()) if match else (0, 0)
    if not 1 <= number <= count:
        raise argparse.ArgumentTypeError(
            f"must be I/N, the Ith of N parts, 1/N to N/N. Received: {text!r}"
        )
    return number, count


def coverage(text):
    """Type: a number above 0 and at most 1."""
    value = positive_number(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f"must be at most 1. Received: {text}")
    return value


def image_size(text):
    """Type: `32`, or height x width as `48x32`, to `(height, width)`."""
    sides = text.lower().split("x")
    try:
        height, width = (int(sides[0]), int(sides[-1])) if len(sides) <= 2 else (0, 0)
    except ValueError:
        height = width = 0
    if not (4 <= height <= 1024 and 4 <= width <= 1024):
        raise argparse.ArgumentTypeError(
            f"must be a side such as 32, or HEIGHTxWIDTH, of 4 to 1024 pixels. Received: {text!r}"
        )
    return height, width


def model_prefix(default):
    """Return a type: beginning of the model files' names; `default` in a folder."""

    def parse(text):
        if not text:
            raise argparse.ArgumentTypeError("must not be empty")
        is_folder = text.endswith(os.sep) or (text != default and os.path.isdir(text))
        return os.path.join(text, default) if is_folder else text

    return parse


def regex(text):
    """Type: a regular expression, as text."""
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"not a regular expression ({error}): {text!r}") from None
    return text


def group_rule(text):
    """Type: "auto", "none" or a regular expression."""
    return text if text in ("auto", "none") else regex(text)


def preset(text):
    """Type: the name of a preset of distortion; "classic" was called "seed" once."""
    return "classic" if text == "seed" else text


# --- Options that several scripts have; `parser` may be a group of a parser ---


def add_workers(parser, kind="processes"):
    parser.add_argument(
        "--workers",
        type=integer(1, 256),
        metavar="N",
        help=f"{kind} that work on pictures (default: one per core)",
    )


def add_cluster(group, does):
    """Add the options of work on a cluster; `does` says what it does there."""
    group.add_argument(
        "--cluster",
        metavar="FILE",
        help=f"{does} on the Dask cluster of this scheduler file (requirements-cluster.txt)",
    )
    group.add_argument(
        "--wait",
        type=positive_number,
        metavar="SECONDS",
        help="how long to wait for the cluster's scheduler, and for a worker (default: 30)",
    )


def add_seed(parser):
    parser.add_argument(
        "--seed", type=integer(0, 2**32 - 1), default=1, metavar="N", help="random seed"
    )


def add_label_encoding(parser):
    parser.add_argument(
        "--label-encoding",
        choices=characters.ENCODINGS,
        help="what class names of four hex digits mean: B0A1 is 亜 in euc-jp, 啊 in gb2312",
    )


def add_only(group):
    from glyphs.charsets import SETS

    group.add_argument(
        "--only",
        action="append",
        metavar="SET",
        help=f"answer with these classes only: {', '.join(SETS)}, or a text file of characters or "
        "class names; may be given several times",
    )


def add_source(parser, *, groups=True):
    """Add the group of options that say how to understand a source of pictures, and its groups."""
    from glyphs.sources.index import READERS

    source = parser.add_argument_group("source")
    source.add_argument(
        "--reader", choices=tuple(READERS), help="kind of source (default: told from its content)"
    )
    source.add_argument(
        "--label-regex",
        type=regex,
        metavar="REGEX",
        help="the class is what this finds in a picture's path, instead of its folder's name",
    )
    source.add_argument(
        "--class-map",
        metavar="FILE",
        help="characters of numbered classes: CSV of index,codepoint,char (default: found beside)",
    )
    source.add_argument(
        "--transpose",
        action=argparse.BooleanOptionalAction,
        help="swap rows and columns of arrays (default: for EMNIST)",
    )
    source.add_argument(
        "--margin",
        type=not_negative_number,
        default=0.0,
        metavar="X",
        help="widen boxes on pages by this part of their sides, on each side",
    )
    if groups:
        source.add_argument(
            "--groups",
            type=group_rule,
            default="auto",
            metavar="RULE",
            help="what must not be in two splits: auto (writers, books: as the source tells), "
            "none, or a REGEX that finds the writer in a picture's name",
        )


def source_options(args):
    """Return the Options that the options of add_source say."""
    from glyphs.sources.index import Options

    return Options(
        label_regex=args.label_regex,
        class_map=args.class_map,
        transpose=args.transpose,
        margin=args.margin,
    )


def add_training(parser, output, *, epochs=None, batch_size=None, learning_rate=None, says=""):
    """Add the groups of options that all training scripts share.

    Args:
        parser: of the script.
        output: the usual prefix of its model files.
        epochs, batch_size, learning_rate: defaults; None where they depend on the network.
        says: what to add to the help of --epochs.

    Returns:
        `(recipe, files)`: the groups, for further options.
    """
    recipe = parser.add_argument_group("recipe")
    recipe.add_argument(
        "--epochs",
        type=integer(1),
        default=epochs,
        metavar="N",
        help=f"most epochs of a cycle{says}",
    )
    recipe.add_argument(
        "--batch-size", type=integer(1), default=batch_size, metavar="N", help="pictures a step"
    )
    recipe.add_argument(
        "--learning-rate",
        type=positive_number,
        default=learning_rate,
        metavar="X",
        help="of the first cycle",
    )
    add_seed(recipe)
    files = parser.add_argument_group("files")
    files.add_argument(
        "--output",
        type=model_prefix(output),
        default=output,
        metavar="PREFIX",
        help="beginning of the model files' names, or a folder for them",
    )
    files.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint of an interrupted run"
    )
    return recipe, files


def add_dataset(parser, default="characters_dataset"):
    parser.add_argument("--dataset", default=default, metavar="FILE", help="what to train on")
