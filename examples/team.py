"""A supervised team with a budget: a writer that crashes comes back, and when the money is spent the next model call is refused.

`python examples/team.py [MODEL]`. With the scripted model `demo` it prints:

    ada on pelicans: [scripted] 1. A pelican's pouch holds about three times as much as its stomach.
    (ben crashed: no story about unicorns)
    ben on skunks: [scripted] 1. A skunk can spray about three metres far.
    restarted: ['ben of supervisor-1']
    ada on pandas: no, 2 of 2 requests of group 'the issue' are spent
"""

import asyncio
import sys

import llm_actors as llm
from llm_actors.observe import ChildRestarted, Record


class Writer(llm.Actor):
    def __init__(self, name: str, model: llm.AsyncModel) -> None:
        super().__init__()
        self.name = name
        self.conversation = model.conversation()

    async def on_receive(self, topic: str) -> str:
        if topic == "unicorns":
            raise ValueError(topic)
        text = await self.conversation.prompt(f"One fun fact about {topic}").text()
        return f"{self.name} on {topic}: {text}"


async def main(model_id: str) -> None:
    model = llm.get_async_model(model_id)
    restarted: list[str] = []
    again = asyncio.Event()

    def observe(record: Record) -> None:
        if isinstance(record, ChildRestarted):
            restarted.append(record.child)
            again.set()

    async with llm.ActorSystem(observers=[observe]) as system:
        team = system.supervisor(strategy="one_for_one", intensity=3, period=60)
        ada = team.start(Writer, "ada", model, name="ada")
        ben = team.start(Writer, "ben", model, name="ben")
        # What is sent in the block is the group's: mail carries that along, so the writers' prompts come out of its budget.
        async with system.group("the issue", budget=llm.Budget(requests=2)):
            print(await ada.ask("pelicans", block=False))
            ben.tell("unicorns")  # nobody waits for an answer: it fails, and its supervisor starts it again
            await again.wait()
            print("(ben crashed: no story about unicorns)")
            print(await ben.ask("skunks", block=False))
            print(f"restarted: {restarted}")
            try:
                print(await ada.ask("pandas", block=False))
            except llm.BudgetExceeded as error:
                print(
                    f"ada on pandas: no, {error.spent:.0f} of {error.limit:.0f} {error.kind} of {error.budget} are spent"
                )


if __name__ == "__main__":
    asyncio.run(main(dict(enumerate(sys.argv)).get(1, "demo")))
