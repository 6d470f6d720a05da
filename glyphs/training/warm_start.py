"""Start a network from the weights of another one."""

import numpy as np

from glyphs.artifacts.loading import load_model
from glyphs.characters import is_code, matched, numbers_of
from glyphs.errors import ArtifactError


def take_weights(model, prefix, class_names, characters):
    """Start a model from the weights of another one, layer by layer, where they fit.

    Of the last layer, the weights of each class are taken that both have, by name or by character;
    those of the others stay as they are.

    Args:
        model: keras.Model.
        prefix: of the model files to take them from.
        class_names: of `model`.
        characters: list: the character of each class of `model`, or None.

    Returns:
        What was taken, in words.

    Raises:
        ArtifactError: that model is missing or damaged, or no layer of it fits.
    """
    source, facts = load_model(prefix)
    weights = {layer.name: layer.get_weights() for layer in source.layers}
    *body, head = [layer for layer in model.layers if layer.weights]
    taken = 0
    for layer in body:
        shapes = [tuple(variable.shape) for variable in layer.weights]
        if shapes == [array.shape for array in weights.get(layer.name, [])]:
            layer.set_weights(weights[layer.name])
            taken += 1
    shared = _take_classes(head, weights.get(head.name, []), facts, class_names, characters)
    if not taken and not shared:
        raise ArtifactError(f"{prefix}: none of its layers fits; --init wants the same network")
    said = f"{taken} of {len(body) + 1} layers from {prefix}"
    if shared is None:
        return said
    said += f", and of the last {shared} of {len(class_names)} classes"
    if shared:
        return said
    hint = "; see --label-encoding" if any(map(is_code, class_names)) else ""
    return f"{said}: none is known by name or character{hint}"


def _take_classes(head, weights, facts, class_names, characters):
    """Take the weights of the shared classes into the last layer.

    Returns:
        How many they are; None where the layer is another one.
    """
    own = head.get_weights()
    # All but the last axis, which is that of the classes, must fit.
    if [array.shape[:-1] for array in own] != [array.shape[:-1] for array in weights]:
        return None
    theirs = numbers_of(facts["class_names"], facts["characters"])
    numbers = enumerate(matched(class_names, characters, theirs))
    pairs = [(number, other) for number, other in numbers if other is not None]
    if not pairs:
        return 0
    to, of = np.array(pairs).T
    for array, source in zip(own, weights, strict=True):
        array[..., to] = source[..., of]
    head.set_weights(own)
    return len(to)
