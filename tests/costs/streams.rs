//! Reading a stream allocates nothing per frame, and its memory does not grow with its length.

use std::io::{BufRead, Read};

use sagemaker_invoke::{Client, InvokeEndpointWithResponseStream, ResponseStream};

use super::support::event_stream::{LAST_CHUNK, STREAM_HEAD, chunk, part};
use super::support::{Peer, in_own_process, peak_kilobytes, turn};

/// A record of 64 bytes, as server-sent event.
const RECORD: &str =
    "data: {\"token\":{\"id\":12345,\"text\":\" word\",\"logprob\":-0.25}}    \n\n";
const FRAMES_PER_BLOCK: usize = 1000;

/// A peer that sends as many blocks of frames as the name of the endpoint says.
fn peer(payload: &str) -> Peer {
    let block = chunk(part(payload).repeat(FRAMES_PER_BLOCK));
    Peer::new(move |mut connection| {
        while let Some(request) = connection.request() {
            let blocks: usize = request.path().split('/').nth(2).unwrap().parse().unwrap();
            connection.send(STREAM_HEAD);
            (0..blocks).for_each(|_| connection.send(&block));
            connection.send(LAST_CHUNK);
        }
    })
}

fn open(client: &Client, blocks: usize) -> ResponseStream {
    let name = blocks.to_string();
    client
        .invoke(&InvokeEndpointWithResponseStream::new(&name, b""))
        .unwrap()
        .body
}

/// Reads a stream in one way; returns how many parts, reads or records there were.
type Reader = fn(&mut ResponseStream) -> usize;

fn parts(stream: &mut ResponseStream) -> usize {
    let mut count = 0;
    while stream.next_part().unwrap().is_some() {
        count += 1;
    }
    count
}

fn reads(stream: &mut ResponseStream) -> usize {
    let mut buffer = [0; 1024];
    let mut count = 0;
    while stream.read(&mut buffer).unwrap() > 0 {
        count += 1;
    }
    count
}

fn buffers(stream: &mut ResponseStream) -> usize {
    let mut count = 0;
    loop {
        let bytes = stream.fill_buf().unwrap().len();
        if bytes == 0 {
            return count;
        }
        stream.consume(bytes);
        count += 1;
    }
}

fn records(stream: &mut ResponseStream) -> usize {
    let mut count = 0;
    while stream.next_record().unwrap().is_some() {
        count += 1;
    }
    count
}

/// Allocations from the first part to the end of a stream of so many blocks.
fn allocations(client: &Client, blocks: usize, reader: Reader) -> u64 {
    let mut stream = open(client, blocks);
    let mut count = 0;
    let measured = allocation_counter::measure(|| count = reader(&mut stream));
    assert_eq!(count, blocks * FRAMES_PER_BLOCK);
    measured.count_total
}

#[test]
fn frames_do_not_allocate() {
    let _turn = turn();
    let peer = peer(RECORD);
    let client = Client::new(peer.config()).unwrap();
    let readers: [(&str, Reader); 4] = [
        ("parts", parts),
        ("reads", reads),
        ("buffers", buffers),
        ("records", records),
    ];
    for (name, reader) in readers {
        let (short, long) = (
            allocations(&client, 2, reader),
            allocations(&client, 20, reader),
        );
        println!("{name}: {short} allocations in 2,000 frames, {long} in 20,000");
        // The buffers of a stream; their number depends on how the bytes arrive, not on how many there are.
        assert!(long < 20, "{name}: {long}");
    }
}

#[test]
fn memory_does_not_grow_with_the_stream() {
    in_own_process(
        "streams::memory_does_not_grow_with_the_stream",
        read_long_stream,
    );
}

/// Reads 64 MiB, or 1 GiB if `SAGEMAKER_INVOKE_SLOW_TESTS` is set. Peak memory is that of the process.
#[expect(clippy::print_stdout, reason = "the tester reads it")]
fn read_long_stream() {
    let is_long = std::env::var_os("SAGEMAKER_INVOKE_SLOW_TESTS").is_some();
    let mebibytes = if is_long { 1024 } else { 64 };
    let peer = peer(&"x".repeat(1024));
    let client = Client::new(peer.config()).unwrap();
    assert_eq!(parts(&mut open(&client, 2)), 2 * FRAMES_PER_BLOCK);
    let before = peak_kilobytes();
    let blocks = mebibytes * 1024 / FRAMES_PER_BLOCK + 1;
    let mut stream = open(&client, blocks);
    assert_eq!(parts(&mut stream), blocks * FRAMES_PER_BLOCK);
    let summary = stream.summary();
    let after = peak_kilobytes();
    println!(
        "{} bytes in {:.1?}: peak {before} kB before, {after} kB after",
        summary.bytes, summary.elapsed
    );
    assert!(
        after < before + 2 * 1024,
        "{before} kB before, {after} kB after"
    );
}

/// A record that spans parts is collected in a reused buffer.
#[test]
fn records_across_parts_do_not_allocate() {
    let _turn = turn();
    let (begin, end) = RECORD.split_at(RECORD.len() / 2);
    let block = [part(begin), part(end)].concat().repeat(FRAMES_PER_BLOCK);
    let peer = Peer::responding([STREAM_HEAD.as_bytes(), &chunk(&block), LAST_CHUNK].concat());
    let client = Client::new(peer.config()).unwrap();
    assert!(allocations(&client, 1, records) < 20);
}
