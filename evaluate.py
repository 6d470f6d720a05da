"""Measure how good a model is: on the test split of its dataset, or on any labelled pictures.

    python evaluate.py
    python evaluate.py --model model scans --conditions --html report.html
    python evaluate.py --model old --model new
    python evaluate.py --calibrate
    python evaluate.py --suspects suspects.csv --html report.html

Prints the accuracy with its 95 % interval and other figures; --json prints them as one JSON object,
--classes FILE and --answers FILE write tables of the classes and of every picture as CSV, --html
FILE a page with curves, confusions and mistakes, where labels can be put right. Classes are matched
by name, else by character, and --label-encoding says what codes such as B0A1 mean; those that only
the model or only the pictures have are listed. With --conditions, the same pictures are
photographed, boxed, reduced and so on: what will the model do with what people bring? Two models
are compared on the same pictures.

--suspects FILE lists pictures whose label is probably wrong, told by models that have not learned
from them; create_dataset.py --corrections puts labels right.

--calibrate learns on the val split how far to believe the model, and stores that with it: from then
on percentages mean what they say, and classify.py --reject knows what it should not bet on. What
is stored from more pictures, and can promise more, is kept unless --force is given.
"""

import contextlib
import json
import os
import sys

from glyphs import charsets, console, options
from glyphs.errors import ArtifactError, UsageError

