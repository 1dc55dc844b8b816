"""Which models exist, what they are called, and where their keys are.

    registry.py    get_model, register_model and their kin: an id or alias -> a model
    shelf.py       one set of registrations, with their ids, aliases and prefixes
    plugins.py     what the entry points of other packages register
    aliases.py     aliases.json and default_model.txt: what the user calls models
    keys.py        keys.json, environment variables: where keys come from
    presets.py     providers and their models, as data        endpoints.py   a model of one's own server
    demo.py        the scripted model `demo`                  user_dir.py    the user's folder and its files

It answers in microseconds and keeps no thread, no lock and no open file. The keys file and the folder are those of the peer (`llm`), so
keys saved with it work here.
"""
