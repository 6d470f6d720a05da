"""Measure how good a model is: on the test split of its dataset, or on any labelled pictures.

    python evaluate.py
    python evaluate.py --model model scans --conditions --html report.html
    python evaluate.py --model old --model new
    python evaluate.py --calibrate

Prints the accuracy with its 95 % interval and other figures; --json prints them as one JSON object,
--classes FILE and --answers FILE write tables of the classes and of every picture as CSV. Classes
are matched by name; those that only the model or only the pictures have are listed. With
--conditions, the same pictures are photographed, boxed, reduced and so on: what will the model do
with what people bring? Two models are compared on the same pictures.

--calibrate learns on the val split how far to believe the model, and stores that with it: from then
on percentages mean what they say, and classify.py --reject knows what it should not bet on.
"""

import csv
import json
import sys

from glyphs import console, options
from glyphs.errors import UsageError, one_line


def parse_args(argv=None):
    parser = options.make_parser(__doc__)
    parser.add_argument(
        "data",
        nargs="?",
        default="characters_dataset",
        metavar="DATA",
        help="dataset, or folder, archive or file of labelled pictures",
    )
    parser.add_argument(
        "--model",
        action="append",
        metavar="PREFIX",
        help="beginning of the model files' names, or their folder; twice to compare "
        "(default: model)",
    )
    parser.add_argument(
        "--split",
        choices=("train", "val", "test", "all"),
        help="which pictures (default: test of a dataset, all of other sources)",
    )
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="first learn on the val split how far to believe the model, and store it with it",
    )
    parser.add_argument(
        "--tta",
        action="store_true",
        help="ask about seven views of each picture, a little moved and turned",
    )
    parser.add_argument(
        "--accuracy",
        type=options.share,
        default=0.99,
        metavar="SHARE",
        help="of a calibrated model: say what is left where so many answers must be right",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--classes", metavar="FILE", help="write a table of the classes as CSV")
    parser.add_argument("--answers", metavar="FILE", help="write the answer to each picture as CSV")
    conditions = parser.add_argument_group("conditions")
    conditions.add_argument(
        "--conditions",
        action="store_true",
        help="measure too what the model does with pictures as people bring them",
    )
    conditions.add_argument(
        "--count",
        type=options.integer(1),
        default=1500,
        metavar="N",
        help="on so many pictures, drawn by chance",
    )
    options.add_seed(conditions)
    options.add_workers(parser)
    options.add_source(parser)
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    models = args.model or ["model"]
    if len(models) > 2:
        raise UsageError("--model: at most two models are compared")
    if args.calibrate and (len(models) > 1 or args.tta):
        raise UsageError("--calibrate: one model at a time, and without --tta")
    from glyphs import files
    from glyphs.artifacts.paths import find_model
    from glyphs.evaluation.result import compare
    from glyphs.inference import Classifier

    written = [path for path in (args.classes, args.answers) if path]
    for path in written:
        files.refuse_same(path, args.data, args.class_map)
        files.check_can_write(path)
    prefixes = [find_model(model) for model in models]
    if args.calibrate:
        calibrate(prefixes[0], args)
    classifiers = [Classifier(prefix, tta=args.tta, notify=console.warn) for prefix in prefixes]
    results = []
    for prefix, classifier in zip(prefixes, classifiers, strict=True):
        with opened(classifier, args.split, args) as labelled:
            results.append(measure(prefix, classifier, labelled, args))
    first = results[0]
    if args.classes:
        write_csv(args.classes, first.class_rows())
    if args.answers:
        write_csv(args.answers, first.answer_rows())
    compared = compare(*results) if len(results) == 2 else None
    if args.json:
        print_json(results, compared)
    else:
        print_text(results, compared)
    return 0


def opened(classifier, split, args):
    """Open the pictures of a split whose classes a model knows."""
    from glyphs.evaluation.labelled import open_labelled

    return open_labelled(
        args.data,
        classifier.class_names,
        split=split,
        options=options.source_options(args),
        reader=args.reader,
        groups=args.groups,
    )


def calibrate(prefix, args):
    """Learn on the val split how far to believe a model, and store it with the model."""
    from glyphs.artifacts.doubt import store_doubt
    from glyphs.evaluation import calibration
    from glyphs.inference import Classifier

    classifier = Classifier(prefix, calibrated=False, notify=console.warn)
    with opened(classifier, "val", args) as labelled, console.Progress("pictures") as progress:
        doubt = calibration.calibrate(
            classifier, labelled, seed=args.seed, workers=args.workers, progress=progress.update
        )
    store_doubt(prefix, doubt)
    sure = [f"{100 * float(a):g} %" for a, t in doubt["thresholds"].items() if t is not None]
    promised = ", ".join(sure) or "no accuracy (too few pictures)"
    say = console.say if not args.json else console.warn
    say(
        f"calibrated {prefix} on {doubt['pictures']:,} pictures of val: temperature "
        f"{doubt['temperature']:.3f}; classify.py --reject can promise {promised}"
    )


def measure(prefix, classifier, labelled, args):
    """Return the Result of a model on labelled pictures."""
    from glyphs.evaluation import metrics, trials
    from glyphs.evaluation.answers import answer
    from glyphs.evaluation.result import Result

    with console.Progress("pictures") as progress:
        answers = answer(classifier, labelled, workers=args.workers, progress=progress.update)
    conditions = None
    if args.conditions:
        with console.Progress("steps") as progress:
            conditions, _ = trials.accuracies(
                classifier,
                labelled,
                count=args.count,
                seed=args.seed,
                workers=args.workers,
                progress=progress.update,
            )
    return Result(
        prefix,
        labelled.source,
        labelled.split,
        classifier.class_names,
        labelled.unknown,
        labelled.absent,
        labelled.names(slice(None)),
        answers,
        metrics.figures(answers, len(classifier.class_names)),
        conditions,
        args.accuracy,
        threshold_of(classifier, args.accuracy),
    )


def threshold_of(classifier, accuracy):
    """Return the least probability to believe; None where the model cannot promise the accuracy."""
    try:
        return classifier.threshold(accuracy)
    except UsageError:
        return None


def print_text(results, compared):
    from glyphs.evaluation import report_text

    for result in results:
        for line in report_text.lines(result):
            console.say(line)
    if compared:
        first, second = (one_line(result.model) for result in results)
        console.say(
            f"on the same {compared['pictures']:,} pictures {first} has {compared['right'][0]:,} "
            f"right, {second} {compared['right'][1]:,}; {compared['only_first']:,} only {first}, "
            f"{compared['only_second']:,} only {second} (McNemar's test: p = {compared['p']:.2g})"
        )


def print_json(results, compared):
    """One object: of one model its figures, of two both and how they compare."""
    found = [result.to_json() for result in results]
    whole = found[0] if compared is None else {"models": found, "comparison": compared}
    print(json.dumps(whole, ensure_ascii=False, indent=1))


def write_csv(path, rows):
    """Write a list of dicts with the same keys, which are the names of the columns."""
    import io

    from glyphs import files

    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with files.replacing(path) as file:
        file.write(text.getvalue().encode(errors="surrogateescape"))


if __name__ == "__main__":
    sys.exit(console.run(main))