ACCURACY = 0.99  # share of right answers that is wanted of a calibrated model
COUNT = 1500  # pictures that conditions are measured on
OF_SOURCES = ("reader", "label_regex", "class_map", "transpose", "margin")  # options
MAPS = 8  # mistakes that are shown with where the network saw its answer


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
        "--force",
        action="store_true",
        help="with --calibrate: replace a better calibration, too",
    )
    parser.add_argument(
        "--tta",
        action="store_true",
        help="ask about seven views of each picture, a little moved and turned",
    )
    options.add_only(parser)
    parser.add_argument(
        "--accuracy",
        type=options.share,
        metavar="SHARE",
        help="of a calibrated model: say what is left where so many answers must be right "
        f"(default: {ACCURACY})",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--classes", metavar="FILE", help="write a table of the classes as CSV")
    parser.add_argument("--answers", metavar="FILE", help="write the answer to each picture as CSV")
    parser.add_argument("--html", metavar="FILE", help="write a page to look at")
    parser.add_argument(
        "--maps",
        type=options.integer(0, 100),
        metavar="N",
        help="show in the page where the network saw its answer in so many mistakes; 0 spares "
        f"some seconds (default: {MAPS})",
    )
    conditions = parser.add_argument_group("conditions")
    conditions.add_argument(
        "--conditions",
        action="store_true",
        help="measure too what the model does with pictures as people bring them",
    )
    conditions.add_argument(
        "--count",
        type=options.integer(1),
        metavar="N",
        help=f"on so many pictures, drawn by chance (default: {COUNT})",
    )
    suspects = parser.add_argument_group("labels that are probably wrong")
    suspects.add_argument(
        "--suspects",
        metavar="FILE",
        help="write them as CSV; of a dataset that was made with --keep-names",
    )
    suspects.add_argument(
        "--quick",
        action="store_true",
        help="look at val and test only, by the model itself, instead of training anew",
    )
    suspects.add_argument(
        "--folds",
        type=options.integer(2),
        metavar="N",
        help="train so many times, each time without another part (default: 5)",
    )
    suspects.add_argument(
        "--epochs",
        type=options.integer(1),
        metavar="N",
        help="of each training (default: 6, more for few pictures)",
    )
    suspects.add_argument(
        "--mixed-precision", action="store_true", help="train in bfloat16, faster on new machines"
    )
    options.add_seed(parser)
    options.add_workers(parser)
    options.add_label_encoding(parser)
    options.add_source(parser, groups=False)
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    models = args.model or ["model"]
    check_options(args)
    from glyphs import files
    from glyphs.artifacts.paths import Paths, find_model
    from glyphs.evaluation.result import compare
    from glyphs.inference import Classifier

    prefixes = [find_model(model) for model in models]
    read = [args.data, args.class_map]
    for prefix in prefixes:
        read += [Paths(prefix).architecture, Paths(prefix).weights]
    written = [args.classes, args.answers, args.html, args.suspects]
    written = [path for path in written if path]
    if len({os.path.realpath(path) for path in written}) < len(written):
        raise UsageError(f"{written[0]}: two outputs cannot have one name")
    for path in written:
        files.refuse_same(path, *read)
        files.check_can_write(path)
    suspects = find_suspects(prefixes[0], args) if args.suspects else None
    if suspects is not None and not args.model and not os.path.exists(Paths("model").architecture):
        return 0  # nothing to measure, and none was asked for
    if args.calibrate:
        calibrate(prefixes[0], args)
    words = charsets.words_of(args.only or ())
    only = charsets.names_in(words, args.label_encoding) if words else None
    classifiers = [
        Classifier(prefix, tta=args.tta, only=only, notify=console.warn) for prefix in prefixes
    ]
    for prefix, classifier in zip(prefixes, classifiers, strict=True) if words else ():
        known = {*classifier.class_names, *classifier.characters}
        if missing := charsets.missing_in(known, words, args.label_encoding):
            console.warn(f"--only: {prefix} does not have {missing}")
    if args.accuracy and all(threshold_of(it, args.accuracy) is None for it in classifiers):
        classifiers[0].threshold(args.accuracy)  # says why it cannot be promised
    with contextlib.ExitStack() as stack:
        sources = [stack.enter_context(opened(it, args.split, args)) for it in classifiers]
        results = [
            measure(prefix, classifier, labelled, args)
            for prefix, classifier, labelled in zip(prefixes, classifiers, sources, strict=True)
        ]
        compared = compare(*results) if len(results) == 2 else None
        if args.html:
            write_html(args, results, compared, sources[0], classifiers[0], suspects)
    first = results[0]
    if args.classes:
        rows = first.class_rows()
        files.write_csv(args.classes, rows[0], rows)
    if args.answers:
        rows = first.answer_rows()
        files.write_csv(args.answers, rows[0], rows)
    if args.json:
        print_json(results, compared)
    else:
        print_text(results, compared)
    return 0


def check_options(args):
    """Raise UsageError where an option contradicts another one, or would do nothing without it."""
    from glyphs.artifacts.paths import Paths, find_model
    from glyphs.dataset.open import is_dataset

    if args.model and len(args.model) > 2:
        raise UsageError("--model: at most two models are compared")
    if args.calibrate and (len(args.model or ()) > 1 or args.tta):
        raise UsageError("--calibrate: one model at a time, and without --tta")
    if args.calibrate and args.only:
        raise UsageError("--calibrate: of all classes; measure with --only afterwards")
    if not args.suspects and (args.quick or args.folds or args.epochs or args.mixed_precision):
        raise UsageError("--quick, --folds, --epochs and --mixed-precision go with --suspects FILE")
    if args.quick and (args.folds or args.epochs or args.mixed_precision):
        raise UsageError("--quick trains nothing; leave out --folds, --epochs, --mixed-precision")
    if args.force and not args.calibrate:
        raise UsageError("--force goes with --calibrate")
    if args.count and not args.conditions:
        raise UsageError("--count goes with --conditions")
    if args.maps is not None and not args.html:
        raise UsageError("--maps goes with --html FILE")
    if is_dataset(args.data) and (given := [it for it in OF_SOURCES if getattr(args, it)]):
        option = given[0].replace("_", "-")
        raise UsageError(f"{args.data}: is a dataset; --{option} goes with other sources")
    architecture = Paths(find_model((args.model or ["model"])[0])).architecture
    results = args.html, args.classes, args.answers, args.json, args.conditions, args.model
    if args.suspects and any(results) and not os.path.exists(architecture):
        raise ArtifactError(
            f"{architecture}: no such file; train a model first, or ask for --suspects alone"
        )


def opened(classifier, split, args):
    """Open the pictures of a split whose classes a model knows."""
    from glyphs.evaluation.labelled import open_labelled

    return open_labelled(
        args.data,
        classifier.class_names,
        classifier.characters,
        split=split,
        options=options.source_options(args),
        reader=args.reader,
        label_encoding=args.label_encoding,
    )


def calibrate(prefix, args):
    """Learn on the val split how far to believe a model, and store it with the model."""
    from glyphs.artifacts.doubt import store_doubt
    from glyphs.evaluation import calibration
    from glyphs.evaluation.labelled import NoSplitError
    from glyphs.inference import Classifier

    classifier = Classifier(prefix, calibrated=False, notify=console.warn)
    try:
        source = opened(classifier, "val", args)
        with source as labelled, console.Progress("pictures") as progress:
            doubt = calibration.calibrate(
                classifier, labelled, seed=args.seed, workers=args.workers, progress=progress.update
            )
    except NoSplitError:
        raise UsageError(
            f"{args.data}: --calibrate needs a split val; name a dataset that has one, such as "
            "create_dataset.py makes of these pictures"
        ) from None
    store_doubt(prefix, doubt, force=args.force)
    sure = [f"{100 * float(a):g} %" for a, t in doubt["thresholds"].items() if t is not None]
    promised = ", ".join(sure) or "no accuracy (too few pictures)"
    say = console.say if not args.json else console.warn
    say(
        f"calibrated {prefix} on {doubt['pictures']:,} pictures of val: temperature "
        f"{doubt['temperature']:.3f}; classify.py --reject can promise {promised}"
    )


def find_suspects(prefix, args):
    """Write the pictures whose label is probably wrong, and return them as dicts for the page."""
    from glyphs.dataset.open import is_dataset, open_dataset
    from glyphs.evaluation import out_of_sample
    from glyphs.evaluation.suspects import (
        check_names,
        rank_suspects,
        suspects_as_dicts,
        write_suspects,
    )
    from glyphs.inference import Classifier

    if not is_dataset(args.data):
        raise UsageError(
            f"{args.data}: --suspects takes a dataset; make one by create_dataset.py --keep-names"
        )
    dataset = open_dataset(args.data)
    check_names(dataset)
    say = console.warn if args.json else console.say
    if args.quick:
        guesses = out_of_sample.by_model(dataset, Classifier(prefix, notify=console.warn), prefix)
    else:
        guesses = out_of_sample.by_folds(
            dataset,
            log=console,
            folds=args.folds or out_of_sample.FOLDS,
            epochs=args.epochs,
            seed=args.seed,
            mixed_precision=args.mixed_precision,
        )
    suspects = rank_suspects(guesses)
    written = write_suspects(args.suspects, dataset, guesses, suspects)
    say(f"{written:,} of {len(guesses):,} labels are probably wrong: see {args.suspects}")
    return suspects_as_dicts(dataset, guesses, suspects)


def measure(prefix, classifier, labelled, args):
    """Return the Result of a model on labelled pictures."""
    from glyphs.evaluation import metrics, trials
    from glyphs.evaluation.answers import answer
    from glyphs.evaluation.result import Result

    with console.Progress("pictures") as progress:
        answers = answer(classifier, labelled, workers=args.workers, progress=progress.update)
    wanted = ACCURACY if args.accuracy is None else args.accuracy
    conditions = numbers = None
    if args.conditions:
        with console.Progress("steps") as progress:
            conditions, numbers = trials.accuracies(
                classifier,
                labelled,
                count=args.count or COUNT,
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
        wanted,
        threshold_of(classifier, wanted),
        numbers,
    )


def threshold_of(classifier, accuracy):
    """Return the least probability to believe; None where the model cannot promise the accuracy."""
    try:
        return classifier.threshold(accuracy)
    except UsageError:
        return None


def write_html(args, results, compared, labelled, classifier, suspects):
    """Write the page of the first result; the second stands beside it."""
    from glyphs import files
    from glyphs.evaluation import report

    with opened(classifier, "all", args) if suspects else contextlib.nullcontext() as whole:
        if suspects:
            number_of = {int(row): number for number, row in enumerate(whole.positions)}
            suspects = [
                s | {"number": number_of[s["row"]]} for s in suspects if s["row"] in number_of
            ]
        page = report.render(
            results[0],
            labelled,
            classifier,
            comparison=report.Comparison(results[1], compared) if compared else None,
            suspects=suspects,
            suspects_in=whole,
            seed=args.seed,
            maps=MAPS if args.maps is None else args.maps,
            workers=args.workers,
        )
    with files.replacing(args.html) as file:
        file.write(page.encode())


def print_text(results, compared):
    from glyphs.evaluation import report_text

    for result in results:
        for line in report_text.lines(result):
            console.say(line)
    if compared:
        console.say(report_text.comparison_line(*results, compared))


def print_json(results, compared):
    """One object: of one model its figures, of two both and how they compare."""
    found = [result.to_json() for result in results]
    whole = found[0] if compared is None else {"models": found, "comparison": compared}
    print(json.dumps(whole, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    sys.exit(console.run(main))
