"""serve.py over sockets, as programs and worse clients ask it."""

import asyncio
import concurrent.futures
import io
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time

import numpy as np
import pytest
from conftest import ROOT, draw_shape, run_script
from mutants import mutants
from PIL import Image, PngImagePlugin
from serving import limited, multipart, read_all, renamed, serving
from test_pages import HOSTILE

from glyphs.errors import PictureError, StorageError, UsageError
from glyphs.inference import Classifier
from glyphs.web import collect, server
from glyphs.web.batching import Batcher, Pool
from glyphs.web.bodies import Upload
from glyphs.web.guard import Guard
from glyphs.web.limits import Limits, RefusedError
from glyphs.web.models import find_beside

X = "multipart/form-data; boundary=x"
NAMES = ("一", "乂", "〇")  # what the toy shapes bar, cross and ring look like


def png(shape="ring", seed=3, **options):
    buffer = io.BytesIO()
    draw_shape(shape, np.random.default_rng(seed)).save(buffer, "PNG", **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def models(toy_model, tmp_path_factory):
    """A folder with two models, `shapes` and `kanji`, and one that is damaged."""
    folder = tmp_path_factory.mktemp("models")
    renamed(toy_model, folder / "kanji", NAMES)
    renamed(toy_model, folder / "shapes", ("bar", "cross", "ring"))
    broken = renamed(toy_model, folder / "broken", NAMES)
    os.remove(f"{broken}_weights.h5")
    return folder


@pytest.fixture(scope="module")
def kanji(models):
    return models / "kanji" / "model"


@pytest.fixture(scope="module")
def hand(tmp_path_factory):
    return tmp_path_factory.mktemp("collected") / "hand"


@pytest.fixture(scope="module")
def served(models, kanji, hand):
    with serving("--model", models / "kanji", "--collect", hand) as started:
        yield started
        # No request of any test is a fault of the server.
        code, _, err = started.end()
        assert (code, err) == (0, "")


@pytest.fixture(scope="module")
def small(kanji):
    limits = {
        "body": 300_000, "pixels": 10_000, "pictures": 3, "connections": 12, "bodies": 0,
        "head_seconds": 0.5, "body_seconds": 0.5, "least_rate": 10**9,
    }  # fmt: skip
    with limited(kanji, **limits) as started:
        yield started


# --- Answers ---


def test_answers_are_those_of_classify(served, kanji, unseen):
    paths = sorted(unseen.iterdir())[::5]
    arguments = ("--model", kanji, "--format", "json", "--top", 3, "--characters")
    printed = run_script("classify.py", *arguments, *(p.name for p in paths), cwd=unseen).stdout
    body, headers = multipart([(path.name, path.read_bytes()) for path in paths])
    options = {"top": 3, "characters": "true"}
    status, _, answers = served.post("/classify", body, headers, **options)
    assert (status, answers) == (200, json.loads(printed))
    raw = served.send(
        b"POST /classify?top=3&characters=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n%s"
        % (headers["Content-Type"].encode(), len(body), body)
    )
    assert raw.partition(b"\r\n\r\n")[2].decode() == printed


def test_a_raw_body_is_a_picture(served):
    status, _, (answer,) = served.post("/classify", png("cross"), name="a b.png")
    assert status == 200
    assert (answer["path"], answer["candidates"][0]["label"]) == ("a b.png", "乂")
    assert [*answer["candidates"][0]] == ["label", "probability"]
    assert len(answer["candidates"]) == 1


def test_a_picture_that_cannot_be_read_is_an_error_among_answers(served):
    body, headers = multipart([("a.png", png()), ("b.png", b"no picture"), ("c.png", png("bar"))])
    status, _, answers = served.post("/classify", body, headers, top=99)
    assert status == 200
    assert [len(answer.get("candidates", [])) for answer in answers] == [3, 0, 3]
    assert answers[1]["error"].startswith("not a PNG")


def test_chunked_bodies_are_read(served):
    data = png()
    status, _, answers = served.post("/classify", iter([data[:40], data[40:]]))
    assert (status, answers[0]["candidates"][0]["label"]) == (200, "〇")


def test_the_model_and_its_neighbours_are_described(served):
    status, _, model = served.ask("GET", "/model")
    assert status == 200
    assert model["class_names"] == model["characters"] == list(NAMES)
    assert (model["name"], model["network"]) == ("kanji", "kanji")
    assert model["models"] == ["kanji", "broken", "shapes"]
    assert (model["image_size"], model["collects"], model["accuracies"]) == ([16, 16], True, [])
    _, _, other = served.ask("GET", "/model", model="shapes")
    assert (other["name"], other["characters"]) == ("shapes", [None] * 3)
    _, _, (answer,) = served.post("/classify", png("bar"), model="shapes")
    assert answer["candidates"][0]["label"] == "bar"


def test_health_is_short(served):
    status, headers, health = served.ask("GET", "/health")
    assert (status, health["status"], health["waiting"]) == (200, "ok", 0)
    assert "kanji" in health["opened"]
    assert headers["cache-control"] == "no-store"


def test_a_calibrated_model_rejects(toy_model, tmp_path):
    from glyphs.artifacts.doubt import store_doubt

    prefix = renamed(toy_model, tmp_path / "m", NAMES)
    doubt = {"temperature": 20.0, "thresholds": {"0.9": 0.2, "0.99": 0.9999}}
    store_doubt(prefix, doubt | {"pictures": 100, "val": "toy"})
    blank = io.BytesIO()
    Image.new("L", (30, 30), 255).save(blank, "PNG")
    with serving("--model", prefix) as started:
        _, _, (answer,) = started.post("/classify", png(), reject="true", accuracy=0.9)
        assert answer["rejected"] is False
        _, _, (answer,) = started.post("/classify", png(), reject="true")
        assert (answer["rejected"], len(answer["candidates"])) == (True, 1)
        _, _, (answer,) = started.post("/classify", blank.getvalue(), reject="true")
        assert answer == {"path": "picture", "candidates": [], "rejected": True}
        status, _, refused = started.post("/classify", png(), reject="true", accuracy=0.9999)
        assert (status, "cannot be promised" in refused["error"]) == (400, True)
        assert started.ask("GET", "/model")[2]["accuracies"] == [0.9, 0.99]
        status, _, refused = started.post("/collect", png(), label="一")
        assert (status, "--collect" in refused["error"]) == (403, True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("GET", "/nothing", None, 404, "nothing is here"),
        ("GET", "/classify", None, 405, "POST"),
        ("POST", "/model", b"x", 405, "POST"),
        ("GET", "/../../etc/passwd", None, 404, "nothing"),
        ("GET", "/page.css%00", None, 404, "nothing"),
        ("POST", "/classify", b"", 400, "no picture"),
        ("POST", "/classify?top=0", b"x", 400, "top must be a whole number"),
        ("POST", "/classify?top=%D9%A1", b"x", 400, "top must be a whole number"),
        ("POST", "/classify?top=9999999999999", b"x", 400, "top must be a whole number"),
        ("POST", "/classify?top=1&top=2", b"x", 400, "given twice"),
        ("POST", "/classify?tip=1", b"x", 400, "known: model, top"),
        ("POST", "/classify?characters=maybe", b"x", 400, "true or false"),
        ("POST", "/classify?accuracy=0.9", b"x", 400, "add reject=true"),
        ("POST", "/classify?reject=1&accuracy=nan", b"x", 400, "share below 1"),
        ("POST", "/classify?reject=1&accuracy=2", b"x", 400, "share below 1"),
        ("POST", "/classify?reject=1", b"x", 400, "never calibrated"),
        ("POST", "/classify?model=../kanji", b"x", 404, "no model ../kanji"),
        ("POST", "/classify?model=broken", b"x", 503, "no such file"),
        ("GET", "/model?model=%0a%3Cb%3E", None, 404, "no model \\n<b>"),
        ("POST", "/map", b"x", 400, "which label"),
        ("POST", "/map?label=b", b"x", 400, "no class of the model"),
        ("POST", "/collect", b"x", 400, "which label"),
        ("POST", "/collect?label=a", b"no picture", 400, "not a PNG"),
    ],
)
def test_mistakes_are_explained_in_one_line(served, method, path, body, status, says):
    found, headers, answer = served.ask(method, path, body)
    assert (found, headers["content-type"]) == (status, "application/json")
    assert [*answer] == ["error"]
    assert says in answer["error"]
    assert "\n" not in answer["error"]


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (b"junk", X, "not a valid"),
        (b"junk", "multipart/form-data", "not a valid"),
        (b"--x\r\n", X, "ends early"),
        (b"--x--\r\n", X, "no picture"),
        (b"", X, "ends early"),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nhalf', X, "ends early"),
        (b"--x\r\n" + b"A: b\r\n" * 50 + b"\r\n\r\n--x--\r\n", X, "not a valid"),
        (b"--x\r\n\r\n\r\n--x--\r\n", X + "x" * 400, "not a valid"),
    ],
    ids=range(8),
)  # fmt: skip
def test_damaged_multipart_bodies_are_refused(served, body, kind, says):
    status, _, answer = served.post("/classify", body, {"Content-Type": kind})
    assert (status, says in answer["error"]) == (400, True), answer


