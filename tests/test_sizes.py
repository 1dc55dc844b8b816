"""Sizes that keep a file a page and a function a thought; each rule on the library, then on a small example that breaks it."""

from tests.house import sizes
from tests.house.source import made_up, package

ACTOR = "llm_actors.chat.conversation_actor"
RESPONSE = "llm_actors.chat.response"


def function_of(lines, *, doc=""):
    return f"class C:\n    def f(self):\n{doc}" + "        pass\n" * (lines - 1)


def views(body):
    return made_up(
        {"r.py": f"class Response:\n    pass\n\nclass AsyncResponse:\n    def __init__(self, log):\n{body}"}
    )["r"]


def test_no_file_and_no_function_of_the_library_is_oversized():
    found = sizes.oversized(package())
    assert not found, "\n" + "\n".join(found)


def test_the_conversation_actor_never_awaits():
    assert sizes.awaits(package()[ACTOR]) == []


def test_the_two_views_of_a_response_are_thin_and_hold_the_log_alone():
    assert sizes.faults_of_views(package()[RESPONSE]) == []


def test_a_file_of_401_lines_is_named_and_one_of_400_is_not():
    assert sizes.oversized(made_up({"long.py": "x = 1\n" * 401})) == ["long.py: 401 lines, more than 400"]
    assert not sizes.oversized(made_up({"long.py": "x = 1\n" * 400}))


def test_a_function_of_41_lines_is_named_and_one_of_40_is_not():
    assert sizes.oversized(made_up({"a.py": function_of(41)})) == ["a.py:C.f (line 2): 41 lines, more than 40"]
    assert not sizes.oversized(made_up({"a.py": function_of(40)}))


def test_a_docstring_does_not_count_and_decorators_neither():
    doc = '        """One.\n\n        Two.\n        """\n'
    assert not sizes.oversized(made_up({"a.py": function_of(40, doc=doc)}))
    assert not sizes.oversized(made_up({"a.py": "@cache\n@wraps\ndef f():\n" + "    pass\n" * 39}))


def test_inner_and_async_functions_are_measured_too():
    inner = "def outer():\n    async def inner():\n" + "        pass\n" * 40
    assert len(sizes.oversized(made_up({"a.py": inner}))) == 2


def test_an_exception_lets_one_place_through_and_is_named_when_not_needed():
    modules = made_up({"a.py": function_of(41)})
    assert not sizes.oversized(modules, {"a.py:C.f": "the hot loop"})
    assert sizes.oversized(modules, {"a.py:C.f": "the hot loop", "b.py": "gone"}) == [
        "b.py: an exception that is not needed"
    ]


def test_every_form_of_async_is_found():
    forms = ("await g()", "async for x in xs: pass", "async with xs: pass", "[x async for x in xs]")
    text = "async def f(xs):\n" + "".join(f"    {form}\n" for form in forms)
    assert len(sizes.awaits(made_up({"a.py": text})["a"])) == 5
    assert not sizes.awaits(made_up({"a.py": "def f(xs):\n    return [x for x in xs]\n"})["a"])


def test_views_that_are_missing_long_or_hold_state_are_named():
    assert not sizes.faults_of_views(views("        self._log = log\n"))
    assert len(sizes.faults_of_views(made_up({"r.py": ""})["r"])) == 2
    (long,) = sizes.faults_of_views(views("        pass\n" * 150))
    assert "not under 150" in long
    (state,) = sizes.faults_of_views(views("        self._log = log\n        self._text: str = ''\n"))
    assert "_log, _text" in state
