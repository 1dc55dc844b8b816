"""What a careful engineer writes without a library: a queue and a task for each actor."""

import asyncio


class Echo:
    def __init__(self):
        self.queue = asyncio.Queue()
        self.task = asyncio.create_task(self.run())

    async def run(self):
        while True:
            message, answer = await self.queue.get()
            if answer is not None:
                answer.set_result(message)


async def start(count):
    actors = [Echo() for _ in range(count)]
    await asyncio.sleep(0)
    return actors


async def ask(actor, message):
    answer = asyncio.get_running_loop().create_future()
    actor.queue.put_nowait((message, answer))
    return await answer


def tell(actor, message):
    actor.queue.put_nowait((message, None))


async def stop(actors):
    for actor in actors:
        actor.task.cancel()
    await asyncio.gather(*[actor.task for actor in actors], return_exceptions=True)