# --- Who may ask ---


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:9", "127.9.9.9"]
)
def test_this_machine_may_ask(served, host):
    assert served.ask("GET", "/health", headers={"Host": host})[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "192.168.1.5", "", "localhost:x", "[::1", "0x7f.1",
     "127.0.0.1.evil.example", "localhost@evil"],
)  # fmt: skip
def test_other_names_are_refused_so_dns_cannot_be_rebound(served, host):
    status, _, answer = served.ask("GET", "/", headers={"Host": host})
    assert (status, "called" in answer["error"]) == (403, True)


def test_two_hosts_are_refused(served):
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert served.send(head).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost:8000"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost:8001"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_pages_of_other_sites_cannot_post(served, headers, status):
    headers = {"Host": "localhost:8000", **headers}
    assert served.post("/classify", png(), headers)[0] == status


@pytest.mark.parametrize(
    ("kind", "status"), [("image", 403), ("iframe", 403), ("empty", 403), ("document", 200)]
)
def test_pages_of_other_sites_may_link_here_but_show_nothing_of_it(served, kind, status):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": kind}
    assert served.ask("GET", "/model", headers=headers)[0] == status


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/font.ttf", "/health", "/nothing"])
def test_every_answer_has_a_strict_policy(served, path):
    _, headers, _ = served.ask("GET", path)
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


