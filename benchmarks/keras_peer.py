"""What classify.py does, by Keras and TensorFlow: `python keras_peer.py PREFIX PICTURE ...`.

The same model files and the same preprocessing, without any check of checksums.
"""

import json
import sys

import measuring


class Classifier:
    """The model PREFIX, read by Keras."""

    def __init__(self, prefix):
        from glyphs.images.preprocessing import Preprocessing
        from glyphs.training.backend import without_chatter

        with without_chatter():
            import keras

        with open(f"{prefix}_architecture.json") as file:
            content = json.load(file)
        facts = content.pop("glyphs")
        self.class_names = facts["class_names"]
        self.preprocessing = Preprocessing.from_json(facts["preprocessing"])
        self.model = keras.models.model_from_json(json.dumps(content))
        self.model.load_weights(f"{prefix}_weights.h5")

    def probabilities(self, paths):
        """Return float32 `(n, n_classes)` for picture files."""
        import numpy as np

        from glyphs.images.preprocessing import read_image

        pictures = np.stack([read_image(path, self.preprocessing) for path in paths])
        return self.model.predict(pictures[..., None], batch_size=128, verbose=0)


def main():
    measuring.on_the_processor()
    prefix, *paths = sys.argv[1:]
    classifier = Classifier(prefix)
    for path, row in zip(paths, classifier.probabilities(paths), strict=True):
        print(path, classifier.class_names[row.argmax()])


if __name__ == "__main__":
    main()
