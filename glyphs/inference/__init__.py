from glyphs.inference.classifier import Classifier
from glyphs.inference.ensemble import Ensemble

__all__ = ["Classifier", "Ensemble"]
