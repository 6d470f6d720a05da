"""Average the weights of models that went on from one another.

    python pretrained/average.py DATASET OUTPUT MODEL MODEL ...

Their mean reads hands unlike those learned from better than any of them (Izmailov et al. 2018,
"Averaging Weights Leads to Wider Optima and Better Generalization"; measured in
docs/experiments.md), and costs no more than one. DATASET says how good it is: its test split.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from glyphs import console, files, options
from glyphs.errors import ArtifactError


def parse_args(argv=None):
    parser = options.make_parser(__doc__)
    parser.add_argument("dataset", metavar="DATASET", help="as create_dataset.py wrote it")
    parser.add_argument(
        "output",
        type=options.model_prefix("model"),
        metavar="OUTPUT",
        help="PREFIX of the model files to write",
    )
    parser.add_argument("models", metavar="MODEL", nargs="+", help="PREFIX of a model")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    from glyphs.training import backend

    with backend.without_chatter():
        backend.import_keras()
    from glyphs.artifacts.loading import load_model
    from glyphs.artifacts.paths import Paths, find_model
    from glyphs.artifacts.saving import write_model
    from glyphs.dataset.open import open_dataset

    for path in (Paths(args.output).architecture, Paths(args.output).weights):
        files.check_can_write(path)
    first, *others = [find_model(model) for model in args.models]
    model, facts = load_model(first)
    weights = [array.astype("float64") for array in model.get_weights()]
    dataset = open_dataset(args.dataset)
    if (
        dataset.class_names != facts["class_names"]
        or dataset.preprocessing.to_json() != facts["preprocessing"]
    ):
        raise ArtifactError(f"{args.dataset}: not made for {first}: other classes or preprocessing")
    if not len(dataset.y_test):
        raise ArtifactError(
            f"{args.dataset}: has no test split; give create_dataset.py's --split one"
        )
    for prefix in others:
        other, its_facts = load_model(prefix)
        for key in ("class_names", "preprocessing"):
            if its_facts[key] != facts[key]:
                raise ArtifactError(
                    f"{prefix}: has other {key} than {first}; choose its successors"
                )
        arrays = other.get_weights()
        if [array.shape for array in arrays] != [array.shape for array in weights]:
            raise ArtifactError(f"{prefix}: is of another network than {first}")
        for total, array in zip(weights, arrays, strict=True):
            total += array
    model.set_weights([total / len(args.models) for total in weights])
    correct = dataset.y_test == model.predict(
        dataset.X_test[..., None].astype("float32"), batch_size=256, verbose=0
    ).argmax(1)
    kept = {key: facts[key] for key in ("class_names", "characters", "preprocessing")}
    kept |= {
        "training": {"network": facts["training"]["network"], "averaged": len(args.models)},
        "figures": {"test": {"accuracy": float(correct.mean()), "pictures": len(correct)}},
        "versions": facts["versions"],
    }
    write_model(args.output, model, kept, half_precision=True)
    print(
        f"test: accuracy {correct.mean():.4f} on {len(correct):,} pictures\n"
        f"saved {args.output}_architecture.json and {args.output}_weights.h5: "
        f"the mean of {len(args.models)} models"
    )


if __name__ == "__main__":
    sys.exit(console.run(main))