def test_the_page_brings_all_it_needs(served):
    _, _, page = served.ask("GET", "/")
    text = page.decode()
    assert "http" not in text.replace("http-equiv", "")
    assert "style=" not in text
    assert "onclick" not in text
    for name in ("page.css", "page.js", "icon.svg"):
        assert f'"/{name}"' in text
        assert served.ask("GET", f"/{name}")[0] == 200


def test_another_host_is_said_and_answers_to_addresses_and_names(kanji):
    arguments = ("--model", kanji, "--host", "0.0.0.0", "--allow-host", "Desk.local")
    with serving(*arguments) as started:
        for host, status in (("192.168.1.5:80", 200), ("desk.local", 200), ("evil.example", 403)):
            assert started.ask("GET", "/health", headers={"Host": host})[0] == status
        code, _, err = started.end(signal.SIGINT)
    assert code == 130
    assert err.startswith("warning: listens on 0.0.0.0: whoever reaches this machine can ask")


def test_hosts_with_odd_ports_are_no_names():
    guard = Guard(None)
    assert guard.may_be_called("localhost:80")
    odd = ("localhost:-1", "localhost:٣", "[::1]x", "[::1]:x", "")
    assert not any(map(guard.may_be_called, odd))


def test_a_fault_of_the_server_shows_no_traceback(capsys):
    async def broken(scope, receive, send):
        raise ZeroDivisionError("secret\nsecret")

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "headers": [(b"host", b"localhost")]}
    asyncio.run(Guard(broken)(scope, None, send))
    assert sent[0]["status"] == 500
    assert json.loads(sent[1]["body"]) == {"error": "a fault of the server; its terminal says more"}
    assert capsys.readouterr().err == "error: ZeroDivisionError: secret\\nsecret\n"


# --- Limits ---


def test_large_bodies_are_refused_before_and_while_they_come(small):
    for body in (bytes(400_000), iter([bytes(100_000)] * 4)):
        status, _, answer = small.post("/classify", body)
        assert (status, answer["error"]) == (
            413, "a body of more than 0.3 MB; send fewer or smaller pictures"
        )  # fmt: skip


def test_all_large_bodies_share_a_budget(small):
    status, headers, answer = small.post("/classify", bytes(290_000))
    assert (status, headers["retry-after"]) == (503, "1")
    assert "too many large requests" in answer["error"]


