"""The command line: `llm-actors "a prompt"`, an interactive chat without one, `llm-actors models`.

    arguments.py    what can be said, and the exit status     words.py       its parser
    flag_values.py  what the flags stand for                  interrupt.py   Ctrl-C
    prompt.py       one prompt                                chat.py        the chat in a terminal
    models.py       which model; installing, the default      model_list.py  what there is
    screen.py       what is printed

It uses the library's public names only, in their sync form.
"""

from .arguments import main as main
