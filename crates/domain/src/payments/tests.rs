use std::collections::BTreeSet;

use super::*;

const ADA: UserId = UserId(1);
const BOB: UserId = UserId(2);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn paid(until: i64) -> Says {
    Says::Paid(Until::Time(at(until)))
}

/// Something said about one of the first user's transactions.
fn fact(id: &str, made: i64, transaction: &str, says: Says) -> Fact {
    Fact {
        id: id.to_owned(),
        made: Some(at(made)),
        names: vec!["1".to_owned()],
        transaction: (!transaction.is_empty()).then(|| transaction.to_owned()),
        says,
        ..Fact::default()
    }
}

fn of(name: &str, fact: Fact) -> Fact {
    Fact {
        names: vec![name.to_owned()],
        ..fact
    }
}

fn transfer(made: i64, from: &str, to: &str) -> Fact {
    Fact {
        from: vec![from.to_owned()],
        ..of(to, fact("transfer", made, "", Says::Transfer))
    }
}

fn item(names: &[&str], until: i64) -> Item {
    Item {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        until: Some(at(until)),
    }
}

/// The premium of the two users, where every subscription counts.
fn of_both(facts: &[Fact]) -> [Option<Until>; 2] {
    let users = BTreeSet::from([ADA, BOB]);
    let state = state(Source::RevenueCat, facts, &users, &Products::default());
    [ADA, BOB].map(|user| state.premium.get(&user).copied())
}

/// The end of the first user's.
fn premium(facts: &[Fact]) -> Option<Timestamp> {
    of_both(facts)[0].map(|until| until.time().unwrap())
}

#[test]
fn the_newest_event_of_a_subscription_counts() {
    let bought = fact("a", 1, "s", paid(100));
    let renewed = fact("b", 2, "s", paid(200));
    let lapsed = fact("c", 3, "s", Says::Lapsed(Some(at(200))));

    assert_eq!(premium(&[]), None);
    assert_eq!(premium(&[renewed.clone(), bought.clone()]), Some(at(200)));
    assert_eq!(premium(&[lapsed.clone(), renewed.clone(), bought]), None);
    let shortened = fact("d", 4, "s", paid(150));
    assert_eq!(premium(&[shortened, lapsed, renewed]), Some(at(150)));
}

fn arrived(arrival: i64, fact: Fact) -> Fact {
    Fact { arrival, ..fact }
}

#[test]
fn at_the_same_moment_the_later_end_counts_and_then_what_came_later() {
    let short = fact("a", 1, "s", paid(100));
    let longer = fact("b", 1, "s", paid(200));
    let incomplete = arrived(9, fact("c", 1, "s", Says::Pending));
    let unpaid = |arrival| arrived(arrival, fact("d", 1, "s", Says::Lapsed(Some(at(200)))));

    assert_eq!(premium(&[short.clone(), longer.clone()]), Some(at(200)));
    assert_eq!(premium(&[incomplete, short.clone()]), Some(at(100)));
    assert_eq!(premium(&[unpaid(-1), short]), None);
    assert_eq!(premium(&[longer.clone(), unpaid(1)]), None);
    assert_eq!(premium(&[longer, unpaid(-1)]), Some(at(200)));
}

#[test]
fn of_a_purchase_without_end_the_refund_follows_at_the_same_moment_also_if_it_comes_first() {
    let bought = arrived(9, fact("a", 1, "s", Says::Paid(Until::Endless)));
    let refunded = fact("b", 1, "s", Says::Lapsed(None));
    let restored = arrived(1, fact("c", 1, "s", Says::Restored));

    let endless = Some(Until::Endless);
    assert_eq!(of_both(std::slice::from_ref(&bought))[0], endless);
    assert_eq!(of_both(&[refunded.clone(), bought.clone()])[0], None);
    assert_eq!(of_both(&[bought, refunded, restored.clone()])[0], endless);
    assert_eq!(of_both(&[restored])[0], None);
}

#[test]
fn a_subscription_that_is_over_stays_over_whatever_is_newer() {
    let over = fact("a", 1, "s", Says::Ended);
    let bought = fact("b", 2, "s", paid(100));

    assert_eq!(premium(&[over.clone(), bought.clone()]), None);
    let other = fact("c", 0, "another", paid(50));
    assert_eq!(premium(&[over, bought, other]), Some(at(50)));
}

#[test]
fn what_names_no_subscription_is_about_all_of_them() {
    let bought = fact("a", 1, "s", paid(100));
    let expired = fact("b", 2, "", Says::Expired(Some(at(100))));
    let renewed = fact("c", 3, "", paid(200));

    assert_eq!(premium(std::slice::from_ref(&renewed)), Some(at(200)));
    assert_eq!(premium(&[bought.clone(), expired.clone()]), None);
    assert_eq!(premium(&[bought, expired, renewed]), Some(at(200)));
}

