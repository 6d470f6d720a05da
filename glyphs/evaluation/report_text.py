"""What was measured of a model as lines of text."""


def lines(result):
    """Yield the lines that say how good a model is."""
    f = result.figures
    low, high = (100 * bound for bound in f.interval)
    where = f"{result.source}, {result.split}" if result.split else result.source
    yield (
        f"{result.model} on {f.n:,} pictures ({where}): accuracy {100 * f.accuracy:.2f} % "
        f"({f.right:,} right; 95 % interval {low:.2f} to {high:.2f} %)"
    )
    yield (
        f"  top-5 {100 * f.top5:.2f} %, balanced {100 * f.balanced_accuracy:.2f} %; macro "
        f"precision {100 * f.precision:.2f} %, recall {100 * f.recall:.2f} %, F1 {100 * f.f1:.2f} %"
    )
    yield (
        f"  negative log-likelihood {f.nll:.4f}, expected calibration error "
        f"{100 * f.calibration_error:.2f} %; {f.rate:,.0f} pictures/s"
    )
    if result.threshold is not None:
        yield f"  for {100 * result.wanted:g} % right answers: {_believed(result)}"
    if result.answers.failures:
        n = len(result.answers.failures)
        yield f"  {n:,} without an answer (unreadable or blank), counted as wrong; see --answers"
    if result.unknown:
        pictures = sum(result.unknown.values())
        yield (
            f"  left out: {pictures:,} pictures of {len(result.unknown):,} classes that the model "
            f"lacks: {shortened(result.unknown)}"
        )
    if result.absent:
        yield f"  no pictures of {len(result.absent):,} classes: {shortened(result.absent)}"
    if result.conditions:
        usual = result.conditions["as_it_is"][0].mean()
        yield f"  under conditions, {len(result.conditions['as_it_is'][0]):,} pictures:"
        for name, (right, confidences) in result.conditions.items():
            share = right.mean()
            line = f"    {name:<16}{100 * share:6.2f} %  {100 * (share - usual):+6.2f}"
            if result.threshold is not None:
                line += f"   {_believed(result, right, confidences)}"
            yield line


def _believed(result, is_right=None, confidences=None):
    """Return what is left of answers at the threshold, in words."""
    if is_right is None:
        is_right, confidences = result.answers.is_right, result.answers.confidences
    kept, right = result.believed(is_right, confidences)
    share = f", {100 * right / kept:.2f} % of these right" if kept else ""
    return f"{100 * kept / len(is_right):.1f} % believed{share}"


def shortened(names, shown=10):
    """Return the first few names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
