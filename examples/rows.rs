//! `rows [FILE [ENDPOINT_NAME [THREADS]]]` sends each line of a file (JSON lines `.jsonl`, or CSV without a header) on
//! several threads and writes the answers in the order of the lines. Without a name, an endpoint on this machine
//! answers with means. A failed row leaves an empty line and is named on standard error at the end; the first of them
//! gives the exit code.
#[path = "support/exit_code.rs"]
mod exit_code;
#[path = "support/verifying_endpoint.rs"]
mod verifying_endpoint;

use std::io::{self, Write};
use std::{error::Error, fs, process::ExitCode, sync::mpsc::sync_channel, thread};

use sagemaker_invoke::{Client, InvokeEndpoint};
use verifying_endpoint::VerifyingEndpoint;

fn main() -> ExitCode {
    exit_code::run(include_str!("rows.rs"), || run(&exit_code::arguments(3)?))
}

fn run(arguments: &[String]) -> Result<ExitCode, Box<dyn Error>> {
    let read = |file| fs::read_to_string(file).map_err(|error| format!("{file}: {error}"));
    let text = arguments
        .first()
        .map_or(Ok("1,2,3\n4,5\n6\n".to_owned()), read)?;
    let is_json = arguments
        .first()
        .is_some_and(|file| file.ends_with(".jsonl"));
    let name = arguments.get(1).map(String::as_str);
    let threads = arguments.get(2).map_or(Ok(8), |threads| threads.parse());
    let threads = threads
        .map_err(|_| lexopt::Error::from("THREADS must be a number"))?
        .max(1);
    let endpoint = name.is_none().then(VerifyingEndpoint::start);
    let client = endpoint
        .as_ref()
        .map_or_else(Client::from_env, VerifyingEndpoint::client)?;
    let content_type = Some(if is_json {
        "application/json"
    } else {
        "text/csv"
    });
    let request = InvokeEndpoint {
        content_type,
        ..InvokeEndpoint::new(name.unwrap_or("mean-model"), "")
    };
    let (client, rows) = (&client, &text.lines().collect::<Vec<_>>());

    let progress = indicatif::ProgressBar::new(rows.len().try_into()?);
    let mut failed = Vec::new();
    thread::scope(|scope| {
        // Thread N sends row N of every `threads` rows, so the channels are read in turn. They are bounded: while one
        // row is slow, the answers of the others must not fill the memory.
        let receivers = Vec::from_iter((0..threads).map(|first| {
            let (sender, receiver) = sync_channel(100);
            let rows = rows.iter().skip(first).step_by(threads);
            let requests = rows.map(move |row| InvokeEndpoint {
                body: row.as_bytes(),
                ..request
            });
            let mut answers = requests.map(|request| client.invoke(&request));
            // Sending fails when the receiver is gone, because the answers cannot be written.
            scope.spawn(move || answers.all(|answer| sender.send(answer).is_ok()));
            receiver
        }));

        for (row, receiver) in (1..=rows.len()).zip(receivers.iter().cycle()) {
            let answer = receiver.recv()?.map_err(|error| failed.push((row, error)));
            let line = answer
                .as_ref()
                .map_or("".into(), |response| response.text());
            progress.suspend(|| writeln!(io::stdout(), "{}", line.trim_end()))?;
            progress.inc(1);
        }
        progress.finish_and_clear();
        for (row, error) in &failed {
            writeln!(
                io::stderr(),
                "row {row}: {error} [may have run: {}]",
                error.may_have_run()
            )?;
        }
        Ok(failed
            .first()
            .map_or(0, |(_, error)| exit_code::of(error))
            .into())
    })
}
