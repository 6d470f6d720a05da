"""The parts of a list of pictures, made on a cluster."""

import dataclasses
import functools
import os

from glyphs.cluster import unseen
from glyphs.errors import MissingError


def make_missing(parts, request, identities, names, cluster, *, listed=(), report):
    """Make the parts that are missing, on the workers of a cluster.

    Args:
        parts: Parts.
        request: Request.
        identities: what request.identities_of returned.
        names: list of all pictures.
        cluster: cluster.Cluster.
        listed: lines that say what was wrong with the list; part 1 keeps them.
        report: called after each part with its number, the lines that say what could not be read,
            and None, or a line that says why there is no such part.

    Raises:
        LostError: a worker lacks files or space, or the cluster is gone. Parts that are done stay.
    """
    here = os.getcwd()
    request = dataclasses.replace(request, models=tuple(map(os.path.abspath, request.models)))
    there = dataclasses.replace(parts, folder=os.path.abspath(parts.folder))
    absent = {number: set() for number in parts.missing()}

    def tasks():
        for number, without in absent.items():
            own = names[parts.pictures(number)]
            yield number, (there, number, request, identities, own, here, listed, without)

    while absent:
        again = {}
        for number, result, failure in cluster.run(make_part, tasks(), seen=[parts.manifest_path]):
            errors, unseen_names = result or ([], ())
            for name in filter(os.path.exists, unseen_names):
                raise unseen(name)
            if unseen_names:
                again[number] = absent[number].union(unseen_names)
            else:
                report(number, errors, failure)
        absent = again


def make_part(parts, number, request, identities, names, folder, listed, absent):
    """Make a part, on a worker, unless a picture is not there that should be.

    Args:
        parts, number, request, identities, names, listed: as for make_missing.
        folder: what relative names are relative to.
        absent: set of the names that are known not to be there.

    Returns:
        `(errors, ())`, what could not be read in it, list of lines; or `(None, names)`: those that
        this machine does not see. Then the part is not made.
    """
    classifier = _opened(request, identities)
    paths = [os.path.join(folder, name) for name in names]

    def check(error):
        if isinstance(error, MissingError) and error.path not in absent:
            raise error

    try:
        made = parts.make(
            number, request, classifier, names, paths=paths, listed=listed, check=check
        )
    except MissingError as error:
        pairs = zip(names, paths, strict=True)
        return None, [error.path, *(name for name, path in pairs if not os.path.exists(path))]
    return made, ()


@functools.lru_cache(maxsize=1)
def _opened(request, identities):
    return request.open(identities=identities)
