import contextlib
import json
import sys
import threading
import timeit
from functools import partial

import pytest

from llm_actors.catalogue import registry
from llm_actors.catalogue.endpoints import endpoint
from llm_actors.catalogue.registry import Catalogue, ModelWithAliases, remove_alias, set_default_model
from llm_actors.errors import NoDefaultModelError, UnknownModelError, UserFileError
from tests.catalogue.models import AsyncEcho, Echo


@pytest.fixture
def catalogue():
    return Catalogue()


def unknown(call, *args):
    with pytest.raises(UnknownModelError) as caught:
        call(*args)
    return caught.value


def test_the_three_messages_are_the_peers(catalogue):
    catalogue.register_model(Echo("only-sync"))
    catalogue.register_model(AsyncEcho("only-async"))
    assert unknown(catalogue.get_model, "nope").args == ("Unknown model: nope",)
    assert unknown(catalogue.get_async_model, "nope").args == ("Unknown model: nope",)
    assert unknown(catalogue.get_async_model, "only-sync").args == (
        "Unknown async model (sync model exists): only-sync",
    )
    assert unknown(catalogue.get_model, "only-async").args == ("Unknown model (async model exists): only-async",)


def test_an_unknown_model_is_a_key_error(catalogue):
    with pytest.raises(KeyError):
        catalogue.get_model("nope")


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o-mini",
        "gpt-4.1",
        "gpt-4.1-mini",
        "4o-mini",
        "4o",
        "4.1-mini",
        "chatgpt",
        "o3",
        "gpt-5",
        "gpt-5.6-luna",
        "demo",
    ],
)
def test_the_ids_of_the_page_and_the_common_aliases_resolve(catalogue, name):
    assert catalogue.get_model(name).model_id == catalogue.get_async_model(name).model_id


def test_a_registered_model_is_found_by_id_and_alias(catalogue):
    model, async_model = Echo(), AsyncEcho()
    catalogue.register_model(model, async_model, aliases=("e", "ec"))
    assert catalogue.get_model("e") is catalogue.get_model("echo") is model
    assert catalogue.get_async_model("ec") is async_model
    assert catalogue.get_model_aliases()["e"] is model
    assert catalogue.get_async_model_aliases()["e"] is async_model


@pytest.mark.parametrize("form", ["pair", "tuple", "two", "none first"])
def test_all_forms_of_registration(catalogue, form):
    model, async_model = Echo(), AsyncEcho()
    if form == "pair":
        catalogue.register_model(ModelWithAliases(model, async_model, ["a"]), aliases=["b", "a"])
    elif form == "tuple":
        catalogue.register_model((model, async_model), aliases=["a", "b"])
    elif form == "two":
        catalogue.register_model(model, async_model, ["a", "b"])
    else:
        catalogue.register_model(None, async_model, ["a", "b"])
        assert unknown(catalogue.get_model, "a").args == ("Unknown model (async model exists): a",)
    assert catalogue.get_async_model("b") is async_model
    assert catalogue.get_async_model("a") is async_model


def test_w20_an_async_only_registration_breaks_no_other_look_up(catalogue):
    catalogue.register_model(None, AsyncEcho("x"))
    assert catalogue.get_model("demo").model_id == "demo"
    pairs = {pair.model_id: pair for pair in catalogue.get_models_with_aliases()}
    assert pairs["x"].model is None
    assert "x" in [model.model_id for model in catalogue.get_async_models()]
    assert "x" not in [model.model_id for model in catalogue.get_models()]
    assert "x" not in catalogue.get_model_aliases()


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ((None,), TypeError),
        (("gpt-4o",), TypeError),
        ((Echo,), TypeError),
        ((Echo(), Echo()), TypeError),
        ((AsyncEcho(), AsyncEcho()), TypeError),
        ((Echo(""),), ValueError),
        ((Echo(), None, "alias"), TypeError),
    ],
)
def test_what_is_no_model_is_refused_and_changes_nothing(catalogue, given, error):
    with pytest.raises(error):
        catalogue.register_model(*given)
    unknown(catalogue.get_model, "echo")