def test_pixels_and_pictures_are_counted(small):
    large = io.BytesIO()
    Image.new("L", (101, 100), 255).save(large, "PNG")
    status, _, answer = small.post("/classify", large.getvalue())
    assert (status, "more than 0.01 million pixels" in answer["error"]) == (413, True)
    body, headers = multipart([("a.png", png()), ("large.png", large.getvalue())])
    status, _, answer = small.post("/classify", body, headers)
    assert (status, answer["error"].startswith("large.png: more")) == (413, True)
    status, _, answer = small.post("/classify", *multipart([("a.png", png())] * 4))
    assert (status, "more than 3 pictures" in answer["error"]) == (413, True)
    assert small.post("/classify", *multipart([("a.png", png())] * 3))[0] == 200
    few, many = ([("a.png", png()), *[("", b"")] * count] for count in (50, 200))
    assert small.post("/classify", *multipart(few))[0] == 200
    status, _, answer = small.post("/classify", *multipart(many))
    assert (status, "too many parts" in answer["error"]) == (413, True)


def test_pixels_are_counted_before_a_map_is_drawn(small):
    large = io.BytesIO()
    Image.new("L", (101, 100), 255).save(large, "PNG")
    status, _, answer = small.post("/map", large.getvalue(), label="乂")
    assert (status, "more than 0.01 million pixels" in answer["error"]) == (413, True)


def test_a_bomb_is_refused_from_its_header(served):
    data = bytearray(png())
    data[16:24] = (60_000).to_bytes(4) + (60_000).to_bytes(4)
    data[29:33] = __import__("zlib").crc32(bytes(data[12:29])).to_bytes(4)
    status, _, answer = served.post("/classify", bytes(data))
    assert (status, "million pixels" in answer["error"]) == (413, True)


def test_slow_clients_are_given_up_and_hold_nobody_up(small):
    head = b"POST /classify HTTP/1.1\r\nHost: localhost\r\n"
    beginnings = [
        b"", b"PO", head, *(head + b"Content-Length: 9\r\n\r\n" + part for part in (b"", b"abc")),
    ]  # fmt: skip
    slow = [small.connect() for _ in beginnings]
    for connection, data in zip(slow, beginnings, strict=True):
        connection.sendall(data)
    assert small.post("/classify", png())[0] == 200
    for connection in slow:
        with connection:
            answer = read_all(connection)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b"too slowly" in answer


def test_connections_are_counted(small):
    idle = [small.connect() for _ in range(12)]
    try:
        answer = b""
        while not answer:  # until the server has taken those before
            with small.connect() as one:
                one.settimeout(0.2)
                try:
                    answer = read_all(one)
                except TimeoutError:
                    continue
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'{"error": "too many connections' in answer
    finally:
        for connection in idle:
            connection.close()


def test_waiting_requests_are_counted(kanji):
    with limited(kanji, waiting=0) as started:
        status, headers, answer = started.post("/classify", png())
        assert (status, headers["retry-after"]) == (503, "1")
        assert answer == {"error": "too many requests at once; ask again in a second"}
        assert started.ask("GET", "/health")[2]["waiting"] == 0


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * 100_000,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    ],
    ids=range(6),
)
def test_what_is_no_http_is_refused(served, data):
    answer = served.send(data)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b'{"error": "not a valid HTTP request"}')


