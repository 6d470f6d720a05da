"""Classify pictures of single characters: one line `path label` for each.

    python classify.py a.png b.png
    python classify.py FOLDER --top 3 --format csv > labels.csv
    python classify.py FOLDER --model pretrained/japanese/model --only hiragana
    find scans -name '*.png' | python classify.py -
    python classify.py FOLDER --parts DIR --part 3/40
    python classify.py --gather DIR > labels.txt

Folders stand for all pictures in them and in their sub-folders: PNG, JPEG, BMP, GIF, TIFF and WebP,
by their names; what else may be one (HEIC, PDF) is counted on stderr. The model is what model.py
wrote: `model_architecture.json` and `model_weights.h5`, or others by --model PREFIX; of several the
mean probabilities count. A picture that cannot be read is named on stderr, the rest go on, and the
exit code is 1. With --reject the label is ? where the model is not sure enough, or nothing is
written.

With --parts DIR the answers go into files of DIR, a part of the list at a time, one in each of many
jobs or, with --cluster, on many machines; what is there already is left as it is.
"""

import dataclasses
import os
import sys

from glyphs import charsets, console, options
from glyphs.errors import PictureError, UsageError, one_line


def parse_args(argv=None):
    parser = options.make_parser(__doc__)
    parser.add_argument(
        "pictures",
        nargs="*",
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
    output.add_argument(
        "--format", choices=("text", "csv", "json"), default="text", help="of the output"
    )
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
    add_parts(parser.add_argument_group("parts of a long list (docs/clusters.md)"))
    args = parser.parse_args(argv)
    if args.gather:
        given = {name for name, value in vars(args).items() if value != parser.get_default(name)}
        if given - {"gather", "pictures"} or args.pictures:
            raise UsageError("--gather joins what is there, as it was made; give it alone")
        return args
    if not args.pictures:
        parser.error("the following arguments are required: IMAGE")
    args.model = args.model or ["model"]
    if args.accuracy is not None and not args.reject:
        raise UsageError("--accuracy says how much --reject lets through; add that")
    if args.explain and len(args.model) > 1:
        raise UsageError("--explain shows what one network saw; give one --model")
    check_parts(args)
    return args


def add_parts(group):
    group.add_argument(
        "--parts", metavar="DIR", help="write the answers into files in this folder, by parts"
    )
    group.add_argument(
        "--part",
        type=options.part,
        metavar="I/N",
        help="classify the Ith of N parts of the list, 1/N to N/N, unless it is there",
    )
    options.add_cluster(group, "make all parts that are missing")
    group.add_argument("--gather", metavar="DIR", help="print the parts in this folder, in order")


def check_parts(args):
    """Refuse options about parts that make no sense together."""
    if args.parts and not args.part and not args.cluster:
        raise UsageError("--parts wants to know who makes them: give --part I/N, or --cluster FILE")
    if not args.parts and (args.part or args.cluster):
        raise UsageError("--part and --cluster write files of answers; say where with --parts DIR")
    if args.part and args.cluster:
        raise UsageError("--cluster makes all parts; give it, or --part I/N")
    if args.parts and args.explain:
        raise UsageError("--explain goes through pictures one by one; leave it out with --parts")
    if args.cluster and args.workers:
        raise UsageError("--workers are of this machine; those of the cluster are running already")


def main(argv=None):
    args = parse_args(argv)
    if args.gather:
        return gather(args.gather)
    from glyphs.artifacts.paths import find_model

    args.model = [find_model(prefix) for prefix in args.model]
    only = charsets.words_of(args.only or ())
    request = request_of(args, only)
    classifier = request.open(notify=console.warn)
    if args.top:
        top = min(args.top, len(classifier.class_names))
        request = dataclasses.replace(request, output=dataclasses.replace(request.output, top=top))
    if unshared := getattr(classifier, "unshared", ()):
        shown = ", ".join(unshared[:10]) + (", ..." if len(unshared) > 10 else "")
        console.warn(
            f"{len(unshared)} of {len(classifier.class_names)} classes are not in every model, "
            f"and count as 0 where they are missing: {shown}"
        )
    if only:
        known = {*classifier.class_names, *classifier.characters}
        if missing := charsets.missing_in(known, only, args.label_encoding):
            console.warn(f"--only: {', '.join(args.model)} does not have {missing}")
    if args.characters and not any(classifier.characters):
        console.warn("no label names a character; say what they are with --label-encoding")
    if args.parts:
        return make_parts(args, request, classifier)
    explain = prepare_explain(args, classifier) if args.explain else iter
    failures = []

    def on_error(error):
        failures.append(error.path)
        console.error(error)

    paths = expand(args, on_error)
    predictions = request.predictions(
        classifier, paths, keep=bool(args.explain), workers=args.workers
    )
    predictions = report_errors(predictions, on_error)
    for text in request.output.pieces(explain(predictions)):
        sys.stdout.write(text)
    return PictureError.exit_code if failures else 0


def request_of(args, only):
    """Return the Request that the options say; `only` are the words of --only."""
    from glyphs.inference.output import Output
    from glyphs.inference.request import Request

    accuracy = None
    if args.reject:
        accuracy = 0.99 if args.accuracy is None else args.accuracy
    return Request(
        models=tuple(args.model),
        output=Output(args.format, args.top, args.characters, args.reject),
        tta=args.tta,
        only=tuple(sorted(charsets.names_in(only, args.label_encoding))) if only else None,
        label_encoding=args.label_encoding,
        accuracy=accuracy,
    )


def expand(args, on_error):
    """Return an iterator over the pictures that the arguments stand for."""
    from glyphs.sources import named

    return named.expand(args.pictures, stdin=sys.stdin.buffer, on_error=on_error, warn=console.warn)


def make_parts(args, request, classifier):
    """Make one part of the list, or all that are missing; return the exit code."""
    from glyphs.inference import parts_folder
    from glyphs.inference.request import identities_of

    listed = []
    names = list(expand(args, lambda error: listed.append(one_line(error))))
    identities = identities_of(classifier)
    number, n_parts = args.part or (None, None)
    folder = parts_folder.begin(args.parts, request, identities, names, n_parts)
    if args.cluster:
        return make_on_cluster(args, folder, request, identities, names, listed)
    own = names[folder.pictures(number)]
    errors = folder.make(number, request, classifier, own, listed=listed, workers=args.workers)
    for error in errors:
        console.error(error)
    return PictureError.exit_code if errors else 0


def make_on_cluster(args, folder, request, identities, names, listed):
    """Make the parts that are missing on a cluster; return the exit code."""
    from glyphs.cluster import Cluster
    from glyphs.inference.parts_cluster import make_missing

    there = folder.there()
    known = [error for number in there for error in folder.errors(number)]
    for error in known:
        console.error(error)
    done, failures = len(there), len(known)
    with console.Progress("parts") as progress:

        def report(number, errors, failure):
            nonlocal done, failures
            progress.clear()
            for error in errors:
                console.error(error)
            if failure:
                console.error(f"part {number} of {folder.n_parts} could not be made: {failure}")
            failures += bool(errors or failure)
            done += not failure
            progress.update(done, folder.n_parts)

        if done < folder.n_parts:
            with Cluster(args.cluster, wait=args.wait) as cluster:
                make_missing(
                    folder, request, identities, names, cluster, listed=listed, report=report
                )
    if done == folder.n_parts:
        folder.tidy()
    return PictureError.exit_code if failures else 0


def gather(folder):
    """Print the parts in a folder in order; return the exit code of classifying all at once."""
    from glyphs.inference import parts_folder

    found = parts_folder.find(folder)
    sys.stdout.flush()
    found.join(sys.stdout.buffer.write)
    errors = [error for n in range(1, found.n_parts + 1) for error in found.errors(n)]
    for error in errors:
        console.error(error)
    found.tidy()
    return PictureError.exit_code if errors else 0


def report_errors(predictions, on_error):
    """Pass predictions on; say which have errors, and which files hold more than was read."""
    for prediction in predictions:
        if prediction.is_unread:
            on_error(prediction.error)
        elif prediction.has_more:
            console.warn(
                f"{prediction.path}: holds several pictures, of which only the first was read; "
                "save each as a picture of its own"
            )
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


if __name__ == "__main__":
    sys.exit(console.run(main))
