//! One call with ureq.

mod plain;

fn main() {
    assert_eq!(plain::Plain::new().call("small", &[b'7'; 100]).len(), 16);
}
