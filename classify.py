"""Classify pictures of single characters: one line `path label` for each.

    python classify.py a.png b.png
    python classify.py FOLDER --top 3 --format csv > labels.csv
    python classify.py FOLDER --model pretrained/japanese/model --only hiragana
    find scans -name '*.png' | python classify.py -

Folders stand for all pictures in them and in their sub-folders. The model is what model.py wrote:
`model_architecture.json` and `model_weights.h5`, or others by --model PREFIX; of several the mean
probabilities count. A picture that cannot be read is named on stderr, the rest go on, and the exit
code is 1. With --reject the label is ? where the model is not sure enough, or nothing is written.
"""

import csv
import os
import sys

from glyphs import characters, charsets, console, options
from glyphs.errors import PictureError, UsageError, one_line


def parse_args(argv=None):
    parser = options.make_parser(__doc__)
    parser.add_argument(
        "pictures",
        nargs="+",
        metavar="IMAGE",
        help="picture or folder; - reads names from standard input, one a line (or NUL-separated)",
    )
    parser.add_argument(
        "--model",
        action="append",
        metavar="PREFIX",
        help="beginning of the model files' names, or their folder; several are asked together "
        "where it is given several times (default: model)",
    )
    parser.add_argument(
        "--tta",
        action="store_true",
        help="ask about seven views of each picture, shifted and turned a little: slower, and "
        "right a little more often",
    )
    options.add_only(parser)
    options.add_workers(parser)
    doubt = parser.add_argument_group("doubt")
    doubt.add_argument(
        "--reject",
        action="store_true",
        help="print ? as the label of what the model, once calibrated, would not bet on",
    )
    doubt.add_argument(
        "--accuracy",
        type=options.share,
        metavar="X",
        help="with --reject: the share of the other labels that is to be right (default: 0.99)",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--top",
        type=options.integer(1),
        metavar="N",
        help="print the N best labels, each with its percentage",
    )
    output.add_argument("--format", choices=FORMATS, default="text", help="of the output")
    output.add_argument(
        "--characters",
        action="store_true",
        help="print the character too, beside a label such as U+4E9C or B0A1",
    )
    options.add_label_encoding(output)
    output.add_argument(
        "--explain",
        metavar="DIR",
        help="write each picture into this folder, red where the network saw its label",
    )
    args = parser.parse_args(argv)
    args.model = args.model or ["model"]
    if args.accuracy is not None and not args.reject:
        raise UsageError("--accuracy says how much --reject lets through; add that")
    if args.explain and len(args.model) > 1:
        raise UsageError("--explain shows what one network saw; give one --model")
    return args


def main(argv=None):
    args = parse_args(argv)
    from glyphs.artifacts.paths import find_model

    args.model = [find_model(prefix) for prefix in args.model]
    classifier = open_classifier(args)
    accuracy = None
    if args.reject:
        accuracy = 0.99 if args.accuracy is None else args.accuracy
        classifier.threshold(accuracy)  # an error now, before any output
    if args.top:
        args.top = min(args.top, len(classifier.class_names))
    if args.label_encoding:
        classifier.characters = [
            characters.character_of(name, args.label_encoding) for name in classifier.class_names
        ]
    if args.characters and not any(classifier.characters):
        console.warn("no label names a character; say what they are with --label-encoding")
    explain = prepare_explain(args, classifier) if args.explain else iter
    failures = []

    def on_error(error):
        failures.append(error.path)
        console.error(error)

    paths = expand(args.pictures, on_error)
    predictions = classifier.classify(
        paths,
        top=args.top or 1,
        keep=bool(args.explain),
        accuracy=accuracy,
        workers=args.workers,
    )
    predictions = report_errors(predictions, on_error)
    predictions = explain(predictions)
    FORMATS[args.format](predictions, args)
    return PictureError.exit_code if failures else 0


