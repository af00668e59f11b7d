//! One call with ureq and SigV4 by hand.

mod straight;

fn main() {
    assert_eq!(
        straight::Straight::new().call("small", &[b'7'; 100]).len(),
        16
    );
}
