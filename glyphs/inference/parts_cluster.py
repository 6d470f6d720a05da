"""The parts of a list of pictures, made on a cluster."""

import dataclasses
import functools
import os

from glyphs.errors import LostError

NO_FILE = ": no such file"


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

    def tasks():
        for number in parts.missing():
            own = names[parts.pictures(number)]
            yield number, (there, number, request, identities, own, here, listed)

    results = cluster.run(make_part, tasks(), seen=[parts.manifest_path])
    for number, errors, failure in results:
        for error in errors or ():
            name = error.removesuffix(NO_FILE)
            if name != error and os.path.exists(name):
                parts.remove(number)
                raise LostError(
                    f"part {number}: the worker did not see {name}; all machines must see the same "
                    "files under the same names"
                )
        report(number, errors or [], failure)


def make_part(parts, number, request, identities, names, folder, listed):
    """Make a part, on a worker; return what could not be read in it: list of lines.

    Args:
        parts, number, request, identities, names, listed: as for make_missing.
        folder: what relative names are relative to.
    """
    classifier = _opened(request, identities)
    paths = [os.path.join(folder, name) for name in names]
    return parts.make(number, request, classifier, names, paths=paths, listed=listed)


@functools.lru_cache(maxsize=1)
def _opened(request, identities):
    return request.open(identities=identities)