def open_classifier(args):
    """Return the model, or the models as one, that the arguments name."""
    from glyphs.inference import Classifier, Ensemble

    only = charsets.names_in(args.only, args.label_encoding) if args.only else None
    if len(args.model) == 1:
        return Classifier(args.model[0], tta=args.tta, only=only, notify=console.warn)
    ensemble = Ensemble(args.model, tta=args.tta, only=only, notify=console.warn)
    if unshared := ensemble.unshared:
        shown = ", ".join(unshared[:10]) + (", ..." if len(unshared) > 10 else "")
        console.warn(
            f"{len(unshared)} of {len(ensemble.class_names)} classes are not in every model, and "
            f"count as 0 where they are missing: {shown}"
        )
    return ensemble


def report_errors(predictions, on_error):
    """Pass predictions on, and the error of each that could not be read to a function."""
    for prediction in predictions:
        if prediction.is_unread:
            on_error(prediction.error)
        yield prediction


def prepare_explain(args, classifier):
    """Return the function that writes class activation maps of the predictions it passes on."""
    from glyphs import files

    files.make_folder(args.explain)
    explained = os.path.realpath(args.explain)
    for searched in filter(os.path.isdir, args.pictures):
        folder = os.path.realpath(searched)
        if os.path.commonpath([explained, folder]) == folder:
            raise UsageError(f"{args.explain}: lies in {searched}, which is searched for pictures")
    from glyphs.training import backend

    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever is set: the maps need its gradient
    with backend.without_chatter():
        backend.import_keras()
        from glyphs.inference import explain

    explainer = explain.Explainer(args.model[0])
    return lambda predictions: explain.write_maps(
        predictions, explainer, classifier.facts["class_names"], args.explain
    )


def expand(names, on_error):
    """Yield the pictures that the arguments stand for: files, folders, or - for a list."""
    from glyphs.sources import folders

    for name in names:
        if name == "-":
            listed = sys.stdin.buffer.read()
            # Lists from Windows end their lines with \r\n.
            lines = listed.split(b"\0") if b"\0" in listed else listed.splitlines()
            listed = [os.fsdecode(line) for line in lines]
            # A file called - in the list is a file, not the list again.
            listed = [f"./{file}" if file == "-" else file for file in listed if file]
            yield from expand(listed, on_error)
        elif os.path.isdir(name):
            found = False
            for path in folders.walk(name, on_error=on_error):
                found = True
                yield path
            if not found:
                on_error(PictureError(name, "no pictures in this folder"))
        else:
            yield name


def print_text(predictions, args):
    """`path label`; with --top, `path label percentage label percentage ...`.

    What is rejected has the label ?; with --top the candidates follow.
    """
    for prediction in predictions:
        if prediction.is_unread:
            continue
        words = [one_line(prediction.path)]
        if prediction.rejected:
            words.append("?")
        for candidate in prediction.candidates if args.top or not prediction.rejected else ():
            words.append(one_line(candidate.label))
            if args.characters and candidate.character not in (None, candidate.label):
                words.append(candidate.character)
            if args.top:
                words.append(f"{100 * candidate.probability:.2f}%")
        print(*words)


def print_csv(predictions, args):
    """`filename,label,probability`, then the columns of the second candidate, and so on.

    With --reject the last column is `rejected`, true or false.
    """
    columns = ["label", "character", "probability"] if args.characters else ["label", "probability"]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    numbers = [""] + [f"_{i}" for i in range(2, (args.top or 1) + 1)]
    header = ["filename"] + [column + number for number in numbers for column in columns]
    writer.writerow(header + ["rejected"] * args.reject)
    for prediction in predictions:
        if prediction.is_unread:
            continue
        row = [prediction.path]
        for candidate in prediction.candidates:
            row.append(candidate.label)
            if args.characters:
                row.append(candidate.character or "")
            row.append(f"{candidate.probability:.6f}")
        row += [""] * (len(header) - len(row))  # a blank picture has no candidates
        writer.writerow(row + [str(prediction.rejected).lower()] * args.reject)


def print_json(predictions, args):
    """A list of objects, one a line; a picture that could not be read has an `error`.

    With --reject the others say whether they are `rejected`; a blank one has no candidates.
    """
    from glyphs.inference.as_json import json_lines

    for text in json_lines(predictions, characters=args.characters, reject=args.reject):
        print(text, end="")


FORMATS = {"text": print_text, "csv": print_csv, "json": print_json}


if __name__ == "__main__":
    sys.exit(console.run(main))