def test_the_later_registration_wins(catalogue):
    first, second = Echo(), Echo()
    catalogue.register_model(first, aliases=["x"])
    catalogue.register_model(second)
    assert catalogue.get_model("echo") is second
    unknown(catalogue.get_model, "x")
    other = Echo("other")
    catalogue.register_model(other, aliases=["echo"])
    assert catalogue.get_model("echo") is other
    catalogue.register_model(first)
    assert catalogue.get_model("echo") is first


def test_a_program_may_replace_a_built_in_model_and_get_it_back(catalogue):
    mine = Echo("gpt-4o-mini")
    catalogue.register_model(mine)
    assert catalogue.get_model("gpt-4o-mini") is mine
    assert [model.model_id for model in catalogue.get_models()].count("gpt-4o-mini") == 1
    catalogue.unregister_model("gpt-4o-mini")
    assert catalogue.get_model("gpt-4o-mini") is not mine
    catalogue.unregister_model("gpt-4o-mini")
    unknown(catalogue.get_model, "gpt-4o-mini")
    assert unknown(catalogue.unregister_model, "gpt-4o-mini").args == ("Unknown model: gpt-4o-mini",)


def test_a_model_with_different_ids_is_found_by_both(catalogue):
    catalogue.register_model(Echo("one"), AsyncEcho("two"))
    assert catalogue.get_async_model("one").model_id == "two"
    assert catalogue.get_model("two").model_id == "one"


def test_setting_a_key_on_one_model_changes_no_other(catalogue):
    catalogue.register_model(endpoint("mine", base_url="http://127.0.0.1:9/v1"))
    for name in ("mine", "gpt-4o", "demo"):
        catalogue.get_model(name).key = "sk-changed"
        catalogue.get_models_with_aliases()
        assert catalogue.get_model(name).key is None
        assert catalogue.get_async_model(name).key is None


def test_a_model_with_its_own_execute_keeps_its_state(catalogue):
    catalogue.register_model(Echo())
    catalogue.get_model("echo").calls += 1
    assert catalogue.get_model("echo").calls == 1


def test_lists_have_all_models_with_their_aliases(catalogue, folder):
    catalogue.set_alias("mine", "4o-mini")
    pairs = {pair.model_id: pair for pair in catalogue.get_models_with_aliases()}
    assert pairs["gpt-4o-mini"].aliases == ["4o-mini", "mine"]
    assert pairs["demo"].aliases == []
    assert {"gpt-4o", "demo", "o3"} <= {model.model_id for model in catalogue.get_models()}
    assert len(catalogue.get_models()) == len(catalogue.get_async_models()) == len(pairs)
    assert {"mine", "4o-mini", "gpt-4o-mini"} <= catalogue.get_model_aliases().keys()


def test_matches_looks_at_aliases_and_names_in_any_case(catalogue):
    pair = next(pair for pair in catalogue.get_models_with_aliases() if pair.model_id == "gpt-4o-mini")
    assert pair.matches("4O-MINI")
    assert pair.matches("gpt")
    assert not pair.matches("llama")
    assert ModelWithAliases(None, AsyncEcho(), []).matches("ECHO")


# ---- families ------------------------------------------------------------------------------------------------------------------


def test_any_id_of_openai_resolves_without_a_release(catalogue):
    model = catalogue.get_model("openai/gpt-99-turbo")
    assert (model.model_id, model.wire_id) == ("openai/gpt-99-turbo", "gpt-99-turbo")
    assert catalogue.get_async_model("openai/ft:gpt-4o:me::x").wire_id == "ft:gpt-4o:me::x"
    assert catalogue.get_model("openai/gpt-4o").model_id == "gpt-4o"
    unknown(catalogue.get_model, "openai/")
    assert "openai/gpt-99-turbo" not in [model.model_id for model in catalogue.get_models()]


