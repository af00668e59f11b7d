//! One call over a bare socket.

mod raw;

fn main() {
    assert_eq!(raw::Raw::new("small").call(&[b'7'; 100]).len(), 16);
}