def test_a_client_that_goes_away_leaves_nothing_behind(served):
    head = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc"
    for data in (head, b"POST /classify", head + bytes(97)):
        connection = served.connect()
        connection.sendall(data)
        connection.close()
    deadline = time.monotonic() + 10
    while served.ask("GET", "/health")[2]["waiting"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert served.ask("GET", "/health")[2]["waiting"] == 0


# --- Names ---


def test_hostile_names_come_back_as_they_are_and_reach_no_disk(served, hand):
    before = {*hand.rglob("*")}
    names = [name for name in HOSTILE if not set(name) & set('"\r\n\0\\')]
    assert len(names) > 3
    names += ["../../etc/passwd", "/etc/passwd", "con", "a" * 999]
    body, headers = multipart([(name, png()) for name in names])
    status, _, answers = served.post("/classify", body, headers)
    assert status == 200
    expected = [
        name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")[:255] for name in names
    ]
    assert [answer["path"] for answer in answers] == expected
    served.post("/collect", body=png(), name="../../x.png", label="一")
    written = {*hand.rglob("*")} - before
    assert {path.suffix for path in written} <= {"", ".png"}
    assert all(path.is_relative_to(hand / "一") for path in written)


# --- Collecting ---


def test_collected_pictures_become_a_dataset(served, hand, tmp_path):
    for shape, label in (("bar", "一"), ("ring", "〇"), ("cross", "新しい")):
        for seed in range(12):
            status, _, kept = served.post("/collect", png(shape, 100 + seed), label=label)
            assert status == 200
            assert kept["label"] == label
            assert kept["is_new_class"] == (label == "新しい")
            assert (hand / kept["path"]).is_file()
    run = run_script("create_dataset.py", hand, "--image-size", 16, cwd=tmp_path)
    assert "of 3 classes, 16x16" in run.stdout
    assert "skipped: none" in run.stdout
    assert not [*hand.rglob("*.tmp")]


def test_what_is_kept_is_the_picture_alone_without_what_came_with_it(served, hand):
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "where I live")
    data = png("ring", 55, pnginfo=text)
    _, _, kept = served.post("/collect", data, label="〇")
    stored = (hand / kept["path"]).read_bytes()
    assert b"where I live" in data
    assert b"where I live" not in stored
    with Image.open(io.BytesIO(stored)) as found, Image.open(io.BytesIO(data)) as original:
        assert found.tobytes() == original.tobytes()


def test_a_picture_that_is_corrected_again_moves(served, hand):
    first = served.post("/collect", png("ring", 77), label="一")[2]["path"]
    again = served.post("/collect", png("ring", 77), label="一")[2]["path"]
    assert first == again
    second = served.post("/collect", png("ring", 77), label="〇")[2]["path"]
    assert os.path.basename(first) == os.path.basename(second)
    assert not (hand / first).exists()
    assert (hand / second).is_file()


def test_a_character_means_its_class(models, served):
    assert served.post("/collect", png("ring", 78), label="ring", model="shapes")[2] == {
        "label": "ring", "path": served.post("/collect", png("ring", 78), label="ring")[2]["path"],
        "is_new_class": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    "label",
    ["", " ", "..", ".", ".hidden", "../up", "a/b", "a\\b", "/etc", "C:", "a\0b", "a\nb", "train",
     "Validation", "~", "-rf", "con.", "a\u202eb", "\ufeffa", "x" * 101, "亜" * 34, "<b>",
     "__MACOSX", " a", "\u00a0"],
)  # fmt: skip
def test_labels_that_are_no_harmless_folder_are_refused(served, hand, label):
    before = {*hand.parent.rglob("*")}
    status, _, answer = served.post("/collect", png(), label=label)
    assert status == 400
    assert "label" in answer["error"] or "split" in answer["error"]
    assert {*hand.parent.rglob("*")} == before


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    (tmp_path / "outside").mkdir()
    collection = collect.Collection(str(tmp_path / "hand"))
    (tmp_path / "hand" / "a").symlink_to(tmp_path / "outside")
    with pytest.raises(RefusedError, match="link"):
        collection.keep(Upload("x", png()), "a", is_known=True)
    assert not [*(tmp_path / "outside").iterdir()]


def test_nested_classes_of_a_model_are_nested_folders(tmp_path):
    collection = collect.Collection(str(tmp_path))
    path = collection.keep(Upload("x", png()), "Greek/alpha", is_known=True)
    assert path.startswith("Greek/alpha/")
    assert (tmp_path / path).is_file()
    with pytest.raises(RefusedError):
        collection.keep(Upload("x", png()), "Greek/..", is_known=True)
    with pytest.raises(PictureError):
        collection.keep(Upload("x", b""), "a", is_known=True)


def test_a_disk_that_is_full_is_said(tmp_path, monkeypatch, kanji):
    import errno

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    collection = collect.Collection(str(tmp_path))
    monkeypatch.setattr("glyphs.files.flush", full)
    with pytest.raises(StorageError, match="no space left"):
        collection.keep(Upload("x", png()), "a", is_known=True)
    assert not [*tmp_path.rglob("*.*")]


# --- Batches ---