def test_a_prefix_makes_models_of_a_family(catalogue):
    asked = []

    def resolve(model_id):
        asked.append(model_id)
        return None if model_id.endswith("none") else (Echo(model_id), AsyncEcho(model_id))

    catalogue.register_prefix("fam:", resolve)
    assert catalogue.get_model("fam:a").model_id == "fam:a"
    assert catalogue.get_async_model("fam:a").model_id == "fam:a"
    assert unknown(catalogue.get_model, "fam:none").args == ("Unknown model: fam:none",)
    assert asked == ["fam:a", "fam:a", "fam:none"]


def test_the_longest_prefix_is_asked_first_and_the_next_when_it_does_not_know(catalogue):
    catalogue.register_prefix("a", lambda name: Echo("short"))
    catalogue.register_prefix("a/b", lambda name: Echo("long") if name == "a/b1" else None)
    assert catalogue.get_model("a/b1").model_id == "long"
    assert catalogue.get_model("a/b2").model_id == "short"
    with pytest.raises(ValueError, match="empty prefix"):
        catalogue.register_prefix("", lambda name: None)


def test_what_a_resolver_raises_is_passed_on(catalogue):
    def resolve(name):
        raise FileNotFoundError(name)

    catalogue.register_prefix("bad:", resolve)
    with pytest.raises(FileNotFoundError):
        catalogue.get_model("bad:x")


# ---- aliases and the default ---------------------------------------------------------------------------------------------------


def test_an_alias_of_the_user_is_found_at_once_and_kept_in_the_file(catalogue, folder):
    catalogue.set_alias("mini", "4o-mini")
    assert json.loads((folder / "aliases.json").read_text()) == {"mini": "gpt-4o-mini"}
    assert catalogue.get_model("mini").model_id == "gpt-4o-mini"
    (folder / "aliases.json").write_text('{"mini": "demo"}')
    assert catalogue.get_async_model("mini").model_id == "demo"
    remove_alias("mini")
    unknown(catalogue.get_model, "mini")


def test_an_alias_of_an_alias_and_of_a_family_is_stored_as_the_id(catalogue, folder):
    catalogue.set_alias("a", "4o")
    catalogue.set_alias("b", "a")
    catalogue.set_alias("c", "openai/new-one")
    catalogue.set_alias("d", "not-known-yet")
    assert json.loads((folder / "aliases.json").read_text()) == {
        "a": "gpt-4o",
        "b": "gpt-4o",
        "c": "openai/new-one",
        "d": "not-known-yet",
    }
    unknown(catalogue.get_model, "d")
    catalogue.register_model(Echo("not-known-yet"))
    assert catalogue.get_model("d").model_id == "not-known-yet"


def test_an_alias_of_the_user_wins_over_an_id(catalogue):
    catalogue.set_alias("gpt-4o", "demo")
    assert catalogue.get_model("gpt-4o").model_id == "demo"
    assert catalogue.get_model_aliases()["gpt-4o"].model_id == "demo"


def test_an_alias_to_itself_or_to_nothing_leaves_the_id_alone(catalogue, folder):
    (folder / "aliases.json").write_text('{"gpt-4o": "gpt-4o", "demo": "no-such-model"}')
    assert catalogue.get_model("gpt-4o").model_id == "gpt-4o"
    assert catalogue.get_model("demo").model_id == "demo"
    assert all("demo" not in pair.aliases for pair in catalogue.get_models_with_aliases())


def test_a_broken_aliases_file_breaks_no_other_name_and_is_named_with_an_unknown_one(catalogue, folder):
    (folder / "aliases.json").write_text("{")
    assert catalogue.get_model("gpt-4o").model_id == "gpt-4o"
    error = unknown(catalogue.get_model, "mine")
    assert error.args == ("Unknown model: mine",)
    assert any("aliases.json is not valid JSON" in note for note in error.__notes__)
    with pytest.raises(UserFileError):
        catalogue.set_alias("x", "demo")


def test_without_a_name_the_configured_default_answers(catalogue):
    set_default_model("4o-mini")
    assert catalogue.get_default_model() == "4o-mini"
    assert catalogue.get_model().model_id == "gpt-4o-mini"
    assert catalogue.get_async_model(None).model_id == "gpt-4o-mini"


