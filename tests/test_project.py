"""Facts about the project as a whole."""

import ast
import graphlib
import importlib
import re
import subprocess
import sys

import pytest
from conftest import ROOT, run_script

SCRIPTS = [
    "create_dataset.py",
    "inspect_dataset.py",
    "train.py",
    "draw_samples.py",
    "model.py",
    "model30x30.py",
    "model_for_augmented_dataset.py",
    "create_augmented_dataset.py",
    "classify.py",
    "evaluate.py",
    "serve.py",
]
HEAVY = {
    "numpy", "scipy", "keras", "tensorflow", "PIL", "onnx", "onnxruntime", "h5py", "jinja2",
    "starlette", "uvicorn", "distributed", "dask",
}  # fmt: skip

# The rooms of the house, from the ground up: each imports from itself and from those before it.
ROOMS = [
    "errors", "files", "characters", "joyo", "charsets", "fonts", "parallel", "cluster_worker",
    "cluster", "ink", "images", "sources", "dataset", "augment", "networks", "artifacts",
    "training", "inference", "drawing", "pages", "inspection", "evaluation", "web", "console",
    "options",
]  # fmt: skip
COMMAND_LINE = {"console", "options"}
MODULES = {
    ".".join(path.relative_to(ROOT / "glyphs").with_suffix("").parts): path
    for path in sorted((ROOT / "glyphs").rglob("*.py"))
    if path.name != "__init__.py"
}
LONGEST = 300  # lines of a module


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_prints_the_docstring_and_loads_nothing_heavy(script):
    run = run_script(script, "--help")
    docstring = ast.get_docstring(ast.parse((ROOT / script).read_text()))
    assert docstring.splitlines()[0] in run.stdout
    code = (
        f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = ['script', '--help']\n"
        f"try: runpy.run_path({str(ROOT / script)!r}, run_name='__main__')\n"
        "except SystemExit: print('LOADED', *{name.partition('.')[0] for name in sys.modules})"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = set(process.stdout.partition("LOADED")[2].split())
    assert "argparse" in loaded
    assert not loaded & HEAVY


def imports_of(path):
    """Return the modules of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "glyphs":
            base = node.module.removeprefix("glyphs").lstrip(".")
            names = [f"{base}.{alias.name}".lstrip(".") for alias in node.names]
            found |= {name if name in MODULES else base for name in names}
    return found


def room_of(module):
    return module.partition(".")[0]


@pytest.mark.parametrize("module", MODULES)
def test_a_room_imports_from_those_below_it(module):
    own = ROOMS.index(room_of(module))
    for imported in imports_of(MODULES[module]):
        assert imported in MODULES, f"{imported} is no module"
        assert ROOMS.index(room_of(imported)) <= own, f"{module} imports {imported}"
        assert room_of(imported) not in COMMAND_LINE, "only scripts import the command line"


def test_no_modules_import_each_other_in_a_circle():
    imports = {module: imports_of(path) for module, path in MODULES.items()}
    graphlib.TopologicalSorter(imports).prepare()  # raises CycleError


@pytest.mark.parametrize("folder", [".", "benchmarks", "glyphs"])
def test_what_is_imported_exists_also_where_it_is_imported_late(folder):
    paths = list((ROOT / folder).glob("**/*.py" if folder == "glyphs" else "*.py"))
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("glyphs"):
                module = importlib.import_module(node.module)
                for alias in node.names:
                    is_module = f"{node.module}.{alias.name}".removeprefix("glyphs.") in MODULES
                    assert is_module or hasattr(module, alias.name), f"{path}: {alias.name}"


def test_modules_are_short_and_packages_empty():
    too_long = {m for m, p in MODULES.items() if len(p.read_text().splitlines()) > LONGEST}
    assert not too_long
    faces = {
        str(p.parent.relative_to(ROOT)): p.read_text() for p in ROOT.glob("glyphs/**/__init__.py")
    }
    assert {name for name, text in faces.items() if "import" in text} == {"glyphs/inference"}


def test_lock_files_hold_hashes_and_no_addresses():
    for path in ROOT.glob("*.lock"):
        text = path.read_text()
        assert "://" not in text
        assert len(re.findall(r"^\S+==", text, re.M)) > 20
        assert "--hash=sha256:" in text