#[test]
fn a_grace_period_lengthens_what_was_paid_until_the_next_state() {
    let bought = fact("a", 1, "s", paid(100));
    let grace = fact("b", 100, "s", Says::Extended(at(160)));
    let expired = fact("c", 160, "s", Says::Expired(Some(at(100))));
    let renewed = fact("d", 120, "s", paid(150));

    assert_eq!(premium(std::slice::from_ref(&grace)), None);
    assert_eq!(premium(&[grace.clone(), bought.clone()]), Some(at(160)));
    let lost = [expired, grace.clone(), bought.clone()];
    assert_eq!(premium(&lost), None);
    assert_eq!(premium(&[bought, grace, renewed]), Some(at(150)));
}

#[test]
fn a_period_that_another_one_has_followed_expires_without_effect() {
    let bought = fact("a", 1, "s", paid(100));
    let renewed = fact("b", 90, "s", paid(200));
    let former = fact("c", 101, "s", Says::Expired(Some(at(100))));
    let current = fact("d", 102, "s", Says::Expired(Some(at(150))));
    let after = Fact {
        began: Some(at(100)),
        ..renewed.clone()
    };

    let all = [former.clone(), bought, renewed.clone()];
    assert_eq!(premium(&all), Some(at(200)));
    assert_eq!(premium(&[after, former]), Some(at(200)));
    assert_eq!(premium(&[renewed, current]), None);
}

/// Services tell of an end that is past when they take a purchase back, and may tell of the purchase after that time.
#[test]
fn an_end_before_a_purchase_was_told_is_still_its_end() {
    let bought = fact("a", 60, "s", paid(1000));
    let revoked = fact("b", 61, "s", Says::Expired(Some(at(1))));

    assert_eq!(premium(&[revoked, bought]), None);
}

#[test]
fn a_transfer_moves_what_is_owned_at_that_time_there_and_back() {
    let bought = fact("a", 1, "s", paid(100));
    let there = transfer(2, "1", "2");
    let back = transfer(3, "2", "1");
    let afterwards = fact("b", 4, "t", paid(50));

    let end = |second| Some(Until::Time(at(second)));
    let moved = of_both(&[there.clone(), bought.clone()]);
    assert_eq!(moved, [None, end(100)]);
    let both = of_both(&[afterwards, there.clone(), bought.clone()]);
    assert_eq!(both, [end(50), end(100)]);
    assert_eq!(of_both(&[back, there, bought]), [end(100), None]);
}

#[test]
fn all_names_that_a_customer_ever_had_are_one_owner() {
    let bought = of("anonymous", fact("a", 1, "s", paid(100)));
    let known = Fact {
        names: ["other", "anonymous", "2"].map(str::to_owned).to_vec(),
        ..fact("b", 2, "", Says::Nothing)
    };
    let moved = transfer(3, "other", "1");

    let end = Some(Until::Time(at(100)));
    assert_eq!(of_both(std::slice::from_ref(&bought)), [None, None]);
    assert_eq!(of_both(&[bought.clone(), known.clone()]), [None, end]);
    assert_eq!(of_both(&[bought, known, moved]), [end, None]);
}

#[test]
fn which_products_mean_premium_is_a_setting() {
    let sold = |once, items: &[Item]| Fact {
        sold: items.to_vec(),
        once,
        ..fact("a", 1, "s", paid(100))
    };
    let two = sold(false, &[item(&["notes"], 50), item(&["other"], 100)]);
    let once = sold(true, &[item(&["link"], 70)]);
    let unnamed = sold(true, &[item(&[], 70)]);
    let before = fact("a", 1, "s", paid(100));
    let list = |name: &str| vec![name.to_owned()];
    let none = Products::default();
    let all = Products {
        stripe_products: list("notes"),
        stripe_payment_links: list("link"),
        revenuecat_entitlements: list("NOTES"),
    };

    let ends = |products: &Products, source| {
        let end = |fact: &Fact| {
            products
                .end(source, fact)
                .map(|until| until.time().unwrap())
        };
        [&two, &once, &unnamed, &before].map(|fact| end(fact).map(Timestamp::as_second))
    };

    let (stripe, revenuecat) = (Source::Stripe, Source::RevenueCat);
    assert_eq!(ends(&none, stripe), [Some(100), None, None, Some(100)]);
    assert_eq!(ends(&all, stripe), [Some(50), Some(70), None, Some(100)]);
    assert_eq!(
        ends(&none, revenuecat),
        [Some(100), Some(70), None, Some(100)]
    );
    assert_eq!(ends(&all, revenuecat), [Some(50), None, None, Some(100)]);
}

#[test]
fn a_name_is_a_users_number_or_a_hash() {
    let hash = name("$RCAnonymousID:8069238d6049ce87cc529853916d624c");

    assert_eq!([name(" 12 "), name("012")], ["12", "12"]);
    assert!(hash.starts_with("sha256:") && hash.len() == 39, "{hash}");
    for other in [
        "-1",
        "+1",
        "1.0",
        "",
        "99999999999999999999",
        "ada@example.com",
    ] {
        assert!(name(other).starts_with("sha256:"), "{other}");
    }
}