class Counting:
    """A classifier of three classes that counts what it is asked; the first column is the pixel."""

    def __init__(self):
        self.batches = []

    def look(self, path, data):
        if data == b"bad":
            raise PictureError(path, "bad")
        return [type("Seen", (), {"image": np.full((2, 2), int(data), np.uint8)})]

    def ask(self, images):
        self.batches.append(len(images))
        time.sleep(0.02)
        if any(image[0, 0] == 255 for (image,) in images):
            raise ValueError("network")
        return np.float32([[image[0, 0], 0, 0] for (image,) in images])

    def predict(self, path, found, *, top, threshold):
        return found if isinstance(found, PictureError) else (path, int(found[0]))


def test_who_asks_together_is_answered_together_and_each_its_own():
    async def ask():
        pool, classifier = Pool(Limits()), Counting()
        batcher = Batcher(classifier, pool)
        uploads = [Upload(str(i), b"%d" % (i % 200)) for i in range(60)]
        several = [batcher.classify([upload]) for upload in uploads]
        answers = await asyncio.gather(*several, batcher.classify(uploads[:7]))
        bad, good = await batcher.classify([Upload("x", b"bad"), uploads[5]])
        with pytest.raises(ValueError, match="network"):
            await batcher.classify([Upload("x", b"255")])
        after = await batcher.classify([uploads[1]])
        pool.close()
        return classifier.batches, answers, bad, good, after

    batches, answers, bad, good, after = asyncio.run(ask())
    assert [answer for (answer,) in answers[:-1]] == [(str(i), i) for i in range(60)]
    assert answers[-1] == [(str(i), i) for i in range(7)]
    assert sum(batches) == 60 + 7 + 1 + 1 + 1
    assert len(batches) < 40
    assert isinstance(bad, PictureError)
    assert (good, after) == (("5", 5), [("1", 1)])


def test_many_clients_get_the_answers_of_one(served, kanji, unseen):
    paths = sorted(unseen.iterdir())
    alone = Classifier(str(kanji)).classify(map(str, paths))
    expected = {os.path.basename(answer.path): answer.label for answer in alone}

    def ask(path):
        status, _, (answer,) = served.post("/classify", path.read_bytes(), name=path.name)
        return status, answer["path"], answer["candidates"][0]["label"]

    with concurrent.futures.ThreadPoolExecutor(16) as clients:
        found = [*clients.map(ask, paths * 4)]
    assert {status for status, _, _ in found} == {200}
    assert all(expected[name] == label for _, name, label in found)


# --- Beginning and ending ---


def test_sigterm_finishes_what_has_begun(kanji):
    body, headers = multipart([(f"{i}.png", png(seed=i)) for i in range(100)])
    with serving("--model", kanji) as started:
        started.post("/classify", png())
        with concurrent.futures.ThreadPoolExecutor(6) as clients:
            asked = [clients.submit(started.post, "/classify", body, headers) for _ in range(6)]
            while started.ask("GET", "/health")[2]["waiting"] < 6 and not any(
                a.done() for a in asked
            ):
                time.sleep(0.01)
            code, _, err = started.end(signal.SIGTERM)
            answers = [each.result() for each in asked]
    assert (code, err) == (0, "")
    assert [(status, len(answer)) for status, _, answer in answers] == [(200, 100)] * 6
    with pytest.raises(ConnectionRefusedError):
        started.connect()


def test_the_address_is_printed_once_it_answers(served):
    assert served.line == f"http://127.0.0.1:{served.port}   (Ctrl-C ends it)\n"


def test_a_port_in_use_is_a_usage_error(served, kanji):
    run = run_script("serve.py", "--model", kanji, "--port", served.port, expect=2)
    assert run.stderr == (
        f"error: port {served.port} of 127.0.0.1: address already in use; give another --port, or "
        "0 for any that is free\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--model", "nowhere"), 3, "no such file"),
        (("--model", "broken/model"), 3, "no such file"),
        (("--model", "kanji/model", "--collect", "kanji/model_weights.h5"), 4, "in the way"),
        (("--model", "kanji/model", "--host", "no such host"), 2, "no address of that name"),
        (("--port", "99999"), 2, "at most 65535"),
    ],
)
def test_wrong_starts_end_with_one_line(models, arguments, code, says):
    arguments = arguments if "--port" in arguments else (*arguments, "--port", "0")
    run = run_script("serve.py", *arguments, cwd=models, expect=code)
    assert says in run.stderr.splitlines()[-1]
    assert run.stdout == ""


