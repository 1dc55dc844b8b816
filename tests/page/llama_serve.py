"""Runs xllamacpp's own server until standard input closes: `llama_serve.py GGUF TEMPLATE LENGTH`; prints its URL once it is ready."""

import sys
from pathlib import Path

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.chat_template = Path(sys.argv[2]).read_text("utf-8")
params.n_parallel, params.n_ctx = 2, 2 * 2048
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.n_predict = int(sys.argv[3])  # tokens, of an answer whose request has no bound: a small model goes on and on
params.sampling.temp = 0.0  # the same answers each time
params.port, params.verbosity, params.ui, params.endpoint_metrics = 0, -1, False, True
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
