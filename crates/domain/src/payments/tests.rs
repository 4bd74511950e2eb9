use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn fact(id: &str, made: i64, subscription: &str, says: Says) -> Fact {
    Fact {
        id: id.to_owned(),
        made: Some(at(made)),
        subscription: (!subscription.is_empty()).then(|| subscription.to_owned()),
        says,
    }
}

#[test]
fn the_newest_event_of_a_subscription_counts() {
    let paid = fact("a", 1, "s", Says::Paid(at(100)));
    let renewed = fact("b", 2, "s", Says::Paid(at(200)));
    let lapsed = fact("c", 3, "s", Says::Lapsed(Some(at(200))));

    assert_eq!(premium(&[]), None);
    assert_eq!(premium(&[renewed.clone(), paid.clone()]), Some(at(200)));
    assert_eq!(premium(&[lapsed.clone(), renewed.clone(), paid]), None);
    let shortened = fact("d", 4, "s", Says::Paid(at(150)));
    assert_eq!(premium(&[shortened, lapsed, renewed]), Some(at(150)));
}

#[test]
fn at_the_same_moment_the_later_end_counts_and_then_what_was_paid() {
    let paid = fact("a", 1, "s", Says::Paid(at(100)));
    let longer = fact("b", 1, "s", Says::Paid(at(200)));
    let incomplete = fact("c", 1, "s", Says::Lapsed(Some(at(200))));

    assert_eq!(premium(&[paid.clone(), longer.clone()]), Some(at(200)));
    assert_eq!(premium(&[incomplete.clone(), longer]), Some(at(200)));
    assert_eq!(premium(&[incomplete, paid]), None);
}

#[test]
fn a_subscription_that_is_over_stays_over_whatever_is_newer() {
    let over = fact("a", 1, "s", Says::Ended);
    let paid = fact("b", 2, "s", Says::Paid(at(100)));

    assert_eq!(premium(&[over.clone(), paid.clone()]), None);
    let other = fact("c", 0, "another", Says::Paid(at(50)));
    assert_eq!(premium(&[over, paid, other]), Some(at(50)));
}

#[test]
fn what_names_no_subscription_is_about_all_of_them() {
    let paid = fact("a", 1, "s", Says::Paid(at(100)));
    let expired = fact("b", 2, "", Says::Lapsed(Some(at(100))));
    let renewed = fact("c", 3, "", Says::Paid(at(200)));

    assert_eq!(premium(std::slice::from_ref(&renewed)), Some(at(200)));
    assert_eq!(premium(&[paid.clone(), expired.clone()]), None);
    assert_eq!(premium(&[paid, expired, renewed]), Some(at(200)));
}
