"""Measure what a model does on the pictures that people bring.

    python benchmarks/conditions.py PREFIX SOURCE
    python benchmarks/conditions.py pretrained/devanagari/model dhcd46/test --count 1500

PREFIX names the model, SOURCE pictures of the same classes (whatever create_dataset.py reads), of
which COUNT are drawn by chance. Prints the accuracy on them as they are, and under each of the
conditions of glyphs/images/conditions.py, with how far from the first; --save DIR writes the
pictures of the first character under each condition, to look at.
"""

import argparse
import os
import sys
import tempfile

import measuring  # noqa: F401, it makes glyphs importable

CHUNK = 50  # pictures of a task


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="PREFIX")
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument("--count", type=int, default=1500, metavar="N", help="(default: 1500)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="(default: 1)")
    parser.add_argument("--save", metavar="DIR", help="write one picture of each condition")
    return parser.parse_args()


def samples(source, class_names, count, seed):
    """Return `(pictures, labels)`: of the classes that the model knows, chosen by chance."""
    import numpy as np

    from glyphs.images.levels import polarity_of
    from glyphs.sources.index import Options
    from glyphs.sources.opening import open_index

    with tempfile.TemporaryDirectory() as folder:
        scratch = os.path.join(folder, "unpacked")
        with open_index(source, Options(), scratch=scratch) as index:
            label_of = {name: label for label, name in enumerate(class_names)}
            known = [label_of.get(index.class_names[label]) for label in index.labels]
            chosen = np.flatnonzero([label is not None for label in known])
            chosen = np.random.default_rng(seed).permutation(chosen)[:count]
            if not len(chosen):
                sys.exit(f"{source}: has no class that the model knows")
            numbers = [index.sample_numbers[i] for i in chosen]
            pictures = list(index.samples.chunk(numbers).pictures())
            polarity = index.polarity
    images = [
        np.asarray(p) if (polarity or polarity_of(p)) == "light-on-dark" else 255 - np.asarray(p)
        for p in pictures
    ]
    return images, [known[i] for i in chosen]


def see(images, name, seed, first, preprocessing, own_size):
    """Return what a network sees of images under a condition: uint8 images, None where blank."""
    import numpy as np

    from glyphs.images.conditions import CONDITIONS
    from glyphs.images.preprocessing import at_own_size, image_of
    from glyphs.images.view import NoInkError, view_of

    seen = []
    for number, image in enumerate(images, first):
        picture = CONDITIONS[name](image, np.random.default_rng([seed, number])).convert("L")
        try:
            view = view_of(picture, preprocessing)
        except NoInkError:
            seen.append(None)
            continue
        wanted = at_own_size(view.picture.size, preprocessing) if own_size else preprocessing
        seen.append(image_of(view, wanted))
    return seen


def main():
    args = parse_args()
    import numpy as np

    from glyphs import parallel
    from glyphs.images.conditions import CONDITIONS
    from glyphs.inference import Classifier

    classifier = Classifier(args.model)
    images, labels = samples(args.source, classifier.class_names, args.count, args.seed)
    print(f"{args.model} on {len(images):,} pictures of {args.source}, seed {args.seed}")
    if args.save:
        os.makedirs(args.save, exist_ok=True)
    as_it_is = None
    for name in CONDITIONS:
        tasks = [
            (images[i : i + CHUNK], name, args.seed, i, classifier.preprocessing,
             classifier.takes_any_size)
            for i in range(0, len(images), CHUNK)
        ]  # fmt: skip
        seen = [
            image
            for chunk in parallel.run_ordered(see, tasks, workers=parallel.default_workers())
            for image in chunk
        ]
        readable = [i for i, image in enumerate(seen) if image is not None]
        if classifier.takes_any_size:
            answers = [classifier.probabilities(seen[i][None])[0].argmax() for i in readable]
        else:
            answers = classifier.probabilities(np.stack([seen[i] for i in readable])).argmax(1)
        right = sum(int(a) == labels[i] for i, a in zip(readable, answers, strict=True))
        accuracy = 100 * right / len(images)
        as_it_is = accuracy if as_it_is is None else as_it_is
        blank = len(images) - len(readable)
        note = f"  ({blank} blank)" if blank else ""
        print(f"  {name:<16}{accuracy:6.2f} %  {accuracy - as_it_is:+6.2f}{note}", flush=True)
        if args.save:
            rng = np.random.default_rng([args.seed, 0])
            CONDITIONS[name](images[0], rng).save(os.path.join(args.save, f"{name}.png"))


if __name__ == "__main__":
    main()
