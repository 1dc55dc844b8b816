"""What a program on a bare SDK keeps: a list of dicts for each conversation."""

from idle_measures import ANSWER, PROMPT


async def talks(count, system):
    return [
        [
            {"role": "system", "content": system(number)},
            {"role": "user", "content": PROMPT},
            {"role": "assistant", "content": ANSWER},
        ]
        for number in range(count)
    ]
