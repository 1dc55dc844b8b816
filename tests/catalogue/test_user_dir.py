import json
import os
import threading
from pathlib import Path

import pytest

from llm_actors.catalogue.user_dir import UserFile, json_names, user_dir
from llm_actors.errors import UserFileError


def test_the_folder_is_the_one_of_the_environment_and_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path / "a" / "b"))
    assert user_dir() == tmp_path / "a" / "b"
    assert user_dir().is_dir()


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"HOME": "{}"}, "{}/.config/io.datasette.llm"),
        ("linux", {"HOME": "/none", "XDG_CONFIG_HOME": "{}/xdg"}, "{}/xdg/io.datasette.llm"),
        ("darwin", {"HOME": "{}"}, "{}/Library/Application Support/io.datasette.llm"),
        ("win32", {"HOME": "/none", "APPDATA": "{}/roaming"}, "{}/roaming/io.datasette.llm"),
        ("win32", {"HOME": "{}", "APPDATA": ""}, "{}/io.datasette.llm"),
    ],
)
def test_without_the_variable_it_is_the_peers_folder_of_the_platform(
    tmp_path, monkeypatch, platform, variables, expected
):
    monkeypatch.setattr("sys.platform", platform)
    for name in ("LLM_USER_PATH", "XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    assert user_dir() == Path(expected.format(tmp_path))


def counted(name="f.json"):
    seen = []

    def parse(text):
        seen.append(text)
        return json_names(text)

    return UserFile(name, parse, missing={}), seen


def test_a_file_is_read_again_only_when_it_has_changed(folder):
    file, seen = counted()
    assert file.read() == {}
    (folder / "f.json").write_text('{"a": "1"}')
    assert [file.read() for _ in range(3)] == [{"a": "1"}] * 3
    assert len(seen) == 1
    (folder / "f.json").write_text('{"a": "22"}')
    assert file.read() == {"a": "22"}
    os.utime(folder / "f.json", ns=(1, 1))
    file.read()
    assert len(seen) == 3


def test_another_user_folder_is_another_file(tmp_path, monkeypatch, folder):
    file, _ = counted()
    (folder / "f.json").write_text('{"a": "1"}')
    assert file.read() == {"a": "1"}
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path / "other"))
    assert file.read() == {}
    assert not (tmp_path / "other").exists()


def test_a_write_is_seen_at_once_even_within_one_tick_of_the_clock(folder):
    file, _ = counted()
    for value in "abc":
        file.write(json.dumps({"v": value}))
        os.utime(folder / "f.json", ns=(5, 5))
        assert file.read() == {"v": value}


def test_a_write_leaves_one_whole_file_and_no_other(folder):
    file, _ = counted()
    text = json.dumps({str(number): "x" * 50 for number in range(200)})
    faults = []
    stop = threading.Event()

    def watch():
        while not stop.is_set():
            if file.look()[1] is not None:
                faults.append(file.look()[1])

    watcher = threading.Thread(target=watch)
    watcher.start()
    writers = [threading.Thread(target=lambda: [file.write(text) for _ in range(20)]) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(10)
    stop.set()
    watcher.join(10)
    assert faults == []
    assert [path.name for path in folder.iterdir()] == ["f.json"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(folder):
    file, _ = counted()
    file.write('{"old": "1"}')
    with pytest.raises(UnicodeEncodeError):
        file.write('{"new": "\ud800"}')
    assert file.read() == {"old": "1"}
    assert [path.name for path in folder.iterdir()] == ["f.json"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"k": "sk-secret" x}', "is not valid JSON: Expecting ',' delimiter in line 1, column 19"),
        (b"", "is not valid JSON"),
        (b'["sk-secret"]', "is not a JSON object of names and texts"),
        (b'{"k": {"sk-secret": 1}}', "is not a JSON object of names and texts"),
        (b'{"k": "sk-secret\xff"}', "is not UTF-8 text"),
    ],
)
def test_a_broken_file_is_a_typed_error_that_shows_nothing_of_it(folder, locals_of_the_catalogue, content, why):
    file, _ = counted()
    (folder / "f.json").write_bytes(content)
    with pytest.raises(UserFileError, match=r"f\.json") as caught:
        file.read()
    assert why in str(caught.value)
    assert "sk-secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "sk-secret" not in locals_of_the_catalogue(caught)


def test_a_file_that_is_a_folder_is_a_typed_error(folder):
    file, _ = counted()
    (folder / "f.json").mkdir()
    with pytest.raises(UserFileError, match="can't be read"):
        file.read()


def test_a_user_folder_that_is_a_file_is_a_typed_error(tmp_path, monkeypatch):
    (tmp_path / "plain").write_text("x")
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path / "plain"))
    file, _ = counted()
    with pytest.raises(UserFileError, match="can't be read"):
        file.read()


def test_removing_what_is_not_there_is_nothing(folder):
    file, _ = counted()
    file.remove()
    file.write("{}")
    assert file.exists()
    file.remove()
    assert not file.exists()
    assert repr(file) == "UserFile('f.json')"
