"""TensorFlow's own trace of a training step: replays what test/bench/trace.ts kept of a process.

  python trace_peer.py FOLDER RUNS     prints one line of JSON
Threads are those of the environment (TF_NUM_INTRAOP_THREADS, TF_NUM_INTEROP_THREADS), as in the process
that is replayed; CONFIG in it is a ConfigProto as text.
"""

import collections
import json
import os
import re
import resource
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_OVERRIDE_GLOBAL_THREADPOOL", "1")  # as openBackend does
import numpy as np
import tensorflow as tf
from google.protobuf import text_format

v1 = tf.compat.v1

# As TensorFlow names its own kernels' operations, without oneDNN's prefix.
PRODUCTS = {"MatMul", "BatchMatMulV2", "FusedMatMul", "FusedBatchMatMulV2"}
ROWS = {"GatherV2", "UnsortedSegmentSum", "ResourceGather", "ScatterNd"}
COPIES = {"Transpose", "ConcatV2", "Split", "SplitV", "Tile", "Pack", "Unpack", "Pad", "PadV2",
          "Slice", "StridedSlice", "Fill", "ZerosLike"}
UPDATES = {"ResourceApplyAdam", "AssignSubVariableOp", "AssignAddVariableOp", "AssignVariableOp", "L2Loss"}
REDUCTIONS = {"Sum", "Mean", "Max"}
# Their output is their input's memory, or nothing is computed.
FREE = {"Const", "Reshape", "Identity", "ReadVariableOp", "VarHandleOp", "NoOp", "Switch", "Merge",
        "Arg", "Retval", "Placeholder", "ExpandDims", "Squeeze", "Recv", "Send"}


def kind_of(operation):
    operation = re.sub("^_(MklNative|Mkl)?", "", operation)
    for name, those in [("products", PRODUCTS), ("gathers and scatters", ROWS), ("copies", COPIES),
                        ("updates", UPDATES), ("reductions", REDUCTIONS), ("nothing to compute", FREE)]:
        if operation in those:
            return name
    return "elementwise"


def config():
    return text_format.Parse(os.environ.get("CONFIG", ""), v1.ConfigProto())


class Replay:
    """The process's graphs, sessions and runs up to its last, which is the step."""

    def __init__(self, folder):
        self.folder = folder
        with open(f"{folder}/calls.json") as file:
            calls = json.load(file)
        sessions = {}
        for call in calls:
            if call["do"] == "new":
                own = v1.ConfigProto.FromString(self.read(call["file"]))
                own.MergeFrom(config())
                sessions[call["session"]] = v1.Session(graph=tf.Graph(), config=own)
            elif call["do"] == "extend":
                graph = sessions[call["session"]].graph
                more = v1.GraphDef()
                more.ParseFromString(self.read(call["file"]))
                with graph.as_default():
                    tf.import_graph_def(more, name="", input_map={
                        f"{name}:0": graph.get_tensor_by_name(f"{name}:0")
                        for name in call["names"].split(",") if name})
            else:
                session = sessions[call["session"]]
                feeds = {}
                for name, kept in zip(call["inputs"], call["files"]):
                    tensor = session.graph.get_tensor_by_name(name)
                    data = np.frombuffer(self.read(kept), tensor.dtype.as_numpy_dtype)
                    feeds[tensor] = data.reshape(tensor.shape.as_list())
                self.session, self.feeds = session, feeds
                self.fetches = [session.graph.get_tensor_by_name(name) for name in call["outputs"]]
                if call is not calls[-1]:
                    self.run()

    def read(self, name):
        with open(f"{self.folder}/{name}", "rb") as file:
            return file.read()

    def run(self, **options):
        return self.session.run(self.fetches, self.feeds, **options)


def union(intervals):
    total, end = 0, 0
    for start, stop in sorted(intervals):
        total += max(0, stop - max(start, end))
        end = max(end, stop)
    return total


def bytes_of(output):
    description = output.tensor_description
    size = v1.as_dtype(description.dtype).size or 0 if description.dtype else 0
    for dim in description.shape.dim:
        size *= dim.size
    return size


def flops_of(node, inputs, outputs):
    """Of a product, from its inputs' and output's shapes."""
    shape = [dim.size for dim in inputs[0].tensor_description.shape.dim]
    flag = "transpose_a" if "transpose_a" in node.attr else "adj_x"
    inner = shape[-2] if node.attr[flag].b else shape[-1]
    return 2 * inner * int(np.prod([dim.size for dim in outputs[0].tensor_description.shape.dim]))


