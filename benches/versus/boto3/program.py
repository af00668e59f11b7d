"""boto3's program: one call, or calls on command as the Rust programs make them (harness/src/lib.rs)."""

import os
import sys
import threading
import time

import boto3


def call(client, endpoint, body):
    answer = client.invoke_endpoint(EndpointName=endpoint, ContentType="application/json", Body=body)
    return len(answer["Body"].read())


def measure(client, endpoint, size, count):
    body = b"7" * size
    for _ in range(5):
        assert call(client, endpoint, body) > 0
    times = []
    cpu = time.process_time_ns()
    for _ in range(count):
        called_at = time.perf_counter_ns()
        assert call(client, endpoint, body) > 0
        times.append(time.perf_counter_ns() - called_at)
    cpu = (time.process_time_ns() - cpu) // count
    times.sort()
    return f"{times[count // 2]} {cpu} 0"


def on_threads(client, endpoint, count, seconds):
    rates = []

    def work():
        call(client, endpoint, b"7" * 100)
        begun_at, calls = time.perf_counter(), 0
        while time.perf_counter() - begun_at < seconds:
            call(client, endpoint, b"7" * 100)
            calls += 1
        rates.append(calls / (time.perf_counter() - begun_at))

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return str(sum(rates))


def read_stream(client, endpoint, words):
    size, count, is_paced = int(words[0]), int(words[1]), int(words[3]) > 0
    parts, total, latencies = 0, 0, []
    cpu = time.process_time_ns()
    answer = client.invoke_endpoint_with_response_stream(
        EndpointName=endpoint, ContentType="application/json", Body=" ".join(words).encode()
    )
    for event in answer["Body"]:
        part = event["PayloadPart"]["Bytes"]
        if is_paced:
            # The same clock as the server's.
            latencies.append(time.monotonic_ns() - int.from_bytes(part[:8], "big"))
        parts += 1
        total += len(part)
    cpu = (time.process_time_ns() - cpu) / count
    assert (parts, total) == (count, count * size)
    latencies.sort()
    return f"{cpu} 0 {latencies[count // 2] if is_paced else 0}"


def main():
    config = boto3.session.Config(max_pool_connections=64)
    client = boto3.client("sagemaker-runtime", config=config)
    if sys.argv[1:] == ["once"]:
        assert call(client, "small", b"7" * 100) == 16
        return
    endpoint = os.environ["ENDPOINT_NAME"]
    for line in sys.stdin:
        words = line.split()
        if words[0] == "calls":
            print(measure(client, endpoint, int(words[1]), int(words[2])), flush=True)
        elif words[0] == "stream":
            print(read_stream(client, endpoint, words[1:]), flush=True)
        else:
            print(on_threads(client, endpoint, int(words[1]), int(words[2]) / 1000), flush=True)


main()
