"""Who may import whom, on the library as it stands; then each rule on a small example that breaks it, since a rule that can't fail checks
nothing. What counts as an import is told in tests/house/imports.py, the table is in tests/house/layers.py."""

import pytest

from tests.house import layers
from tests.house.imports import imports
from tests.house.source import made_up, package

RULES = (
    layers.modules_without_layer,
    layers.wrong_arrows,
    layers.wrong_third_parties,
    layers.wrong_standard_modules,
    layers.impurities,
    layers.cycles,
)


PUBLIC = {
    "llm_actors/__init__.py": "__all__ = ['Prompt']",
    "llm_actors/runtime/__init__.py": "from .actor import Actor as Actor\nfrom .mailbox import hidden",
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_library_keeps_the_rule_of(rule):
    broken = rule(package())
    assert not broken, "\n" + "\n".join(broken)


def test_the_library_is_really_read():
    modules = package()
    assert {"llm_actors", "llm_actors.errors", "llm_actors.providers.protocol"} <= set(modules)
    assert "llm_actors.errors" in {arrow.target for arrow in imports(modules)}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("errors.py", "from llm_actors.runtime import Loop"),
        ("messages/parts.py", "from llm_actors.providers.protocol import Limits"),
        ("providers/sse.py", "from llm_actors.transport.pump import Pump"),
        ("runtime/actor.py", "from llm_actors.messages import Prompt"),
        ("runtime/actor.py", "from ..chat import turn"),
        ("transport/pump.py", "from llm_actors.providers.openai_chat import OpenAIChat"),
        ("transport/pump.py", "from llm_actors.chat.response import Response"),
        ("chat/turn.py", "from llm_actors.transport.retry import Retry"),
        ("chat/model.py", "from llm_actors.catalogue import keys"),
        ("chat/model.py", "import llm_actors"),
        ("catalogue/registry.py", "from llm_actors.chat.conversation import Conversation"),
        ("actor_system.py", "from llm_actors.testing import Simulation"),
        ("command/prompt.py", "from llm_actors.chat.turn import Turn"),
        ("command/prompt.py", "from llm_actors import hidden"),
        ("testing/server.py", "from llm_actors.extras import local"),
        ("extras/local.py", "from llm_actors.actor_system import ActorSystem"),
        ("extras/local.py", "from llm_actors import hidden"),
        ("extras/local.py", "from llm_actors.runtime import hidden"),
        ("extras/local.py", "from llm_actors.runtime.mailbox import Mailbox"),
        ("chat/model.py", "def late():\n    from llm_actors.catalogue import keys"),
        ("chat/model.py", "if TYPE_CHECKING:\n    from llm_actors.catalogue import keys"),
        ("chat/model.py", "def late():\n    return importlib.import_module('llm_actors.catalogue')"),
        ("chat/model.py", "try:\n    from llm_actors.catalogue import keys\nexcept ImportError:\n    pass"),
    ],
)
def test_an_arrow_against_the_table_is_named(path, text):
    (broken,) = layers.wrong_arrows(made_up({**PUBLIC, f"llm_actors/{path}": text}))
    assert broken.startswith(f"llm_actors/{path}:")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("messages/parts.py", "from llm_actors.errors import LLMError"),
        ("transport/pump.py", "from llm_actors.providers.protocol import Provider"),
        ("chat/conversation_actor.py", "from llm_actors.transport.pump import Pump\nfrom .turn import Turn"),
        ("catalogue/registry.py", "from llm_actors.chat.model import Model\nfrom . import keys"),
        ("actor_system.py", "from llm_actors.catalogue.keys import Keys"),
        ("command/prompt.py", "import llm_actors as llm\nfrom llm_actors import Prompt\nfrom .chat import chat"),
        ("extras/local.py", "from llm_actors import Prompt\nfrom llm_actors.chat.seams import Store"),
        ("extras/local.py", "from llm_actors.runtime import Actor"),
    ],
)
def test_an_arrow_of_the_table_is_let_through(path, text):
    assert not layers.wrong_arrows(made_up({**PUBLIC, f"llm_actors/{path}": text}))


