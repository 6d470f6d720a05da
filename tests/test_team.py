"""The processes of a training find each other, and end and stop together; without JAX."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from conftest import ROOT, heed_ctrl_c

from glyphs.errors import UsageError
from glyphs.training import hosts
from glyphs.training.hosts import ADDRESS, COUNT, NUMBER, Place, find_place

GENEROUS = 120  # seconds; what hangs, hangs longer

# A training without its arithmetic: it counts steps, and notes them in a file.
MEMBER = """
import os, sys, time
from glyphs import console
from glyphs.errors import StoppedError, UsageError
from glyphs.training import hosts
from glyphs.training.team import Team

def work():
    team.check_same({"epochs": os.environ.get("EPOCHS")})
    assert team.share([team.number]) == [0]
    assert team.gather(team.number) in (None, list(range(team.count)))
    team.heed_sigterm()
    print("ready", flush=True)
    for step in range(1, int(os.environ["STEPS"]) + 1):
        time.sleep(0.002 * (1 + team.number))
        if step == 5 and os.environ.get("FAILS") == str(team.number):
            raise {"ours": UsageError("no ink"), "bug": ValueError("no ink")}[os.environ["HOW"]]
        if why := team.stop_is_due():
            raise StoppedError(f"{why}; {step} steps")
    print("finished", flush=True)

def member():
    global team
    team = Team(hosts.find_place(os.environ), wait=float(os.environ["WAIT"]), log=console)
    team.end(console.run(lambda: team.do(work)))

