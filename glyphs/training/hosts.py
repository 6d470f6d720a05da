"""Who takes part in a training: the place of this process among all that were started for it.

SLURM and Open MPI tell it by variables of the environment. By hand, and under Kubernetes, it is
told by those that Keras knows: KERAS_DISTRIBUTION_JOB_ADDRESSES, ..._NUM_PROCESSES, ..._PROCESS_ID.
"""

import dataclasses
import re
import zlib

from glyphs.errors import UsageError

ADDRESS = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
COUNT = "KERAS_DISTRIBUTION_NUM_PROCESSES"
NUMBER = "KERAS_DISTRIBUTION_PROCESS_ID"

# Above what systems give to outgoing connections.
FIRST_PORT, N_PORTS = 61440, 4096


@dataclasses.dataclass(frozen=True)
class Place:
    """The place of a process among those of one training.

    Attributes:
        number: of this process, from 0.
        count: how many there are.
        host: name or address of the machine of process 0; None where there is no other process.
        port: where process 0 listens for the others.
    """

    number: int = 0
    count: int = 1
    host: str | None = None
    port: int | None = None

    @property
    def address(self):
        return address(self.host, self.port)


def address(host, port):
    """Return host and port as one text."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def find_place(environment):
    """Return the place of this process.

    >>> find_place({})
    Place(number=0, count=1, host=None, port=None)
    >>> find_place({ADDRESS: "10.0.0.1:7000", COUNT: "2", NUMBER: "1"})
    Place(number=1, count=2, host='10.0.0.1', port=7000)

    Args:
        environment: dict, such as os.environ.

    Raises:
        UsageError: some of the variables are set and others missing, or they make no sense.
    """
    address, count, number = _told_by_launcher(environment)
    given = [name for name in (ADDRESS, COUNT, NUMBER) if environment.get(name)]
    address = environment.get(ADDRESS) or address
    count = environment.get(COUNT) or count
    number = environment.get(NUMBER) or number
    if not given and count in (None, "1"):
        return Place()
    # An indexed job of Kubernetes tells the number, and nothing else.
    number = number or environment.get("JOB_COMPLETION_INDEX")
    told = {ADDRESS: address, COUNT: count, NUMBER: number}
    missing = [name for name, value in told.items() if not value]
    if missing:
        known = ", ".join(given) or f"{count or 'several'} processes"
        raise UsageError(
            f"--distribute: {' and '.join(missing)} must be set, too, beside {known}; see "
            "docs/training.md"
        )
    count, number = _whole_number(COUNT, count), _whole_number(NUMBER, number)
    if not 0 <= number < count:
        raise UsageError(
            f"--distribute: the numbers of {count} processes are 0 to {count - 1}. "
            f"Received: {number}"
        )
    return Place(number, count, *_host_and_port(address)) if count > 1 else Place()


def _told_by_launcher(environment):
    """Return what a launcher says of `(address, count, number)`, as text; None for what it doesn't.

    Raises:
        UsageError: it says that there are several processes, but not which this one is.
    """
    # mpirun within a job of SLURM: its own variables are those of these processes.
    if "OMPI_COMM_WORLD_SIZE" in environment:
        count = environment["OMPI_COMM_WORLD_SIZE"]
        job = environment.get("PMIX_NAMESPACE", "")
        is_one_machine = environment.get("OMPI_COMM_WORLD_LOCAL_SIZE") == count
        address = f"127.0.0.1:{_port(job)}" if is_one_machine else None
        return address, count, environment.get("OMPI_COMM_WORLD_RANK")
    if "SLURM_STEP_NODELIST" in environment:  # only what srun has started has it
        count = environment.get("SLURM_STEP_NUM_TASKS", environment.get("SLURM_NTASKS"))
        step = (environment.get(f"SLURM_{name}", "") for name in ("JOB_ID", "STEP_ID"))
        host = first_host(environment["SLURM_STEP_NODELIST"])
        return f"{host}:{_port('.'.join(step))}", count, environment.get("SLURM_PROCID")
    return None, None, None


def first_host(node_list):
    """Return the first name of a list as SLURM writes it.

    >>> first_host("gpu[003-005,9],login1")
    'gpu003'
    """
    prefix, first, suffix = re.match(
        r"([^,\[]*)(?:\[([^,\-\]]*)[^\]]*\]([^,\[]*))?", node_list
    ).groups()
    return prefix + (first or "") + (suffix or "")


def _port(job):
    """Return a port that all processes of a job agree on, and other jobs rarely."""
    return FIRST_PORT + zlib.crc32(job.encode()) % N_PORTS


def _whole_number(name, text):
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{name}: not a whole number: {text!r}") from None


def _host_and_port(address):
    """Return `(host, port)` of the first address of a list."""
    found = re.fullmatch(r"(?:\w+://)?\[?(.+?)\]?:(\d{1,5})", address.split(",")[0].strip())
    if not found or not 0 < int(found[2]) < 65536:
        raise UsageError(
            f"{ADDRESS}: must be HOST:PORT, where process 0 listens. Received: {address!r}"
        )
    return found[1], int(found[2])


def share_of_gpus(visible, n_gpus, rank, size):
    """Return which GPUs a process takes, where several on one machine see the same ones.

    >>> share_of_gpus(None, 4, 1, 2)
    '2,3'
    >>> share_of_gpus("7", 4, 1, 2)  # its launcher has shared them out

    Args:
        visible: CUDA_VISIBLE_DEVICES of all of them, or None where it is not set.
        n_gpus: how many GPUs the machine has.
        rank: number of this process among those of the machine.
        size: how many these are.

    Returns:
        Text for CUDA_VISIBLE_DEVICES; None where there is nothing to share out.

    Raises:
        UsageError: there are fewer GPUs than processes.
    """
    gpus = visible.split(",") if visible is not None else [str(i) for i in range(n_gpus)]
    if size == 1 or len(gpus) < 2:
        return None
    each = len(gpus) // size
    if not each:
        raise UsageError(f"{size} processes on a machine with {len(gpus)} GPUs; start one for each")
    return ",".join(gpus[rank * each : (rank + 1) * each])
