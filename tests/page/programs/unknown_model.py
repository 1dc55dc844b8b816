import llm_actors as llm

for ask in (llm.get_model, llm.get_async_model):
    try:
        ask("no-such-model")
    except llm.UnknownModelError as error:
        print(error.args[0])
