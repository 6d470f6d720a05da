"""What is asked of which models, and how the answers are written: the same wherever it is done."""

import dataclasses

from glyphs import characters, files
from glyphs.errors import ArtifactError
from glyphs.inference.output import Output


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked about pictures. Together with the models' files, it is all that answers need.

    Attributes:
        models: tuple of prefixes of models' files; several are asked together.
        output: Output.
        tta: whether to ask about several views of each picture.
        only: None, or the class names and characters that alone may be answered: sorted tuple.
        label_encoding: None, or what class names of four hex digits mean; see
            characters.character_of.
        accuracy: None, or the share of right answers wanted: what is not sure enough is rejected.
    """

    models: tuple
    output: Output
    tta: bool = False
    only: tuple | None = None
    label_encoding: str | None = None
    accuracy: float | None = None

    def open(self, *, identities=None, notify=lambda message: None):
        """Return the model, or the models as one.

        Args:
            identities: None, or what identities_of returned elsewhere: it must be the same here.
            notify: called with one line of text before work that takes seconds.

        Raises:
            ArtifactError: a model is missing, damaged, or another than elsewhere.
            UsageError: a model has no class of `only`, or there is no threshold for `accuracy`.
        """
        # Late, as it is slow to load.
        from glyphs.inference.classifier import Classifier
        from glyphs.inference.ensemble import Ensemble

        if len(self.models) == 1:
            opened = Classifier(self.models[0], tta=self.tta, only=self.only, notify=notify)
        else:
            opened = Ensemble(self.models, tta=self.tta, only=self.only, notify=notify)
        if identities and identities_of(opened) != identities:
            names = ", ".join(self.models)
            raise ArtifactError(f"{names}: another model here than where the work was begun")
        if self.accuracy is not None:
            opened.threshold(self.accuracy)  # an error now, before any output
        if self.label_encoding:
            opened.characters = [
                characters.character_of(name, self.label_encoding) for name in opened.class_names
            ]
        return opened

    def predictions(self, classifier, paths, *, keep=False, workers=1):
        """Return an iterator of the Prediction of each path; see Answering.classify."""
        return classifier.classify(
            paths,
            top=self.output.top or 1,
            keep=keep,
            accuracy=self.accuracy,
            workers=workers,
        )


def identities_of(classifier):
    """Return a SHA-256 for each model: of all that its answers depend on.

    Args:
        classifier: a Classifier or an Ensemble.

    Returns:
        tuple of text, 64 hex digits each. They stay when the ONNX model is made again, which is
        derived from the rest.
    """
    found = []
    for one in getattr(classifier, "classifiers", [classifier]):
        facts = {key: value for key, value in one.facts.items() if key != "glyphs_sha256"}
        facts["sha256"] = {key: s for key, s in facts["sha256"].items() if key != "onnx"}
        found.append(files.sha256(files.canonical_json(facts)))
    return tuple(found)