def test_names_and_addresses(monkeypatch):
    with server.listen("127.0.0.1", 0) as bound:
        assert server.names_of(bound, "localhost") == ({"localhost"}, False)
        assert server.url_of(bound) == f"http://127.0.0.1:{bound.getsockname()[1]}"
    with pytest.raises(UsageError, match="no address"):
        server.listen("a..b", 0)
    monkeypatch.setattr(socket, "gethostname", lambda: "Desk")
    with server.listen("0.0.0.0", 0) as bound:
        names, is_open = server.names_of(bound, "0.0.0.0", ["X"])
    assert (names, is_open) == ({"localhost", "0.0.0.0", "desk", "desk.local", "x"}, True)


def test_models_beside_are_named_by_their_folders(tmp_path, monkeypatch):
    for name in ("a/model", "a/big", "b/model", ".c/model", "d10/model", "d9/model"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}_architecture.json").touch()
    monkeypatch.chdir(tmp_path)
    assert [*find_beside("b/model")] == ["b", "a/big", "a", "d9", "d10"]
    assert find_beside("a/big")["a"] == "a/model"
    monkeypatch.chdir(tmp_path / "a")
    assert find_beside("model") == {"model": "model", "big": "big"}


# --- What the guides say ---

GUIDES = [(ROOT / name).read_text() for name in ("README.md", "docs/serving.md")]
CURLS = [shlex.split(it) for text in GUIDES for it in re.findall(r"^    (curl .*)$", text, re.M)]


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_commands_of_the_guides_work(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png())
    (command,) = re.findall(r"^    \$ python serve\.py (.*)$", GUIDES[0], re.M)
    arguments = command.replace("pretrained", str(ROOT / "pretrained")).split()
    with serving(*arguments, "--collect", "hand", cwd=tmp_path) as started:
        for words in CURLS:
            if "-o" in words:  # a map, which takes long
                continue
            words = [word.replace("http://127.0.0.1:8000", started.url) for word in words]
            run = subprocess.run(
                [*words, "-sS", "--fail"], cwd=tmp_path, capture_output=True, check=True
            )
            answer = json.loads(run.stdout)
            if "classify" in words[-1]:
                assert len(answer) == max(1, words.count("-F"))
            else:
                assert "error" not in answer
    assert len(CURLS) > 8
    assert len([*(tmp_path / "hand" / "digit_0").iterdir()]) == 1


# --- Mutants and maps ---


@pytest.mark.slow
def test_maps_are_pictures_of_the_pictures_size(served):
    status, headers, data = served.post("/map", png(), label="〇")
    assert (status, headers["content-type"]) == (200, "image/png")
    with Image.open(io.BytesIO(data)) as drawn:
        assert (drawn.mode, drawn.size) == ("RGB", (160, 160))
        red, green, _ = np.asarray(drawn, int).reshape(-1, 3).T
    assert (red - green).max() > 60
    status, _, answer = served.post("/map", b"no picture", label="〇")
    assert (status, "not a PNG" in answer["error"]) == (400, True)


@pytest.mark.parametrize("count", [600, pytest.param(20_000, marks=pytest.mark.slow)])
def test_mutants_never_are_a_fault_of_the_server(kanji, count):
    wholes = [png(), png("bar"), png("cross", 4, optimize=True)]
    wholes += [path.read_bytes() for path in sorted((ROOT / "docs").glob("*.png"))]
    statuses = set()
    with serving("--model", kanji) as started:
        batch = []
        for i, data in enumerate(mutants(wholes, count, seed=2)):
            batch.append((f"{i}.png", data))
            if len(batch) < 20 and i < count - 1:
                continue
            body, headers = multipart(batch)
            status, _, answers = started.post("/classify", body, headers)
            if status == 413:  # one has too many pixels: each alone, then
                for name, data in batch:
                    status, _, answers = started.post("/classify", data or b" ", name=name)
                    statuses.add(status)
                    assert status == 413 or answers[0].get("error") or answers[0]["candidates"]
            else:
                assert status == 200
                assert all(answer.get("error") or answer["candidates"] for answer in answers)
                statuses.add(status)
            batch = []
        code, _, err = started.end()
    assert (code, err) == (0, "")
    assert statuses == {200, 413}


def test_answers_are_sent_at_once():
    with server.listen("127.0.0.1", 0) as bound:
        # asyncio switches Nagle's algorithm off for sockets that say that they are TCP.
        assert bound.proto == socket.IPPROTO_TCP
