"""A real llama.cpp server on a free port, from the wheel `xllamacpp`; run by the interpreter that has it.

    python llama_server.py MODEL.gguf CONTEXT CHATS [embeddings]

Prints its address, and ends with its standard input.
"""

import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
# The context is shared by the chats.
params.n_parallel = int(sys.argv[3])
params.n_ctx = int(sys.argv[2]) * params.n_parallel
params.n_gpu_layers = 0
params.hostnames = ["127.0.0.1"]
params.port = 0
params.warmup = False
# As exact as transformers: in 16 bit a tie is broken otherwise now and then.
params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
params.use_jinja = True
params.cpuparams.n_threads = 1
if sys.argv[4:] == ["embeddings"]:
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
server = xllamacpp.Server(params)
sys.stdout.write(f"listening on {server.listening_address}/v1\n")
sys.stdout.flush()
sys.stdin.read()