def test_a_module_that_no_row_holds_is_named():
    modules = made_up({"llm_actors/stray.py": "", "llm_actors/chat/turn.py": "", "llm_actors/__init__.py": ""})
    assert layers.modules_without_layer(modules) == [
        "llm_actors/stray.py: no row of the layer table holds llm_actors.stray"
    ]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("chat/model.py", "import httpx"),
        ("chat/model.py", "import pykka"),
        ("providers/sse.py", "from httpx import Response"),
        ("transport/pump.py", "def late():\n    import pykka"),
        ("catalogue/registry.py", "import msgspec"),
        ("testing/simulation.py", "import pytest"),
        ("testing/server.py", "import httpx"),
        ("extras/local.py", "import httpx"),
        ("__init__.py", "import msgspec"),
    ],
)
def test_a_third_party_in_the_wrong_layer_is_named(path, text):
    assert len(layers.wrong_third_parties(made_up({f"llm_actors/{path}": text}))) == 1


def test_the_third_parties_of_the_table_are_let_through():
    allowed = {
        "transport/pump.py": "httpx",
        "runtime/actor.py": "pykka",
        "chat/turn.py": "msgspec",
        "extras/local_child.py": "xllamacpp",
    }
    assert not layers.wrong_third_parties(
        made_up({f"llm_actors/{path}": f"import {name}, os" for path, name in allowed.items()})
    )


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("chat/conversation_actor.py", "import asyncio"),
        ("providers/sse.py", "from asyncio import Queue"),
        ("catalogue/keys.py", "import threading"),
        ("chat/tool_pool.py", "from concurrent.futures import ThreadPoolExecutor"),
        ("extras/journal.py", "if TYPE_CHECKING:\n    import threading"),
        ("transport/pump.py", "import time"),
        ("chat/tool_pool.py", "from random import random"),
    ],
)
def test_loops_threads_and_clocks_outside_of_their_rooms_are_named(path, text):
    assert len(layers.wrong_standard_modules(made_up({f"llm_actors/{path}": text}))) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("providers/openai_chat.py", "import asyncio"),
        ("providers/openai_chat.py", "def late():\n    import time"),
        ("chat/turn.py", "import threading"),
        ("chat/turn_mail.py", "import socket"),
        ("chat/history.py", "from llm_actors.runtime import Loop"),
        ("transport/retry.py", "from random import random"),
        ("transport/retry.py", "from .pump import Pump"),
    ],
)
def test_a_module_that_decides_and_acts_is_named(path, text):
    assert len(layers.impurities(made_up({"llm_actors/transport/pump.py": "", f"llm_actors/{path}": text}))) == 1


def test_a_cycle_is_named_once_also_one_inside_functions():
    modules = made_up(
        {
            "llm_actors/chat/a.py": "from .b import B",
            "llm_actors/chat/b.py": "def late():\n    from llm_actors.chat.c import C",
            "llm_actors/chat/c.py": "from . import a",
        }
    )
    assert layers.cycles(modules) == [
        "llm_actors.chat.a -> llm_actors.chat.b -> llm_actors.chat.c -> llm_actors.chat.a"
    ]


def test_a_module_that_imports_from_its_own_package_closes_a_cycle():
    modules = made_up(
        {"llm_actors/chat/__init__.py": "from .a import A", "llm_actors/chat/a.py": "from llm_actors.chat import A"}
    )
    assert layers.cycles(modules) == ["llm_actors.chat -> llm_actors.chat.a -> llm_actors.chat"]


def test_a_type_that_is_imported_for_the_checkers_alone_closes_no_cycle():
    modules = made_up(
        {"llm_actors/chat/a.py": "from .b import B", "llm_actors/chat/b.py": "if TYPE_CHECKING:\n    from .a import A"}
    )
    assert not layers.cycles(modules)
