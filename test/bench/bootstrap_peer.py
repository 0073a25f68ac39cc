"""Python's side of the bootstrap benchmark: resampling with the standard library, as evaluation
harnesses do for a standard error: random.choices and a mean, once per resample.

usage: bootstrap_peer.py ITEMS RESAMPLES    the scores (0 or 1) are made from the index
prints a line of JSON: {"python", "seconds", "resamples", "stderr"}
"""

import json
import platform
import random
import statistics
import sys
import time


def main():
    items, resamples = int(sys.argv[1]), int(sys.argv[2])
    scores = [1.0 if i * 7919 % 100 < 66 else 0.0 for i in range(items)]
    source = random.Random(1234)
    start = time.perf_counter()
    # fmean is the fast one; statistics.mean goes through fractions and takes far longer.
    means = [statistics.fmean(source.choices(scores, k=items)) for _ in range(resamples)]
    stderr = statistics.stdev(means)
    seconds = time.perf_counter() - start
    report = {"python": platform.python_version(), "seconds": seconds, "resamples": resamples}
    print(json.dumps({**report, "stderr": stderr}))


if __name__ == "__main__":
    main()