def test_a_configured_default_that_is_unknown_says_so(catalogue):
    set_default_model("gone")
    error = unknown(catalogue.get_async_model)
    assert error.args == ("Unknown model: gone",)
    assert any("configured default" in note for note in error.__notes__)


def embedded(catalogue, available):
    pair = ModelWithAliases(Echo(registry.EMBEDDED), AsyncEcho(registry.EMBEDDED), [], available)
    catalogue.register_model(pair)


def test_without_a_default_the_embedded_model_answers_when_it_is_installed(catalogue):
    embedded(catalogue, lambda: True)
    assert catalogue.get_default_model() == registry.EMBEDDED
    assert catalogue.get_async_model().model_id == registry.EMBEDDED
    set_default_model("demo")
    assert catalogue.get_model().model_id == "demo"


def test_without_a_default_and_the_embedded_model_the_error_lists_the_ways(catalogue, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-there-is-one")
    embedded(catalogue, lambda: False)
    assert catalogue.get_default_model() is None
    for get in (catalogue.get_model, catalogue.get_async_model):
        with pytest.raises(NoDefaultModelError) as caught:
            get()
        for way in (
            "OPENAI_API_KEY",
            "llm-actors[local]",
            "llm-actors models install smollm2-135m",
            "-m demo",
            "set_default_model",
        ):
            assert way in str(caught.value)
        assert isinstance(caught.value, UnknownModelError)
    assert catalogue.get_model(registry.EMBEDDED).model_id == registry.EMBEDDED


def test_whether_it_is_there_may_be_said_by_the_model_itself(catalogue):
    model = Echo(registry.EMBEDDED)
    model.available = lambda: False  # type: ignore[attr-defined]
    catalogue.register_model(model)
    assert catalogue.get_default_model() is None
    catalogue.register_model(Echo(registry.EMBEDDED))
    assert catalogue.get_default_model() == registry.EMBEDDED
    catalogue.register_model(Echo(registry.EMBEDDED), available=lambda: False)
    assert catalogue.get_default_model() is None


# ---- entry points --------------------------------------------------------------------------------------------------------------

GOOD = """
from tests.catalogue.models import AsyncEcho, Echo
LOADS = []
def register(register_model, register_prefix):
    LOADS.append(1)
    register_model(Echo("plug"), AsyncEcho("plug"), aliases=["pl"])
    register_model(Echo("gpt-4o"))
    register_prefix("plug:", lambda name: Echo(name))
"""
ONE_PARAMETER = """
from tests.catalogue.models import AsyncEcho, Echo
def register(register_prefix):
    register_prefix("pre:", lambda name: AsyncEcho(name))
"""
ANY_KEYWORDS = """
from tests.catalogue.models import AsyncEcho
def register(**tell):
    tell["register_model"](None, AsyncEcho("async-plug"))
"""
FAILING = """
from tests.catalogue.models import Echo
def register(register_model):
    register_model(Echo("half-done"))
    raise RuntimeError("my fault")
"""


def test_entry_points_register_models_and_families(catalogue, install):
    install(good=GOOD, one=ONE_PARAMETER, any=ANY_KEYWORDS)
    assert catalogue.get_model("plug").model_id == "plug"
    assert catalogue.get_model("pl").model_id == "plug"
    assert catalogue.get_model("plug:x").model_id == "plug:x"
    assert catalogue.get_async_model("pre:x").model_id == "pre:x"
    assert catalogue.get_async_model("async-plug").model_id == "async-plug"
    assert "plug" in [model.model_id for model in catalogue.get_models()]
    catalogue.unregister_model("plug")
    unknown(catalogue.get_model, "plug")


def test_entry_points_are_loaded_once_and_only_for_a_name_that_is_not_known_otherwise(catalogue, install):
    install(good=GOOD)
    catalogue.register_model(Echo())
    for name in ("gpt-4o", "demo", "openai/x", "echo", "4o"):
        catalogue.get_async_model(name) if name != "echo" else catalogue.get_model(name)
    assert "good_module" not in sys.modules
    for _ in range(3):
        catalogue.get_model("plug")
        unknown(catalogue.get_model, "nope")
        catalogue.get_models()
    assert sys.modules["good_module"].LOADS == [1]


def test_an_entry_point_never_takes_a_built_in_name(catalogue, install):
    install(good=GOOD)
    before = catalogue.get_async_model("gpt-4o").model_id
    assert catalogue.get_model("plug")
    assert catalogue.get_async_model("gpt-4o").model_id == before
    assert [model.model_id for model in catalogue.get_async_models()].count("gpt-4o") == 1


@pytest.mark.parametrize(
    "source",
    [
        FAILING,
        "raise ImportError('my fault')",
        "raise SystemExit('my fault')",
        "def register(register_model): register_model('my fault')",
    ],
)
def test_w20_a_failing_entry_point_is_logged_skipped_and_named_with_an_unknown_id(catalogue, install, caplog, source):
    install(good=GOOD, bad=source)
    assert catalogue.get_model("plug").model_id == "plug"
    for name in ("nope", "half-done"):
        error = unknown(catalogue.get_model, name)
        assert error.args == (f"Unknown model: {name}",)
        assert any("'bad'" in note and "my fault" in note for note in error.__notes__)
    assert [record.name for record in caplog.records].count("llm_actors.catalogue.plugins") == 1
    assert "my fault" in caplog.text


def test_an_entry_point_may_look_models_up_while_it_registers(catalogue, install, monkeypatch):
    monkeypatch.setattr(registry, "_TEST", catalogue, raising=False)
    install(
        curious="""
from llm_actors.catalogue import registry
from llm_actors.errors import UnknownModelError
from tests.catalogue.models import Echo
def register(register_model):
    try:
        registry._TEST.get_model("nope")
    except UnknownModelError:
        register_model(Echo("curious"))
"""
    )
    assert catalogue.get_model("curious").model_id == "curious"


# ---- threads and speed ---------------------------------------------------------------------------------------------------------


def test_registrations_and_look_ups_of_many_threads_lose_nothing(catalogue, install):
    install(good=GOOD)
    start = threading.Barrier(8)
    errors = []

    def work(number):
        try:
            start.wait(10)
            for place in range(60):
                name = f"m-{number}-{place}"
                catalogue.register_model(Echo(name), aliases=[f"{name}-alias"])
                assert catalogue.get_model(f"{name}-alias").model_id == name
                assert catalogue.get_model("plug").model_id == "plug"
                if place % 20 == 0:
                    catalogue.get_models()
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    finally:
        sys.setswitchinterval(interval)
    assert errors == []
    assert len([model for model in catalogue.get_models() if model.model_id.startswith("m-")]) == 480


def test_w19_a_look_up_takes_microseconds(catalogue, folder):
    (folder / "aliases.json").write_text(json.dumps({f"alias{number}": "gpt-4o" for number in range(100)}))
    for name in ("gpt-4o-mini", "alias7", "openai/any-id", "demo"):
        catalogue.get_async_model(name)
        best = min(timeit.repeat(partial(catalogue.get_async_model, name), number=100, repeat=20)) / 100
        assert best < 200e-6, name


def test_w19_an_unknown_name_takes_microseconds_too(catalogue):
    unknown(catalogue.get_async_model, "nope")

    def ask():
        with contextlib.suppress(UnknownModelError):
            catalogue.get_async_model("nope")

    assert min(timeit.repeat(ask, number=100, repeat=20)) / 100 < 500e-6


def test_the_module_functions_are_of_one_catalogue():
    registry.register_model(Echo("of-the-module"))
    try:
        assert registry.get_model("of-the-module").model_id == "of-the-module"
        assert "of-the-module" in registry.get_model_aliases()
    finally:
        registry.unregister_model("of-the-module")
    unknown(registry.get_model, "of-the-module")
