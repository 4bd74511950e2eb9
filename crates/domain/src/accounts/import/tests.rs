//! Who gets a name or an address that several had.

use super::*;
use crate::password::django;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// An active, unverified user without a token.
fn user(id: i64, name: &str, email: &str) -> SourceUser {
    SourceUser {
        id: UserId(id),
        username: name.to_owned(),
        email: email.to_owned(),
        password: django::of_nobody(1_000),
        active: true,
        verified: false,
        staff: false,
        joined: None,
        token: None,
    }
}

fn verified(id: i64, name: &str, email: &str) -> SourceUser {
    SourceUser {
        verified: true,
        ..user(id, name, email)
    }
}

fn with_token(user: SourceUser) -> SourceUser {
    let token = SourceToken {
        hash: SecretHash::of("an example"),
        created: None,
    };
    SourceUser {
        token: Some(token),
        ..user
    }
}

fn plan_on(users: Vec<SourceUser>, basis: &Basis) -> Result<Plan, Vec<Clash>> {
    let source = Source {
        users,
        ..Source::default()
    };
    let lives = Lives {
        lapse: Duration::from_hours(24),
        session: Duration::from_hours(24),
    };
    let actor = Actor::operator("a test".to_owned());
    Import::new(source, lives, actor, now()).plan(basis)
}

fn plan(users: Vec<SourceUser>) -> Plan {
    let planned = plan_on(users, &Basis::default());
    planned.unwrap_or_else(|clashes| panic!("{clashes:?}"))
}

fn key(email: &str) -> EmailKey {
    EmailAddress::parse(email).unwrap().key().clone()
}

/// Numbers and names of those who become users.
fn users(plan: &Plan) -> Vec<(i64, &str)> {
    let users = plan.users.iter();
    users
        .map(|user| (user.id.0, user.username.as_str()))
        .collect()
}

fn left_out(plan: &Plan) -> Vec<(i64, Reason)> {
    let users = plan.left_out.iter();
    users.map(|user| (user.id.0, user.reason)).collect()
}

#[test]
fn of_one_address_the_verified_user_wins_then_the_one_in_use_then_the_lower_number() {
    let twins = |one, other| {
        let plan = plan(vec![one, other]);
        assert_eq!(plan.users.len() + plan.registrations.len(), 1);
        let left_out = left_out(&plan);
        assert!(matches!(
            left_out[0].1,
            Reason::EmailTaken(Claimant::There(_))
        ));
        left_out[0].0
    };
    let (one, other) = ("ada@example.com", "ADA@Example.com");

    assert_eq!(twins(user(1, "a", one), verified(2, "b", other)), 1);
    assert_eq!(
        twins(with_token(user(1, "a", one)), verified(2, "b", other)),
        1
    );
    assert_eq!(
        twins(verified(1, "a", one), with_token(verified(2, "b", other))),
        1
    );
    assert_eq!(twins(verified(1, "a", one), verified(2, "b", other)), 2);
    assert_eq!(twins(user(1, "a", one), user(2, "b", other)), 2);
    let disabled = SourceUser {
        active: false,
        ..with_token(verified(1, "a", one))
    };
    assert_eq!(twins(disabled, with_token(verified(2, "b", other))), 1);
}

#[test]
fn a_verified_user_without_a_name_gets_one_that_nobody_has() {
    let plan = plan(vec![
        verified(1, "ada", "1@example.com"),
        verified(2, "ADA", "2@example.com"),
        verified(3, "ada_2", "3@example.com"),
        verified(4, "no name!", "4@example.com"),
        verified(5, "user_4", "5@example.com"),
        verified(6, &"ﬃ".repeat(60), "6@example.com"),
    ]);

    assert_eq!(
        users(&plan),
        [
            (1, "ada"),
            (2, "user_2"),
            (3, "ada_2"),
            (4, "user_4_2"),
            (5, "user_4"),
            (6, "user_6")
        ]
    );
    assert!(plan.left_out.is_empty());
}

#[test]
fn an_unverified_user_never_takes_a_name_from_a_verified_one() {
    let plan = plan(vec![
        with_token(user(1, "ada", "1@example.com")),
        verified(2, "Ada", "2@example.com"),
    ]);

    assert_eq!(users(&plan), [(2, "Ada")]);
    assert_eq!(
        left_out(&plan),
        [(1, Reason::NameTaken(Claimant::There(UserId(2))))]
    );
}

#[test]
fn users_and_registrations_here_keep_what_they_have() {
    let basis = Basis {
        users: vec![(UserId(9), NameKey::of("ada"), key("ada@example.com"))],
        registrations: vec![(NameKey::of("bob"), key("bob@example.com"))],
        ..Basis::default()
    };

    let plan = plan_on(
        vec![
            verified(1, "other", "ADA@example.com"),
            verified(2, "Ada", "2@example.com"),
            user(3, "Bob", "3@example.com"),
            user(4, "bob", "Bob@example.com"),
        ],
        &basis,
    )
    .unwrap_or_else(|clashes| panic!("{clashes:?}"));

    assert_eq!(users(&plan), [(2, "Ada_2")]);
    assert_eq!(
        left_out(&plan),
        [
            (1, Reason::EmailTaken(Claimant::Here(UserId(9)))),
            (3, Reason::NameTaken(Claimant::Registering)),
        ]
    );
    assert_eq!(plan.registrations[0].id, UserId(4));
}

/// Who was brought over once, and is gone or changed since, doesn't come back; nor does a twin in their place.
#[test]
fn whoever_was_brought_over_before_is_left_alone() {
    let basis = Basis {
        imported: HashMap::from([(UserId(1), true), (UserId(3), false), (UserId(4), false)]),
        ..Basis::default()
    };

    let plan = plan_on(
        vec![
            verified(1, "ada", "ada@example.com"),
            verified(2, "eve", "Ada@example.com"),
            user(3, "bob", "bob@example.com"),
            verified(4, "dan", "dan@example.com"),
        ],
        &basis,
    )
    .unwrap_or_else(|clashes| panic!("{clashes:?}"));

    assert_eq!(plan.before, 2);
    assert_eq!(
        left_out(&plan),
        [(2, Reason::EmailTaken(Claimant::There(UserId(1))))]
    );
    // Verified there since the registration was brought over.
    assert_eq!(users(&plan), [(4, "dan")]);
    assert!(plan.registrations.is_empty());
}

#[test]
fn a_number_is_a_clash_only_if_it_is_somebody_elses() {
    let basis = Basis {
        users: vec![
            (UserId(1), NameKey::of("ada"), key("ada@example.com")),
            (UserId(2), NameKey::of("bob"), key("bob@example.com")),
        ],
        ..Basis::default()
    };

    let clashes = plan_on(
        vec![
            verified(1, "renamed", "ADA@example.com"),
            verified(2, "eve", "eve@example.com"),
        ],
        &basis,
    );

    let clashes = clashes.err().unwrap();
    assert_eq!(clashes.len(), 1);
    assert_eq!(clashes[0].id, UserId(2));
}

#[test]
fn a_hash_that_cannot_be_checked_is_replaced_by_one_of_the_usual_cost() {
    let mut frank = verified(1, "frank", "frank@example.com");
    frank.password = PasswordHash::from("!unusable".to_owned());

    let plan = plan(vec![frank, verified(2, "ada", "ada@example.com")]);

    assert!(!plan.users[0].has_password && plan.users[1].has_password);
    assert_eq!(django::iterations(&plan.users[0].password), Some(1_000));
}
