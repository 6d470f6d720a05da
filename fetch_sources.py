"""Fetch the open stroke data and fonts that draw_samples.py draws handwriting from.

    python fetch_sources.py --list
    python fetch_sources.py japanese
    python draw_samples.py drawn --classes hiragana --font ~/.cache/glyphs/japanese/fonts/*

They are fetched by the programs of their package managers, npm, pip and apt-get; the SHA-256 of
each is compared, and the licence named. What is there already is not fetched again. Those that
cannot be had here are named with what to do, and the exit code is 1.
"""

import dataclasses
import glob
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

from glyphs import console, files, options
from glyphs.errors import GlyphsError
from glyphs.sources.archives import DAMAGE

FOLDER = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "glyphs")
SETS = ("japanese", "chinese")


@dataclasses.dataclass(frozen=True)
class Source:
    """Stroke data, or a font.

    Attributes:
        manager: "npm", "pip" or "apt".
        package: `name==version`, or of Debian the name.
        member: of the package; "": the package as it is.
        sha256: of that file.
        licence: of the strokes, or of the font.
        sets: which of SETS it is in.
    """

    manager: str
    package: str
    member: str
    sha256: str
    licence: str
    sets: tuple = SETS

    @property
    def name(self):
        return self.package.partition("==")[0].rpartition("/")[2]

    @property
    def is_font(self):
        return bool(self.member)

    def path(self, folder, which):
        """Return where it is laid."""
        if self.is_font:
            return os.path.join(folder, which, "fonts", os.path.basename(self.member))
        ending = ".whl" if self.manager == "pip" else ".tgz"
        return os.path.join(folder, which, "strokes", self.name + ending)


def _web_font(name, version, script, sha256, sets=SETS):
    member = f"package/files/{name}-{script}-400-normal.woff"
    return Source("npm", f"@fontsource/{name}=={version}", member, sha256, "OFL 1.1", sets)


def _debian_font(package, file, sha256, licence):
    return Source("apt", package, f"usr/share/fonts/truetype/{file}", sha256, licence)


SOURCES = (
    Source(
        "pip", "kanjivg==20260714", "",
        "5190e7ec4eb513dbe6865b2ed52c58287fc10ea514b9409e4cf66ce7db41644d",
        "CC BY-SA 3.0", ("japanese",),
    ),
    Source(
        "npm", "hanzi-writer-data==2.0.1", "",
        "72baf3d82b114e60d6e40ea05f24d2262a05cd39d544e2f322ba2fceb7beff15",
        "Arphic Public License", ("chinese",),
    ),
    _web_font("klee-one", "5.3.0", "japanese",
        "0d80dc675bf1f521fba2768d5d53e6ef51a8b2a4d6cd0fd9878382088c2913c7"),
    _web_font("yomogi", "5.3.0", "japanese",
        "9071514d7231104a088304e8d38d152e689193cad77fe762962e91d536e89cd2"),
    _web_font("zen-kurenaido", "5.3.0", "japanese",
        "603b2b9584aadd9635d2632a9dd6c0eff4087bd129a00534dacdf97dc6fd28d3"),
    _web_font("hachi-maru-pop", "5.3.0", "japanese",
        "5c39c4f0ff153a36c7e9d55968185d03ad99461566ac472682d08a26315d7614"),
    _web_font("yuji-boku", "5.3.0", "japanese",
        "77ba69e3c1c35cb81e8db42f8f8da904035534c015f48dd620101d45f2f3dcb7"),
    _web_font("yusei-magic", "5.3.0", "japanese",
        "841523727494d7a0c9f43cbff48482944d5cb0402a4c4ff5453e68f4ff4cab90"),
    _web_font("new-tegomin", "4.5.9", "japanese",
        "99a66e7836ee10147640435e705312e970f937e2ae62cbb4f810cbd29fffdc27"),
    _web_font("yuji-mai", "5.3.0", "japanese",
        "449ca5f9474e447840c4c9e46ba35163e72aa7145d08d5c39b52bfddcbee9148", ("japanese",)),
    _web_font("kiwi-maru", "5.3.0", "japanese",
        "0bab29b87f9d9de7951ad69031f6a60fefeb2f75e1ca10e7a61b5926437f8b8c", ("japanese",)),
    _web_font("slackside-one", "5.3.0", "japanese",
        "c6a1be9a816d421770a5d08a087673299461c3f34288f791c2e16e4167ad3156", ("japanese",)),
    _web_font("ma-shan-zheng", "5.3.1", "chinese-simplified",
        "0e606ca22431696db0e8b557a8880be7eea710e0eee7d5b988560a216de9a639", ("chinese",)),
    _web_font("long-cang", "5.3.0", "chinese-simplified",
        "936022edb86590c278fe9522657c9bf936bf4cc157ffa287289f59d688550049", ("chinese",)),
    _web_font("zhi-mang-xing", "5.3.0", "chinese-simplified",
        "f39b7b0b71fabfce038a26a1d98e3e2a2e66cab4c866323a71b3a595b2992912", ("chinese",)),
    _web_font("zcool-kuaile", "5.3.0", "chinese-simplified",
        "35a653aed1c462384b4a1f8944de928c0ccb0a346de700a53db5ece146840b52", ("chinese",)),
    _web_font("zcool-xiaowei", "5.3.0", "chinese-simplified",
        "27b75caf6611f1a36bc4c863bcc2c4b835265d300250ca711293b781d95e1d5b", ("chinese",)),
    _debian_font("fonts-lxgw-wenkai", "lxgw-wenkai/LXGWWenKai-Light.ttf",
        "e302f84a1967817f91fc4011de7c8c12489c41072a7f0605a1c7b1399352cb93", "OFL 1.1"),
    _debian_font("fonts-seto", "seto/setofont.ttf",
        "af54468357473617a77515436f7dca8f9376690aa514f3a7dbfc36a3b3f8229e", "OFL 1.1"),
    _debian_font("fonts-kiloji", "kiloji/kiloji.ttf",
        "f75142c667d7a6ba69d18bd694a4efe68780e607b3c4382e5d30a042c96e9e41", "BSD 3-Clause"),
    _debian_font("fonts-yozvox-yozfont-edu", "yozvox-yozfont/YOzREF.ttf",
        "46d86005906ac13a87ed9fae49677d743458b9ddd7de1d7779a4d29b475b1891", "OFL 1.1"),
    _debian_font("fonts-kouzan-mouhitsu", "kouzan-mouhitsu/kouzan-mouhitsu.ttf",
        "582f269574e71336f1ee8318664ff6cfafd84293b3267ddf39410015713c951e", "public domain"),
    _debian_font("fonts-kouzan-mouhitsu", "kouzan-mouhitsu/kouzan-mouhitsu-gyosho.ttf",
        "6b063cc0f9591ea2e71c97f06c8e663d04a0b0ac4bbe6c0e4c3b49a13215db99", "public domain"),
)  # fmt: skip


