"""A list in parts: joined, they are what classify.py prints of the whole list."""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, run_script

import classify
from glyphs import console
from glyphs.artifacts.description import to_bytes
from glyphs.artifacts.loading import read_architecture
from glyphs.inference import parts_folder
from glyphs.inference.output import Output
from glyphs.inference.parts import Parts, ranges_of
from glyphs.inference.parts_cluster import make_missing, make_part
from glyphs.inference.request import Request, identities_of

MODEL = str(ROOT / "pretrained" / "devanagari" / "model")


@pytest.fixture(scope="module")
def names(unseen, tmp_path_factory):
    """200 pictures, every ninth of which is missing, blank or damaged."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "damaged.png").write_bytes(b"\x89PNG")
    shutil.copy(ROOT / "docs" / "reading" / "1.png", folder / "large.png")
    good = sorted(str(path) for path in unseen.iterdir())
    bad = [str(folder / "damaged.png"), str(folder / "missing.png")]
    return [bad[i // 9 % 2] if i % 9 == 4 else good[i * 7 % 30] for i in range(200)]


@pytest.fixture
def run(capfdbinary, monkeypatch):
    """A function that runs classify.py in this process: `(exit code, stdout, lines of stderr)`."""

    def run(*arguments, model=MODEL, listed=None):
        if listed is not None:
            text = os.fsencode("\0".join(listed))
            path = pathlib.Path(os.environ["PYTEST_LIST"])
            path.write_bytes(text)
            monkeypatch.setattr(sys, "stdin", open(path))  # noqa: SIM115
        asked = [] if "--gather" in arguments else ["--model", model]
        try:
            code = console.run(lambda: classify.main([*map(str, arguments), *asked]))
        except SystemExit as usage:
            code = usage.code
        out, err = capfdbinary.readouterr()
        lines = err.decode("utf-8", "surrogateescape").splitlines()
        assert "Traceback" not in str(lines)
        return code, out, lines

    return run


@pytest.fixture(autouse=True)
def _list(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PYTEST_LIST", str(tmp_path_factory.mktemp("list") / "list"))


def make(run, names, folder, count, *options, expect=(0, 1)):
    """Make all parts in a random order; return their exit codes and errors, in order."""
    numbers = list(range(1, count + 1))
    random.Random(count).shuffle(numbers)
    found = {}
    for number in numbers:
        code, out, errors = run(
            "-", "--parts", folder, "--part", f"{number}/{count}", *options, listed=names
        )
        assert code in expect, errors
        assert out == b""
        found[number] = code, errors
    return [found[number] for number in sorted(found)]


@pytest.mark.parametrize(
    ("count", "options"),
    [
        (2, ()),
        (7, ("--top", "3", "--characters")),
        (3, ("--format", "csv", "--top", "2", "--reject")),
        (3, ("--format", "json", "--characters")),
        (1, ("--format", "json", "--reject")),
        (10, ("--format", "csv", "--tta")),
    ],
)
def test_joined_parts_are_what_is_printed_at_once(run, names, tmp_path, count, options):
    names = names[:70] if "--tta" in options else names
    code, out, errors = run("-", *options, listed=names)
    assert code == 1
    assert len(errors) == len(names[4::9])
    made = make(run, names, tmp_path / "parts", count, *options)
    assert [line for _, lines in made for line in lines] == errors
    assert [code for code, _ in made] == [1 if lines else 0 for _, lines in made]
    assert run("--gather", tmp_path / "parts") == (code, out, errors)
    suffix = options[1] if "--format" in options else "txt"
    command = f"cat part-*.{suffix}"
    assert subprocess.check_output(command, shell=True, cwd=tmp_path / "parts") == out


def test_a_part_that_is_there_is_left_as_it_is(run, names, tmp_path):
    first = make(run, names, tmp_path, 2)
    (tmp_path / "part-1.txt").write_bytes(b"as it was\n")
    assert make(run, names, tmp_path, 2) == first
    assert (tmp_path / "part-1.txt").read_bytes() == b"as it was\n"


def test_other_work_than_that_of_the_folder_is_refused(run, names, tmp_path):
    def refusal(*options, listed=names, part="2/4", model=MODEL):
        code, out, errors = run(
            "-", "--parts", tmp_path, "--part", part, *options, listed=listed, model=model
        )
        assert (code, out, len(errors)) == (3, b"", 1)
        return errors[0]

    run("-", "--parts", tmp_path, "--part", "1/4", listed=names)
    before = sorted(os.listdir(tmp_path))
    other = copy_model(tmp_path.parent / "other")
    recalibrate(other)
    assert "parts by another model" in refusal(model=other)
    assert "another list of pictures (200 pictures; 199 now)" in refusal(listed=names[1:])
    assert "another list of pictures" in refusal(listed=names[::-1])
    assert "another number of parts (4, not 5)" in refusal(part="2/5")
    assert "made with other options (--top)" in refusal("--top", 2)
    assert "(--format)" in refusal("--format", "csv")
    assert "(--characters)" in refusal("--characters")
    assert "(--tta)" in refusal("--tta")
    assert "(--reject)" in refusal("--reject")
    (tmp_path.parent / "only").write_text("character_1_ka digit_0 digit_1")
    assert "(--only)" in refusal("--only", tmp_path.parent / "only")
    assert sorted(os.listdir(tmp_path)) == before


def test_a_damaged_manifest_is_refused(run, names, tmp_path):
    for content in (b"", b"[]", b'{"format": "glyphs parts"}', b'{"format": "other"}'):
        (tmp_path / "parts.json").write_bytes(content)
        code, _, errors = run("-", "--parts", tmp_path, "--part", "1/2", listed=names)
        assert (code, len(errors)) == (3, 1)
        assert "parts.json: damaged, or not of this program" in errors[0]
    (tmp_path / "parts.json").write_text(
        '{"format": "glyphs parts", "version": 1, "parts": "x", "pictures": 1, "list": "", '
        '"models": [], "options": {"format": "text"}}'
    )
    assert "parts.json: damaged, or not of this program" in run("--gather", tmp_path)[2][0]
    (tmp_path / "parts.json").write_text(
        '{"format": "glyphs parts", "version": 2, "options": {"format": "text"}}'
    )
    assert "format version 2; this program reads 1" in run("--gather", tmp_path)[2][0]


def test_parts_of_nobody_knows_what_are_not_taken_over(run, names, tmp_path):
    make(run, names, tmp_path, 2)
    (tmp_path / "parts.json").unlink()
    code, _, errors = run("-", "--parts", tmp_path, "--part", "1/2", listed=names[:1])
    assert code == 3
    assert "part-1.txt but no parts.json; give another folder" in errors[0].replace(
        "part-2", "part-1"
    )


def test_missing_parts_are_named(run, names, tmp_path):
    make(run, names, tmp_path, 7)
    for number in (2, 3, 7):
        os.remove(tmp_path / f"part-{number}.txt")
    message = f"error: {tmp_path}: 3 of 7 parts are missing: 2-3, 7; make them, then gather again"
    assert run("--gather", tmp_path) == (3, b"", [message])
    code, _, errors = run("--gather", tmp_path / "none")
    assert (code, len(errors)) == (3, 1)
    assert "parts.json: no such file" in errors[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.png", "--parts", "p"], "give --part I/N, or --cluster FILE"),
        (["a.png", "--part", "1/2"], "say where with --parts DIR"),
        (["a.png", "--cluster", "s.json"], "say where with --parts DIR"),
        (["a.png", "--parts", "p", "--part", "1/2", "--cluster", "s.json"], "makes all parts"),
        (["a.png", "--parts", "p", "--part", "1/2", "--explain", "m"], "leave it out with --parts"),
        (["a.png", "--parts", "p", "--cluster", "s.json", "--workers", "2"], "of this machine"),
        (["a.png", "--parts", "p", "--part", "3/2"], "must be I/N"),
        (["a.png", "--parts", "p", "--part", "0/2"], "must be I/N"),
        (["a.png", "--parts", "p", "--part", "1"], "must be I/N"),
        (["--gather", "p", "a.png"], "give it alone"),
        (["--gather", "p", "--format", "csv"], "give it alone"),
        (["--gather", "p", "--parts", "p"], "give it alone"),
        ([], "required: IMAGE"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(run, tmp_path, arguments, message):
    code, out, errors = run(*arguments)
    assert (code, out) == (2, b"")
    assert message in errors[-1]


def test_an_empty_list_is_refused_and_what_is_wrong_with_a_list_is_said_once(
    run, names, unseen, tmp_path
):
    (tmp_path / "empty").mkdir()
    folder = tmp_path / "parts"
    code, _, errors = run(tmp_path / "empty", "--parts", folder, "--part", "1/2")
    assert (code, errors[-1]) == (2, "error: no pictures to split into parts")
    assert not folder.exists()
    given = [str(tmp_path / "empty"), *names[:4], str(unseen)]
    expected = run(*given)
    assert expected[0] == 1
    for number in (1, 2, 3):
        code, _, errors = run(*given, "--parts", folder, "--part", f"{number}/3")
        assert (code, errors) == ((1, expected[2]) if number == 1 else (0, []))
    assert run("--gather", folder) == expected


def test_a_full_disk_leaves_no_part(names, tmp_path):
    listed = os.fsencode("\0".join(names))
    process = run_script(
        "classify.py", "-", "--model", MODEL, "--parts", tmp_path, "--part", "1/2",
        stdin=listed, largest_file=2000, expect=4,
    )  # fmt: skip
    assert "no space left" in process.stderr
    left = set(os.listdir(tmp_path))
    assert left <= {"parts.json", "part-1.errors"}  # the latter says nothing without its part


def test_what_killed_processes_left_confuses_nobody(run, names, tmp_path):
    code, out, errors = run("-", listed=names)
    (tmp_path / "part-1.txt.0123456789abcdef.own.tmp").write_bytes(b"half a li")
    (tmp_path / "parts.json.0123456789abcdef.own.tmp").write_bytes(b"{")
    (tmp_path / "part-2.errors").write_text("a part was killed just before it was there\n")
    make(run, names, tmp_path, 2)
    assert run("--gather", tmp_path) == (code, out, errors)
    found = {"part-1.errors", "part-1.txt", "part-2.errors", "part-2.txt", "parts.json"}
    assert set(os.listdir(tmp_path)) == found


def test_jobs_that_come_at_once_agree(names, unseen, tmp_path, run):
    listed = os.fsencode("\0".join(names))
    command = [sys.executable, ROOT / "classify.py", "-", "--model", MODEL, "--parts", tmp_path]
    (tmp_path / "list").write_bytes(listed)
    # Two of them make the same part.
    jobs = []
    for part in ("1/2", "2/2", "2/2"):
        with open(tmp_path / "list") as file:
            jobs.append(subprocess.Popen([*command, "--part", part], stdin=file, stderr=-1))
    for job in jobs:
        job.communicate()
    assert [job.returncode for job in jobs] == [1, 1, 1]
    assert run("--gather", tmp_path) == run("-", listed=names)
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".tmp")]


@pytest.mark.parametrize("n_pictures", [1, 63, 64, 65, 300, 6400])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 99])
def test_parts_are_the_list_in_order_of_nearly_equal_size(n_pictures, count):
    found = Parts("x", {"parts": count, "pictures": n_pictures})
    pictures = list(range(n_pictures))
    shares = [pictures[found.pictures(number)] for number in range(1, count + 1)]
    assert [picture for share in shares for picture in share] == pictures
    assert shares[0]  # it opens the list in JSON
    sizes = [-(-len(share) // 64) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_ranges_that_are_many_are_cut():
    assert ranges_of(range(1, 40, 2)) == "1, 3, 5, 7, 9, 11, 13, 15, ..."


def copy_model(folder):
    folder.mkdir(exist_ok=True)
    for name in ("model_architecture.json", "model_weights.h5", "model.onnx"):
        shutil.copy(f"{os.path.dirname(MODEL)}/{name}", folder / name)
    return str(folder / "model")


def recalibrate(model):
    content = read_architecture(model)
    content["glyphs"]["doubt"]["temperature"] = 2.5
    pathlib.Path(f"{model}_architecture.json").write_bytes(to_bytes(content))


def request_for(model, **options):
    return Request((model,), Output(), **options)


def test_a_model_is_the_same_when_its_onnx_is_made_again_and_another_when_calibrated(tmp_path):
    request = request_for(copy_model(tmp_path))
    before = identities_of(request.open())
    assert before == identities_of(request_for(MODEL).open())
    os.remove(tmp_path / "model.onnx")
    assert identities_of(request.open()) == before
    recalibrate(request.models[0])
    assert identities_of(request.open()) != before


def folder_of(tmp_path, names, **options):
    request = request_for(MODEL, **options)
    identities = identities_of(request.open())
    return parts_folder.begin(tmp_path / "parts", request, identities, names), request, identities


class HereCluster:
    """A cluster that is this process."""

    def run(self, function, tasks, *, seen):
        assert all(os.path.exists(path) for path in seen)
        for name, arguments in tasks:
            yield name, function(*arguments), None


def test_a_worker_with_another_working_folder_finds_relative_names(
    run, names, unseen, tmp_path, monkeypatch
):
    monkeypatch.chdir(unseen)
    listed = ["bar 1.png", "gone.png", "./ring 2.png"]
    expected = run("-", listed=listed)
    found, request, identities = folder_of(tmp_path, listed)

    class Elsewhere(HereCluster):
        def run(self, function, tasks, *, seen):
            tasks = list(tasks)
            os.chdir(tmp_path)
            for result in super().run(function, tasks, seen=seen):
                os.chdir(unseen)
                yield result

    reports = []
    make_missing(
        found, request, identities, listed, Elsewhere(), report=lambda *what: reports.append(what)
    )
    assert reports == [(1, ["gone.png: no such file"], None)]
    assert run("--gather", found.folder) == expected


def test_workers_that_do_not_see_the_pictures_are_an_error_and_leave_no_parts(unseen, tmp_path):
    folder = shutil.copytree(unseen, tmp_path / "pictures")
    names = [str(path) for path in sorted(folder.iterdir())] * 5  # several parts
    request = request_for(MODEL)
    identities = identities_of(request.open())
    found = parts_folder.begin(tmp_path / "parts", request, identities, names, 2)

    class Blind(HereCluster):
        def run(self, function, tasks, *, seen):
            tasks = list(tasks)
            folder.rename(tmp_path / "hidden")
            results = list(super().run(function, tasks, seen=seen))
            (tmp_path / "hidden").rename(folder)
            yield from results

    with pytest.raises(Exception, match=f"did not see {names[0]}; all machines must") as error:
        make_missing(found, request, identities, names, Blind(), report=None)
    assert error.value.exit_code == 6
    assert os.listdir(found.folder) == ["parts.json"]


def test_a_worker_with_another_model_is_refused(names, tmp_path):
    found, request, _ = folder_of(tmp_path, names[:1])
    with pytest.raises(Exception, match="another model here") as error:
        make_part(found, 1, request, ("0" * 64,), names[:1], "/", (), set())
    assert error.value.exit_code == 3
    absent = request_for(str(tmp_path / "absent"))
    with pytest.raises(Exception, match="no such file"):
        make_part(found, 1, absent, ("0" * 64,), names[:1], "/", (), set())


def test_a_cluster_goes_on_with_the_parts_that_jobs_began(run, names, tmp_path):
    run("-", "--parts", tmp_path / "parts", "--part", "2/3", listed=names)
    found, request, identities = folder_of(tmp_path, names)
    assert found.missing() == [1, 3]
    reports = []
    make_missing(
        found, request, identities, names, HereCluster(), report=lambda n, *_: reports.append(n)
    )
    assert reports == [1, 3]
    assert run("--gather", found.folder) == run("-", listed=names)


def test_manifests_say_what_they_are(names, tmp_path):
    found, _, _ = folder_of(tmp_path, names, only=("character_1_ka",))
    manifest = json.loads(pathlib.Path(found.manifest_path).read_text())
    assert manifest["pictures"] == 200
    assert manifest["parts"] == 1
    assert len(manifest["options"]["only"]) == 64
