import llm_actors as llm

for model in llm.get_async_models():
    print(model.model_id)
