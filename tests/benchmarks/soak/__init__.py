"""The soak: hours of random work with faults and cancels, and nothing may grow, leak, get lost or mixed up.

python -m tests.benchmarks.soak --minutes 60         2,000 conversations; 5 minutes of it are a step of `python -m tests`

server.py   a process of its own: OpenAI chat completions that echo, and do wrong what the prompt says; looks for mixed-up histories
echo.py     what a prompt asks the server for, and what the right answer to it is
world.py    the conversations, and what is checked of each of their answers
work.py     what is done with them: one coroutine for each kind of work
watch.py    what is counted meanwhile: memory, tasks, threads, sockets, queues; and the verdict
"""
