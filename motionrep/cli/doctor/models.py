"""Body models and weights that can be loaded."""

import time
from collections.abc import Iterator
from importlib.util import find_spec

import torch

from motionrep.body import load_body_model
from motionrep.body.finding import body_folder
from motionrep.body.registry import body_files, find_bodies
from motionrep.cli.doctor.findings import Finding, tried
from motionrep.cli.doctor.installation import reinstall
from motionrep.encoders import load_encoder
from motionrep.head_api.loading import load_head
from motionrep.weights import shipped


def bodies() -> Iterator[Finding]:
    """Loads the open body and every body in the user's folder."""
    yield tried("bodies", "open", lambda: _load("open"), reinstall(), needed=True)
    yield _of_package("anny")
    found, files, folder = find_bodies(), body_files(), body_folder()
    if folder.is_dir():
        yield Finding("bodies", "folder", "works", str(folder))
    else:
        yield Finding("bodies", "folder", "missing", f"optional; {folder} does not exist", f"mkdir -p {folder}")
    for name, paths in found.items():
        from_path = f"{paths[0]}{''.join(f'; not used: {path}' for path in paths[1:])}"
        fix = f"download it again: {files[name].how_to_get}"
        yield tried("bodies", name, lambda name=name, from_path=from_path: f"{_load(name)}, {from_path}", fix)
    for family in dict.fromkeys(_family(name) for name in files):
        if not any(_family(name) == family for name in found):
            names = [name for name in files if _family(name) == family]
            detail = f"none of {', '.join(names)} in the folder"
            yield Finding("bodies", family, "missing", detail, files[names[0]].how_to_get)


def _of_package(name: str) -> Finding:
    """A body that an optional package of the same name brings."""
    extra = f'pip install "motionrep[{name}]"'
    if find_spec(name) is None:
        return Finding("bodies", name, "missing", f"optional; needs the package {name}", extra)
    return tried("bodies", name, lambda: _load(name), extra)


def _family(body: str) -> str:
    """`smpl` for `smpl-neutral`."""
    return body.partition("-")[0]


def _load(name: str) -> str:
    start_s = time.perf_counter()
    body = load_body_model(name)
    loading_s = time.perf_counter() - start_s
    joints, vertices = body.template_joint_m.shape[0], body.template_vertex_m.shape[0]
    return f"{joints} joints, {vertices} vertices, {body.beta_count} betas, loaded in {loading_s:.1f} s"


def weights() -> Iterator[Finding]:
    """Loads every encoder and head that ships."""
    for name in shipped("encoder"):
        yield tried("weights", name, lambda name=name: _count(load_encoder(name)), reinstall(), needed=True)
    for name in shipped("head"):
        yield tried("weights", name, lambda name=name: _count(load_head(name)), reinstall(), needed=True)
    if not shipped("encoder"):
        yield Finding("weights", "encoders", "missing", "none came with motionrep", reinstall(), needed=True)


def _count(network: torch.nn.Module) -> str:
    count = sum(parameter.numel() for parameter in network.parameters())
    return f"{count / 1e6:.1f} M parameters" if count >= 1e5 else f"{count:,} parameters"
