"""Facts about the project as a whole."""

import ast
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
]
HEAVY = {"numpy", "scipy", "keras", "tensorflow", "PIL", "onnx", "onnxruntime", "h5py", "jinja2"}

# Imports go one way: a module may import those before it.
ORDER = [
    "errors", "files", "labels", "readers", "cli", "parallel", "fonts", "images", "readers.listing",
    "readers.folders", "readers.table", "readers.records", "readers.gnt", "readers.etl",
    "readers.kmnist", "readers.kaggle", "readers.sources", "inspection", "inspection.audit_worker",
    "decoding", "splitting",
    "selecting", "datasets_2016", "datasets", "building", "resampling", "elastic", "augmenting",
    "previews", "networks.parts", "networks.kanji", "networks.kuzushiji", "networks.transfer",
    "networks.kmnist", "networks.hebrew", "networks.melnyk", "networks.glyphnet", "networks",
    "catalogue", "vetting", "conversion", "artifacts", "recipes", "batches", "optimizing",
    "checkpoints", "backends", "training", "launching", "reports", "inference",
    "explaining", "inspection.audit", "inspection.confusable", "inspection.findings",
    "inspection.advice", "inspection.report_json", "inspection.report_text", "pages", "pages.page",
    "pages.text", "pages.svg", "inspection.report",
]  # fmt: skip


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
            found |= {name if name in ORDER else base for name in names}
    return found - {""}


def test_imports_go_one_way():
    for path in sorted((ROOT / "glyphs").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT / "glyphs").with_suffix("").parts)
        name = name.removesuffix(".__init__").removesuffix("__init__")
        if not name:
            continue
        assert name in ORDER, f"{name} has no place in the order"
        later = [module for module in imports_of(path) if ORDER.index(module) >= ORDER.index(name)]
        assert not later, f"{name} imports {later}"


def test_lock_files_hold_hashes_and_no_addresses():
    for path in ROOT.glob("*.lock"):
        text = path.read_text()
        assert "://" not in text
        assert len(re.findall(r"^\S+==", text, re.M)) > 20
        assert "--hash=sha256:" in text
