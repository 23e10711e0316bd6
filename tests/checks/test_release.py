"""What a release says of itself in several places is the same, and its check of installations leaves no extra out."""

import importlib.util
import re
import tomllib

import yaml
from paths import ROOT

import motionrep

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Not for users of the package: its development, its pages, and making the detector's weights anew.
NOT_TRIED = {"dev", "docs", "convert"}


def test_the_version_is_that_of_the_project_everywhere() -> None:
    assert motionrep.__version__ == PROJECT["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert PROJECT["version"] in re.findall(r"^## (.*)$", changes, re.MULTILINE)


def test_the_workflow_tests_the_versions_of_python_that_the_package_names() -> None:
    named = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", line)}
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert set(workflow["jobs"]["tests"]["strategy"]["matrix"]["python"]) == named
    assert min(named) == PROJECT["requires-python"].removeprefix(">=")


def test_the_workflow_runs_targets_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    asked = re.findall(r"run: make (\w+)", (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert set(asked) == {"lint", "test", "docs"}
    assert set(asked) < set(targets)


def test_every_extra_is_tried_out_and_in_the_readme() -> None:
    spec = importlib.util.spec_from_file_location("installs", ROOT / "benchmarks" / "installs.py")
    assert spec
    assert spec.loader
    installs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(installs)
    extras = set(PROJECT["optional-dependencies"]) - NOT_TRIED
    assert set(installs.TRIED) == extras | {"none"}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"`{extra}`" in readme for extra in extras)
