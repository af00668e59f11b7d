use super::*;

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(1),
    send: Duration::from_secs(2),
    response: Duration::from_secs(3),
    read: Duration::from_secs(4),
};

#[test]
fn what_was_sent_follows_the_count() {
    let outer = begin(10, 5, LIMITS, None);
    assert_eq!(with(|it| it.sent()), Sent::Nothing);
    wrote(10);
    assert_eq!(with(|it| it.sent()), Sent::PartOfHead);
    wrote(1);
    assert_eq!(with(|it| it.sent()), Sent::PartOfBody);
    wrote(4);
    assert_eq!(with(|it| it.sent()), Sent::Whole);
    write_failed();
    assert_eq!(with(|it| it.sent()), Sent::Whole, "TLS may write, and fail to, before and after the request");
    take_ureq_head();
    write_failed();
    wrote(1);
    assert_eq!(end(outer).sent(), Sent::PartOfBody);
    let outer = begin(10, 0, LIMITS, None);
    wrote(10);
    assert_eq!(end(outer).sent(), Sent::Whole);
}

#[test]
fn an_exchange_within_another_leaves_it_as_it_was() {
    let idle = begin(10, 5, LIMITS, None);
    wrote(12);
    let outer = begin(7, 0, LIMITS, Some(System.instant()));
    wrote(7);
    timed_out();
    let inner = end(outer);
    assert_eq!((inner.sent(), inner.timed_out), (Sent::Whole, true));
    let outer = end(idle);
    assert_eq!((outer.sent(), outer.timed_out), (Sent::PartOfBody, false));
}

#[test]
fn a_time_out_stays() {
    let outer = begin(1, 0, LIMITS, Some(System.instant()));
    assert!(patience(System.instant(), System.instant()).is_err());
    with(|exchange| exchange.deadline = None);
    assert!(patience(System.instant(), System.instant()).is_err());
    assert!(end(outer).timed_out);
}

#[test]
fn each_phase_has_its_limit_and_the_deadline_cuts_all() {
    let outer = begin(1, 0, LIMITS, None);
    let now = System.instant();
    let left = || {
        let now = System.instant();
        patience(now, now).unwrap().unwrap().as_secs_f64().ceil()
    };
    assert_eq!(left(), 1.0);
    assert!(take_ureq_head() && !take_ureq_head());
    assert_eq!(left(), 2.0);
    begin_wait();
    assert_eq!(left(), 3.0);
    begin_read();
    assert_eq!(left(), 4.0);
    with(|exchange| exchange.deadline = now.checked_add(Duration::from_millis(1500)));
    assert_eq!(left(), 2.0);
    end(outer);
}

#[test]
fn only_what_is_followed_by_more_of_the_request_may_wait() {
    let outer = begin(10, 20, LIMITS, None);
    assert!(!has_more());
    will_write(20);
    assert!(has_more());
    wrote(20);
    will_write(10);
    assert!(!has_more());
    end(outer);
}
