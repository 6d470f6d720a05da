from glyphs.inference.classifier import Classifier

__all__ = ["Classifier"]
