"""Each test of the catalogue has a user folder of its own, and none of the machine's keys."""

import sys

import pytest

from llm_actors.catalogue.presets import PRESETS


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    path = tmp_path / "user"
    path.mkdir()
    monkeypatch.setenv("LLM_USER_PATH", str(path))
    for preset in PRESETS:
        monkeypatch.delenv(preset.key_env_var, raising=False)
        monkeypatch.delenv(preset.base_url_var or "", raising=False)
    return path


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs packages with entry points of the group `llm_actors`: their names and the source of `register`."""

    def install(**sources: str) -> None:
        site = tmp_path / "site"
        for name, source in sources.items():
            info = site / f"{name}_dist-1.0.dist-info"
            info.mkdir(parents=True)
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-dist\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text(f"[llm_actors]\n{name} = {name}_module:register\n")
            (site / f"{name}_module.py").write_text(source)
            installed.append(f"{name}_module")
        monkeypatch.syspath_prepend(str(site))

    installed: list[str] = []
    yield install
    for name in installed:
        sys.modules.pop(name, None)


@pytest.fixture
def locals_of_the_catalogue():
    """What a tool that shows local variables would show of the catalogue's frames in a traceback."""

    def shown(caught) -> str:
        frames = []
        trace = caught.tb
        while trace is not None:
            if "llm_actors/catalogue" in trace.tb_frame.f_code.co_filename.replace("\\", "/"):
                frames.append(repr(trace.tb_frame.f_locals))
            trace = trace.tb_next
        assert frames
        return "".join(frames)

    return shown
