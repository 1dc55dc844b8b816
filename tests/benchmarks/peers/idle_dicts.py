"""What a program on a bare SDK keeps: a list of dicts for each conversation."""

from idle_measures import ANSWER, PROMPT, own


async def talks(count, system):
    return [
        [
            {"role": "system", "content": system(number)},
            {"role": "user", "content": own(PROMPT)},
            {"role": "assistant", "content": own(ANSWER)},
        ]
        for number in range(count)
    ]
