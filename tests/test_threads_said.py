"""Each public method's docstring says "any thread" or "its loop only": its own, or that of its class, which holds for all its methods."""

import inspect
import re

import pytest

import llm_actors as llm

SAYS = re.compile(r"any thread|any loop|its loop only", re.IGNORECASE)
OURS = {name: getattr(llm, name) for name in llm.__all__}


def methods(kind):
    """The public methods and properties of a class, with those it has from other classes of ours."""
    for each in kind.__mro__:
        if each.__module__.startswith("llm_actors"):
            for name, member in vars(each).items():
                function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
                if not name.startswith("_") and inspect.isfunction(function):
                    yield each, name, function


def unsaid():
    for name, thing in OURS.items():
        if inspect.isfunction(thing) and not SAYS.search(thing.__doc__ or ""):
            yield name
        if inspect.isclass(thing) and not issubclass(thing, BaseException):
            for each, method, function in methods(thing):
                if not SAYS.search(f"{each.__doc__} {function.__doc__}"):
                    yield f"{each.__module__}.{each.__qualname__}.{method}"


def test_each_public_method_says_which_threads_may_call_it():
    missing = sorted(set(unsaid()))
    assert not missing, "\n" + "\n".join(missing)


@pytest.mark.parametrize("name", ["Response", "AsyncConversation", "Actor"])
def test_the_classes_are_looked_at(name):
    assert len(list(methods(OURS[name]))) > 3
