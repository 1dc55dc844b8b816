"""Prompts that one turn answers together (`when_busy="coalesce"`): which may be joined, and into what.

Each response that shares a turn has the same events under the same numbers, and the same end. One that is cancelled, or whose deadline
comes, leaves: nothing more comes to it, and the turn goes on for the others; the last one takes the turn with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .event_log import EventLog
from .live_turn import PromptMail
from .sent_prompt import SentPrompt


def joins(first: PromptMail, other: PromptMail) -> bool:
    """Whether they differ in nothing but what they say: same options, tools, schema, system prompt, hooks, limit, key and scope."""
    said, more = first.log.prompt, other.log.prompt
    return (
        _only_speaks(said)
        and _only_speaks(more)
        and _form(said) == _form(more)
        and said.options == more.options
        and said.tools == more.tools
        and (first.before_call, first.after_call, first.chain_limit, first.key)
        == (other.before_call, other.after_call, other.chain_limit, other.key)
        and first.scope.shares_with(other.scope)
    )


def _only_speaks(prompt: SentPrompt) -> bool:
    """It has a text or files, and nothing that has to do with what is in the history already."""
    said = prompt.said
    return bool(said.prompt or said.attachments) and said.given_messages is None and not said.tool_results


def _form(prompt: SentPrompt) -> tuple[object, ...]:
    said = prompt.said
    return (said.system, said.schema, said.stream, said.hide_reasoning, said.chain)


def joined(id: str, mails: Sequence[PromptMail]) -> PromptMail:
    """The mail of the turn that answers all of these. What each says is a user message of its own: see TurnPlan.joined."""
    first = mails[0]
    prompts = [mail.log.prompt.said for mail in mails]
    deadlines = [mail.scope.deadline for mail in mails]
    late = max((deadline for deadline in deadlines if deadline is not None), key=lambda one: one.when, default=None)
    said = msgspec.structs.replace(
        prompts[0],
        text="\n\n".join([prompt.prompt for prompt in prompts if prompt.prompt]) or None,
        fragments=(),
        attachments=[file for prompt in prompts for file in prompt.attachments],
        timeout=max((prompt.timeout or 0.0 for prompt in prompts), default=0.0) or None,
    )
    asked = first.log.prompt
    sent = SentPrompt(
        said, options=asked.options, tools=list(asked.tools), reader=asked.reader, conversation=asked.conversation
    )
    log = EventLog(id, sent, first.model, None, chain=said.chain, detached=True)
    log.read = True  # nobody can: its failure is each response's
    return PromptMail(
        log,
        model=first.model,
        key=first.key,
        toolboxes=first.toolboxes,
        before_call=first.before_call,
        after_call=first.after_call,
        chain_limit=first.chain_limit,
        scope=msgspec.structs.replace(first.scope, deadline=None if None in deadlines else late),
        sent_at=None,
        context=first.context.copy(),
        when_busy="coalesce",
        failures=first.failures,
        compacts=first.compacts,
    )
