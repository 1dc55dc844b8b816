"""What a user's type checker sees of a system that is looked into."""

from typing import assert_type

import llm_actors as llm


def look(system: llm.ActorSystem) -> None:
    tree = system.tree()
    assert_type(tree, llm.SystemTree)
    assert_type(str(tree), str)
    for loop in tree.loops:
        assert_type(loop, llm.LoopView)
        assert_type(loop.silent, float | None)
        assert_type(loop.tools, llm.PoolStats | None)
        assert_type(loop.actors, tuple[llm.ActorView, ...])
        for conversation in loop.conversations:
            assert_type(conversation, llm.ConversationView)
            assert_type(conversation.turns, tuple[llm.TurnView, ...])
            assert_type(conversation.turns[0].seconds, float)
    counters = system.counters()
    assert_type(counters, llm.Counters)
    assert_type(counters.tokens_out, int)
    llm.ActorSystem(stall_bound=None)
