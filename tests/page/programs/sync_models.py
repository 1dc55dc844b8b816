import llm_actors as llm

for model in llm.get_models():
    print(model.model_id)
for entry in llm.get_models_with_aliases():
    print(entry.model, entry.async_model, entry.aliases)