def trace(replay, runs):
    options = v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE, output_partition_graphs=True)
    many = []
    for _ in range(runs):
        metadata = v1.RunMetadata()
        replay.run(options=options, run_metadata=metadata)
        many.append(metadata)
    graph = {node.name: node for part in many[0].partition_graphs for node in part.node}
    first = {stat.node_name: stat for device in many[0].step_stats.dev_stats for stat in device.node_stats}
    outputs = {name: {output.slot: output for output in stat.output} for name, stat in first.items()}
    table = collections.defaultdict(lambda: [0, 0, 0, 0])  # operations, microseconds, bytes, FLOP
    moved = collections.Counter()
    for name, stat in first.items():
        node = graph.get(name)
        if node is None:
            continue
        row = table[node.op]
        row[0] += 1
        if kind_of(node.op) == "nothing to compute":
            continue
        inputs = []
        for source in node.input:
            if source.startswith("^"):
                continue
            source, _, slot = source.partition(":")
            output = outputs.get(source, {}).get(int(slot or 0))
            if output is not None:
                inputs.append(output)
        made = list(outputs[name].values())
        row[2] += sum(bytes_of(output) for output in [*inputs, *made])
        if kind_of(node.op) == "products" and inputs and made:
            row[3] += flops_of(node, inputs, made)
    busy, span, times = [], [], collections.defaultdict(list)
    for metadata in many:
        intervals = []
        for device in metadata.step_stats.dev_stats:
            for stat in device.node_stats:
                if stat.node_name not in graph:
                    continue
                start = stat.all_start_nanos + stat.op_start_rel_nanos
                stop = stat.all_start_nanos + stat.op_end_rel_nanos
                intervals.append((start, stop))
                times[stat.node_name].append((stop - start) / 1000)
        busy.append(union(intervals) / 1000)
        span.append((max(stop for _, stop in intervals) - min(start for start, _ in intervals)) / 1000)
    # The median of each kernel's runs: one that was interrupted counts for nothing then.
    for name, several in times.items():
        table[graph[name].op][1] += float(np.median(several))
    return {
        "operations": [[kind_of(name), name, *row] for name, row in table.items()],
        "busy": float(np.median(busy)),
        "span": float(np.median(span)),
        "peak": peak(many[0]),
    }


def peak(metadata):
    """Most bytes that the operations' own allocations held at once, from the allocator's records."""
    records = []
    for device in metadata.step_stats.dev_stats:
        for stat in device.node_stats:
            for memory in stat.memory:
                records += [(record.alloc_micros, record.alloc_bytes) for record in memory.allocation_records]
    most = now = 0
    for _, size in sorted(records):
        now += size
        most = max(most, now)
    return most


def rate(make, work, times=7):
    """Work a second of a graph of its own, the median after one unmeasured."""
    with tf.Graph().as_default(), v1.Session(config=config()) as session:
        run = session.make_callable(make().op)
        session.run(v1.global_variables_initializer())
        seconds = []
        for _ in range(times + 1):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
    return work / float(np.median(seconds[1:]))


def product(size=1024):
    def make():
        a = v1.get_variable("a", initializer=np.random.rand(size, size).astype(np.float32))
        return tf.matmul(a, a)
    return rate(make, 2 * size ** 3)


def copy(size):
    """Bytes a second, read and written, of elementwise work on so many floats."""
    repeats = max(1, int(2e7 / size))

    def make():
        x = y = v1.get_variable("x", initializer=np.random.rand(size // 64, 64).astype(np.float32))
        for _ in range(repeats):
            y = tf.raw_ops.Add(x=y, y=x)
        return y
    return rate(make, repeats * 3 * 4 * size)


def main():
    folder, runs = sys.argv[1], int(sys.argv[2])
    replay = Replay(folder)
    start = time.perf_counter()
    replay.run()
    first = time.perf_counter() - start
    for _ in range(min(10, runs)):
        replay.run()
    seconds, used = [], []
    call = replay.session.make_callable(replay.fetches, list(replay.feeds))
    given = list(replay.feeds.values())
    call(*given)
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_SELF)
        start = time.perf_counter()
        results = call(*given)
        seconds.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_SELF)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    answer = {
        "first": first,
        "seconds": float(np.median(seconds)),
        "range": [min(seconds), max(seconds)],
        "used": float(np.median(used)),
        "results": [float(np.asarray(result).reshape(-1)[0]) for result in results],
        "productRate": product(),
        "copyRate": {str(size): copy(size) for size in (576 * 192, 2 ** 24)},
        **trace(replay, min(runs, 10)),
    }
    print(json.dumps(answer))


main()
