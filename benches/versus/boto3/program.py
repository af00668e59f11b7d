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
        else:
            print(on_threads(client, endpoint, int(words[1]), int(words[2]) / 1000), flush=True)


main()