def parse_args(argv=None):
    parser = options.make_parser(__doc__)
    parser.add_argument("set", nargs="?", choices=SETS, help="what to fetch")
    parser.add_argument("--list", action="store_true", help="name all sources, and stop")
    parser.add_argument(
        "--folder", metavar="DIR", default=FOLDER, help="where to lay them, in a folder of the set"
    )
    args = parser.parse_args(argv)
    if not args.set and not args.list:
        parser.error("name a set: " + " or ".join(SETS))
    return args


def main(argv=None):
    args = parse_args(argv)
    if args.list:
        for source in SOURCES:
            kind = "font" if source.is_font else "strokes"
            sets = ", ".join(source.sets)
            name = os.path.basename(source.member) or source.name
            print(f"{kind:<8}{name:<50}{source.package:<38} {source.licence:<22} {sets}")
        return 0
    folder = os.path.expanduser(args.folder)
    failed = 0
    for source in SOURCES:
        if args.set not in source.sets:
            continue
        try:
            path = fetch(source, folder, args.set)
        except FetchError as error:
            failed += 1
            console.error(str(error))
        else:
            print(f"{path} ({source.licence})")
    if failed:
        console.warn(f"{failed} sources are missing; the others can be drawn from all the same")
    return 1 if failed else 0


class FetchError(GlyphsError):
    """A source cannot be had here."""


def fetch(source, folder, which):
    """Return the path of a source, after fetching it if it is not there yet.

    Raises:
        FetchError: it cannot be fetched, or is not what it should be.
    """
    wanted = source.path(folder, which)
    for other in SETS:
        found = source.path(folder, other)
        if os.path.exists(found) and files.sha256_of_file(found) == source.sha256:
            if found != wanted:
                lay(found, wanted)
            return wanted
    with tempfile.TemporaryDirectory(prefix="glyphs.") as scratch:
        fetched = taken_out(source, run_manager(source, scratch), scratch)
        sha256 = files.sha256_of_file(fetched)
        if sha256 != source.sha256:
            raise FetchError(
                f"{source.package}: not the file that was drawn from before (SHA-256 {sha256}, "
                f"not {source.sha256}); lay that one at {wanted}, or go on without it"
            )
        lay(fetched, wanted)
    return wanted


def lay(source, path):
    """Copy a file to its place, whole or not at all."""
    files.make_folder(os.path.dirname(path))
    with files.storage_errors(path):
        with open(source, "rb") as file, files.replacing(path) as copy:
            shutil.copyfileobj(file, copy)


def run_manager(source, scratch):
    """Let the package manager fetch a package; return the package's file."""
    name, _, version = source.package.partition("==")
    commands = {
        "npm": ["npm", "pack", "--silent", f"{name}@{version}"],
        "pip": [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", source.package],
        "apt": ["apt-get", "download", "--quiet", name],
    }
    command = commands[source.manager]
    by_hand = f"fetch {source.member or 'it'} yourself, and lay it where the others are"
    try:
        run = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
    except OSError:
        raise FetchError(f"{source.package}: {command[0]} is not installed; {by_hand}") from None
    packages = glob.glob(os.path.join(scratch, "*.*"))
    if run.returncode or not packages:
        said = (run.stderr or run.stdout).strip().splitlines() or ["it says nothing"]
        raise FetchError(
            f"{source.package}: {' '.join(command[:2])} failed ({said[-1]}); {by_hand}"
        )
    return packages[0]


def taken_out(source, package, scratch):
    """Return the file of a package that is wanted."""
    if not source.member:
        return package
    path = os.path.join(scratch, "member")
    try:
        if source.manager == "apt":
            unpacked = os.path.join(scratch, "unpacked")
            subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True, capture_output=True)
            return os.path.join(unpacked, source.member)
        with tarfile.open(package) as archive, open(path, "wb") as file:
            shutil.copyfileobj(archive.extractfile(source.member), file)
    except (*DAMAGE, OSError, KeyError, subprocess.CalledProcessError) as error:
        raise FetchError(f"{source.package}: cannot be unpacked ({error})") from None
    return path


if __name__ == "__main__":
    sys.exit(console.run(main))
