"""The floors of the live-preview method, measured in a running UI.

    python measure.py [http://127.0.0.1:7861]

``latentbridge_probe`` (beside this file) lies among the UI's extensions together with LatentBridge. Nothing else runs in the UI meanwhile; it is
restarted afterwards. Standard library only.
"""

import json
import statistics
import sys
import time
import urllib.request

POLLS = 60


def call(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, {"Content-Type": "application/json"})
    with opener.open(request) as answer:
        return answer.read()


def poll(with_picture):
    start = time.perf_counter()
    answer = call("/internal/progress", {"id_task": "latentbridge_probe", "id_live_preview": -1, "live_preview": with_picture})
    return (time.perf_counter() - start) * 1000, len(answer)


def main():
    for busy, between in ((True, "busy"), (False, "asleep")):
        times = json.loads(call(f"/latentbridge_probe/store_latent?busy={busy}"))
        print(f"store_latent, [1,4,128,128] F32 on the CPU, microseconds, {between + ' between two':<18}   median      p99    least")
        for name, found in times.items():
            print(f"  {name:<74} {found['median']:8.1f} {found['p99']:8.1f} {found['least']:8.1f}")
        print(f"  more than off: {times['LatentBridge']['median'] - times['off']['median']:.1f} us (floor: 150)\n")

    print("POST /internal/progress, milliseconds                      median    least    bytes")
    for name, method, decoder in (("LatentBridge, latent2rgb", "LatentBridge", "latent2rgb"), ("LatentBridge, tiny", "LatentBridge", "tiny"),
                                  ("Approx cheap", "Approx cheap", ""), ("Approx NN", "Approx NN", "")):
        call(f"/latentbridge_probe/ready?method={method.replace(' ', '%20')}&decoder={decoder or 'auto'}")
        pairs = [(poll(False), poll(True)) for _ in range(POLLS)]
        without, found = ([pair[i][0] for pair in pairs] for i in (0, 1))
        print(f"  {name:<54} {statistics.median(found):8.2f} {min(found):8.2f} {pairs[-1][1][1]:8}")
        more = statistics.median(found) - statistics.median(without)
        print(f"    more than without a picture: {more:.2f} median, {min(found) - min(without):.2f} least")
        call("/latentbridge_probe/done")

    records = json.loads(call("/internal/profile-startup"))["records"]
    for name, seconds in records.items():
        if name.endswith("latentbridge.py"):
            print(f"\nimport of the extension ({name}): {seconds * 1000:.0f} ms (floor: 50)")


if __name__ == "__main__":
    address = (sys.argv[1:] or ["http://127.0.0.1:7861"])[0].rstrip("/")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    main()
