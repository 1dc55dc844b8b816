"""A streaming chat in a terminal, in sync code: Ctrl-C cancels the running answer and the conversation goes on.

`python examples/terminal_chat.py [MODEL]`, and Ctrl-D to end it. With the default, the scripted model `demo`, a session prints:

    > Two fun facts about skunks
    [scripted] 1. A skunk can spray about three metres far. 2. Before it sprays, a skunk stamps its feet and raises its tail.
    > Now one about flamingos
    [scripted] 1. Flamingos get their colour from what they eat.
"""

import sys

import llm_actors as llm


def main(model_id: str) -> None:
    with llm.get_model(model_id).conversation() as conversation:
        while True:
            try:
                prompt = input("> ")
            except (EOFError, KeyboardInterrupt):
                break
            response = conversation.prompt(prompt)
            try:
                for chunk in response:
                    print(chunk, end="", flush=True)
                print()
            except KeyboardInterrupt:
                response.cancel()  # when this returns, no request is open
                print(f"\n[cancelled; {len(response.partial)} characters had arrived]")
            except llm.LLMError as error:
                print(f"[{type(error).__name__}: {error}]")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "demo")
