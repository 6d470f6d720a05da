"""Start a network from the weights of another one."""

from glyphs.artifacts.loading import load_model
from glyphs.errors import ArtifactError


def take_weights(model, prefix, class_names):
    """Start a model from the weights of another one, layer by layer, where they fit.

    The last layer fits only if the classes are the same; else it stays as it is.

    Args:
        model: keras.Model.
        prefix: of the model files to take them from.
        class_names: of `model`.

    Returns:
        What was taken, in words.

    Raises:
        ArtifactError: that model is missing or damaged, or no layer of it fits.
    """
    source, facts = load_model(prefix)
    is_same = facts["class_names"] == list(class_names)
    weights = {layer.name: layer.get_weights() for layer in source.layers}
    with_weights = [layer for layer in model.layers if layer.weights]
    taken = 0
    for layer in with_weights:
        shapes = [tuple(variable.shape) for variable in layer.weights]
        fits = shapes == [array.shape for array in weights.get(layer.name, [])]
        if fits and (is_same or layer is not with_weights[-1]):
            layer.set_weights(weights[layer.name])
            taken += 1
    if not taken:
        raise ArtifactError(f"{prefix}: none of its layers fits; --init wants the same network")
    return f"{taken} of {len(with_weights)} layers from {prefix}"