sys.exit(console.run(member))
"""


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def start(port):
    """Return a function that starts a member; those that are left are killed at the end."""
    started = []

    def start(number, *, count=2, steps=100_000, wait=60, **environment):
        environment = {
            **os.environ, ADDRESS: f"127.0.0.1:{port}", COUNT: str(count), NUMBER: str(number),
            "STEPS": str(steps), "WAIT": str(wait), "PYTHONPATH": str(ROOT), **environment,
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-c", MEMBER],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            preexec_fn=heed_ctrl_c,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def start_all(start, count, **environment):
    members = [start(number, count=count, **environment) for number in range(count)]
    for member in members:
        assert member.stdout.readline() == "ready\n", member.communicate()
    return members


def ends_of(members):
    """Return exit code and last line of stderr of each; all end soon."""
    ends = [(*member.communicate(timeout=GENEROUS), member.returncode) for member in members]
    return [(code, err.splitlines()[-1] if err else "") for _, err, code in ends]


def codes_of(members):
    return [code for code, _ in ends_of(members)]


def test_processes_that_come_in_any_order_finish_together(start):
    members = [start(number, count=3, steps=10) for number in (2, 0, 1)]
    assert codes_of(members) == [0, 0, 0]


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_when_one_is_killed_the_others_end_and_name_it(start, victim):
    members = start_all(start, 3)
    members[victim].send_signal(signal.SIGKILL)
    assert members[victim].wait(GENEROUS) == -signal.SIGKILL
    others = [member for member in members if member is not members[victim]]
    line = f"error: process {victim} of 3 on {socket.gethostname()} has ended without a word"
    for code, err in ends_of(others):
        assert code == 6
        assert err.startswith(line)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_when_one_falls_silent_the_others_end_and_name_it(start, victim):
    members = start_all(start, 2, STEPS="10000000")
    members[victim].send_signal(signal.SIGSTOP)  # as if its machine were lost
    line = f"error: process {victim} of 2 on {socket.gethostname()} has not been heard of for 30 s"
    assert ends_of([members[1 - victim]]) == [(6, line)]


def test_ctrl_c_in_one_ends_all(start):
    members = start_all(start, 2)
    members[1].send_signal(signal.SIGINT)
    line = f"error: process 1 of 2 on {socket.gethostname()}: interrupted"
    assert ends_of(members) == [(130, line), (130, "error: interrupted")]


@pytest.mark.parametrize("how", ["ours", "bug"])
@pytest.mark.parametrize("failing", [0, 2])
def test_an_error_in_one_ends_all_with_its_text(start, failing, how):
    members = [start(number, count=3, FAILS=str(failing), HOW=how) for number in range(3)]
    ends = ends_of(members)
    text = {"ours": "no ink", "bug": "ValueError: no ink"}[how]
    line = f"error: process {failing} of 3 on {socket.gethostname()}: {text}"
    own = "error: no ink" if how == "ours" else line
    code = {"ours": UsageError.exit_code, "bug": 6}[how]
    assert ends == [(code, own if number == failing else line) for number in range(3)]


@pytest.mark.parametrize("receiver", [0, 1])
def test_sigterm_to_one_stops_all_at_the_same_step(start, receiver):
    members = start_all(start, 3)
    time.sleep(0.1)
    members[receiver].terminate()
    ends = ends_of(members)
    assert len(set(ends)) == 1
    code, line = ends[0]
    assert code == 143
    assert line.startswith(f"error: SIGTERM came to process {receiver} of 3")


def test_sigterm_to_all_stops_all_at_the_same_step(start):
    members = start_all(start, 3)
    for member in members:
        member.terminate()
    ends = ends_of(members)
    assert len(set(ends)) == 1
    assert ends[0][0] == 143


def test_a_process_that_never_starts_is_waited_for_then_named(start, port):
    other = start(2, count=4)
    assert other.stderr.readline() == f"warning: waiting for process 0 at 127.0.0.1:{port}\n"
    members = [start(0, count=4, wait=4), other]
    outputs = [member.communicate(timeout=GENEROUS)[1].splitlines() for member in members]
    assert outputs[0][0] == "warning: waiting for 2 of 4 processes (number 1, 3)"
    line = f"error: 2 of 4 processes (number 1, 3) did not come to 127.0.0.1:{port} within 4 s;"
    for member, lines in zip(members, outputs, strict=True):
        assert member.returncode == 6
        assert lines[-1].startswith(line)


def test_process_0_that_never_starts_is_waited_for_then_named(start, port):
    member = start(1, wait=3)
    lines = member.communicate(timeout=GENEROUS)[1].splitlines()
    assert member.returncode == 6
    assert lines[0] == f"warning: waiting for process 0 at 127.0.0.1:{port}"
    assert lines[-1].startswith(f"error: process 0 at 127.0.0.1:{port} did not answer within 3 s")


def test_two_processes_of_one_number_are_refused(start):
    members = [start(number, count=3) for number in (0, 1, 1)]
    ends = ends_of(members)
    assert {err for _, err in ends} == {"error: two processes have the number 1; give each its own"}
    assert {code for code, _ in ends} == {2}


def test_processes_that_were_told_other_counts_are_refused(start):
    ends = ends_of([start(0, count=2), start(1, count=3)])
    assert {*ends} == {(2, "error: process 1 was told of 3 processes, process 0 of 2")}


def test_processes_that_were_started_to_do_other_things_are_refused(start):
    ends = ends_of([start(0), start(1, EPOCHS="7")])
    assert [code for code, _ in ends] == [2, 2]
    assert all("has another epochs ('7', process 0: None)" in line for _, line in ends)


def test_strangers_at_the_port_do_no_harm(start, port):
    first = start(0, steps=10)
    while True:
        try:
            stranger = socket.create_connection(("127.0.0.1", port))
            break
        except OSError:
            time.sleep(0.05)
    with stranger, socket.create_connection(("127.0.0.1", port)) as other:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        other.sendall(json.dumps(["no", "object"]).encode() + b"\n")
        for hello in ({"glyphs": 1}, {"glyphs": 1, "number": 9, "count": 2, "about": {}}):
            with socket.create_connection(("127.0.0.1", port)) as another:
                another.sendall(json.dumps(hello).encode() + b"\n")
        assert codes_of([first, start(1, steps=10)]) == [0, 0]


def test_a_process_that_restarts_before_all_have_come_is_taken_in(start):
    members = [start(0, count=3, steps=10), start(1, count=3)]
    while "1 of 3 processes (number 2)" not in members[0].stderr.readline():
        pass  # number 1 has not come yet
    members[1].kill()
    members[1].wait()
    again = [members[0], start(1, count=3, steps=10), start(2, count=3, steps=10)]
    assert codes_of(again) == [0, 0, 0]


def test_a_port_that_is_taken_is_one_line(start, port):
    with socket.create_server(("127.0.0.1", port)):
        [(code, line)] = ends_of([start(0)])
    assert code == 2
    assert "cannot listen there (Address already in use" in line
    assert "choose another port" in line


# --- Who am I? ---

SLURM = {
    "SLURM_JOB_ID": "77", "SLURM_STEP_ID": "0", "SLURM_STEP_NODELIST": "gpu[003-004]",
    "SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS": "8", "SLURM_PROCID": "1",
}  # fmt: skip
OPEN_MPI = {
    "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_LOCAL_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2",
    "PMIX_NAMESPACE": "prterun-node1-99@1",
}  # fmt: skip
BY_HAND = {ADDRESS: "10.0.0.1:7000", COUNT: "2", NUMBER: "1"}


def test_slurm_tells_the_place():
    place = find_place(SLURM)
    assert (place.number, place.count, place.host) == (1, 2, "gpu003")
    assert place.port == find_place(SLURM | {"SLURM_PROCID": "0"}).port
    assert place.port != find_place(SLURM | {"SLURM_JOB_ID": "78"}).port


def test_a_batch_script_without_srun_is_one_process():
    alone = {k: v for k, v in SLURM.items() if "STEP" not in k} | {"SLURM_PROCID": "0"}
    assert find_place(alone) == Place()
    assert find_place(SLURM | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}) == Place()


def test_open_mpi_tells_the_place_on_one_machine_also_within_slurm():
    place = find_place(SLURM | OPEN_MPI)
    assert (place.number, place.count, place.host) == (2, 4, "127.0.0.1")


def test_open_mpi_on_several_machines_wants_the_address():
    several = OPEN_MPI | {"OMPI_COMM_WORLD_LOCAL_SIZE": "2"}
    with pytest.raises(UsageError, match=f"{ADDRESS} must be set, too, beside 4 processes"):
        find_place(several)
    assert find_place(several | {ADDRESS: "node1:7000"}) == Place(2, 4, "node1", 7000)


def test_kubernetes_tells_the_number_of_an_indexed_job():
    indexed = {ADDRESS: "train-0.train:7000", COUNT: "2", "JOB_COMPLETION_INDEX": "1"}
    assert find_place(indexed) == Place(1, 2, "train-0.train", 7000)
    assert find_place({"JOB_COMPLETION_INDEX": "1"}) == Place()


def test_by_hand_goes_before_what_launchers_say():
    assert find_place(SLURM | OPEN_MPI | BY_HAND) == Place(1, 2, "10.0.0.1", 7000)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("n1:7000,n2:7000", ("n1", 7000)),
        ("[fe80::1]:7000", ("fe80::1", 7000)),
    ],
)
def test_addresses_are_understood(address, expected):
    place = find_place(BY_HAND | {ADDRESS: address})
    assert (place.host, place.port) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({ADDRESS: ""}, f"{ADDRESS} must be set, too, beside {COUNT}, {NUMBER}"),
        ({COUNT: ""}, f"{COUNT} must be set, too, beside {ADDRESS}, {NUMBER}"),
        ({NUMBER: "", COUNT: ""}, f"{COUNT} and {NUMBER} must be set, too, beside {ADDRESS};"),
        ({NUMBER: "2"}, "the numbers of 2 processes are 0 to 1. Received: 2"),
        ({NUMBER: "one"}, f"{NUMBER}: not a whole number: 'one'"),
        ({ADDRESS: "10.0.0.1"}, "must be HOST:PORT"),
        ({ADDRESS: "10.0.0.1:70000"}, "must be HOST:PORT"),
    ],
)
def test_what_makes_no_sense_is_refused(change, message):
    with pytest.raises(UsageError) as error:
        find_place(BY_HAND | change)
    assert message in str(error.value)


@pytest.mark.parametrize("missing", ["SLURM_PROCID", "OMPI_COMM_WORLD_RANK"])
def test_a_launcher_that_tells_half_is_refused(missing):
    launcher = dict(SLURM if missing in SLURM else OPEN_MPI)
    del launcher[missing]
    with pytest.raises(UsageError, match=f"{NUMBER} must be set, too"):
        find_place(launcher)


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node1", "node1"), ("node1,node2", "node1"), ("n[01-03,7]", "n01"), ("n[5,7]-ib", "n5-ib"),
        ("a[1-2],b[1-2]", "a1"),
    ],
)  # fmt: skip
def test_the_first_host_of_a_list(nodes, first):
    assert hosts.first_host(nodes) == first


def test_gpus_that_several_processes_see_are_shared_out():
    shares = [hosts.share_of_gpus("4,5,6,7", 8, rank, 2) for rank in range(2)]
    assert shares == ["4,5", "6,7"]
    assert hosts.share_of_gpus("4", 8, 0, 2) is None
    assert hosts.share_of_gpus(None, 4, 0, 1) is None
    with pytest.raises(UsageError, match="3 processes on a machine with 2 GPUs"):
        hosts.share_of_gpus(None, 2, 0, 3)
