"""Random programs in virtual time, checked after every turn of the loop: what holds here holds for more interleavings than anyone lists.

    program.py      what a program is, and how one is drawn from a seed           actions.py   what its users do (a new one: one class)
    answers.py      what models say; how they break                               tools.py, hooks.py, models.py, subscriber.py   its world
    world.py        a program while it runs; seen.py: what is known of each response; stage.py: the world that plays
    hands.py        the async and the sync API behind one set of words
    invariants.py   the promises of DESIGN, section 1, as checks; taps.py, excuses.py: what they go by
    play.py         plays one program          hunt.py    many, on all cores          shrink.py   makes a failing one short
    mutants.py      defects that have to be found: what has no mutant may not be checked at all

    python -m tests.simulation --seeds 1000000 [--from N]       python -m tests.simulation --mutants
    python -m tests.simulation --program '{...}'                a failing seed prints this line, shrunk

Users are tasks of the loop and threads; conversations have scripted models, models in Python code (sync and async) and an OpenAI wire
over a server in memory, whose strict rules check every history that is sent. Drawn are prompts, chains, messages to the actor, steers,
all policies of a busy conversation, sync, async and generator tools, tools that crash, hang, ignore their cancel, leave, ask other
conversations, a toolbox, hooks, callbacks, subscribers with full mailboxes, early, late and impatient readers, deadlines, cancels of
responses and conversations, closes, restarts, defects, stops and kills of actors, connections that are cut, stall or talk garbage,
overload, and the end of the loop in mid-flight.

Defects that it found, all mended, each with a plain test of its own:

1. `when_busy="reject"`: a prompt that the full mailbox refused had claimed the conversation, which stayed busy for ever.
2. A `Prompt` that came as a message (`conversation.ref.ask`) was answered behind prompts that were sent after it; so were prompts that
   had been written down before there was a loop (C1).
3. When `asyncio.run()` ended, prompts that waited behind the one it cancelled began all the same: one more model call, and asyncio's
   complaint about a generator that is running, on standard error.
4. A sync tool or model whose turn was cancelled between the start of its thread and its first line was called all the same (C5).
5. A turn whose loop ended while a toolbox was being prepared ended with a bare RuntimeError, not as others do.
6. Prompts that waited for a loop were lost when the first one that came was closed already; their readers waited for ever.
7. After a turn that answered several prompts died with its actor, `conversation.waiting` was -1.
8. A thread that waited for a complete answer when its loop ended, behind the callbacks, met LoopClosedError in place of the answer.
9. A log that was lost with its loop was released twice (harmless).
10. With `when_busy="coalesce"` a compaction could drop a prompt that was being answered, as if it were an exchange of its own.
11. A prompt from a thread, as the first that happened on a loop and in the moment of its end, began work that nobody ended: asyncio said
   that a pending task was destroyed. It had been on standard error for a while, and nothing looked there: the tasks that an end leaves
   are a check now.

Seeds that ran clean since the last of these: 0 to 10,000, in 64 s on one core; before forks, groups, budgets and compaction were drawn
too, also 10,000 to 110,000 but for a gap.

It does not look between two lines of Python: threads change places where they wait, sleep, begin and end. Races inside of these steps
are for the stress tests with real threads. At the very end of a loop it lets asyncio's complaint about a generator that runs pass, when
what runs began in that moment.
"""
