"""Peer of `latentbridge bench decoders`: the same network as an ONNX model in ONNX Runtime, on the CPU.

python onnx_network.py MODEL INPUT CHANNELS HEIGHT WIDTH THREADS OUTPUT

Files and answers as in torch_network.py. Ends with 3 when onnxruntime or numpy is not there.
"""

import json
import sys
import time

try:
    import numpy
    import onnxruntime
except ImportError:
    sys.exit(3)


def main(model, source, channels, height, width, threads, output):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    values = numpy.fromfile(source, numpy.float32).reshape(1, channels, height, width)
    feeds = {session.get_inputs()[0].name: values}
    session.run(None, feeds)[0].tofile(output)
    print(json.dumps({"name": f"ONNX Runtime {onnxruntime.__version__}"}), flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        session.run(None, feeds)
        print((time.perf_counter() - started) * 1000, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:7]), sys.argv[7])
