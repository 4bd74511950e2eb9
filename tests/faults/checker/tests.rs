//! One broken world for each way in which an invariant can fail.

mod well;

use std::time::Duration;

use jiff::SignedDuration;

use super::{Evidence, INVARIANTS};
use crate::database::{Challenge, Mail, Registration, Try};
use crate::ledger::{Answered, Entry, Step};
use well::{at, entry, event, well};

/// The numbers of the invariants that a change breaks; 0 is the one without a number.
fn broken_by(change: impl FnOnce(&mut Evidence)) -> Vec<u8> {
    let mut world = well();
    change(&mut world);
    let broken = INVARIANTS
        .iter()
        .filter(|(_, broken)| !broken(&world).is_empty());
    broken
        .map(|(name, _)| match name.as_bytes()[0] {
            digit @ b'1'..=b'9' => digit - b'0',
            _ => 0,
        })
        .collect()
}

/// That a change breaks this invariant, whatever else it breaks.
#[track_caller]
fn breaks(number: u8, change: impl FnOnce(&mut Evidence)) {
    let broken = broken_by(change);
    assert!(broken.contains(&number), "it breaks {broken:?}");
}

/// That a change breaks nothing.
#[track_caller]
fn breaks_nothing(change: impl FnOnce(&mut Evidence)) {
    assert_eq!(broken_by(change), Vec::<u8>::new());
}

#[test]
fn a_world_in_which_all_is_well_breaks_nothing() {
    breaks_nothing(|_| {});
}

#[test]
fn a_violation_names_its_invariant_and_its_place() {
    let mut world = well();
    world.database.broken_keys = 2;

    assert_eq!(
        world.violations(),
        ["[2: no row lacks its partner] foreign_key_check: 2 rows"]
    );
}

#[test]
fn invariant_1_misses_each_part_of_a_registration() {
    breaks(1, |world| drop(world.database.mails.remove(1)));
    breaks(1, |world| drop(world.database.jobs.remove(1)));
    breaks(1, |world| drop(world.database.challenges.remove(1)));
    breaks(1, |world| drop(world.database.registrations.remove(1)));
    breaks(1, |world| {
        world.database.mails.push(world.database.mails[1].clone());
    });
    breaks(1, |world| {
        world.database.jobs.push(world.database.jobs[1].clone());
    });
}

#[test]
fn invariant_2_misses_each_partner() {
    breaks(2, |world| {
        world.database.integrity = vec!["row 3 missing from index".to_owned()];
    });
    breaks(2, |world| world.database.integrity.clear());
    breaks(2, |world| world.database.broken_keys = 1);
    breaks(2, |world| {
        world.database.challenges[1].registration_id = None;
    });
    breaks(2, |world| drop(world.database.challenges.remove(1)));
    breaks(2, |world| world.database.mails[1].challenge_id = None);
    breaks(2, |world| drop(world.database.mails.remove(1)));
    breaks(2, |world| drop(world.database.jobs.remove(1)));
    breaks_nothing(|world| {
        // Whoever is a user already gets a notice, once an hour, and no code.
        let decoy = Registration {
            id: "decoy".to_owned(),
            decoy: true,
            ..world.database.registrations[0].clone()
        };
        world.database.registrations.push(decoy);
        world.database.challenges.push(Challenge {
            id: "nobody's".to_owned(),
            registration_id: Some("decoy".to_owned()),
            ..world.database.challenges[0].clone()
        });
    });
}

#[test]
fn invariant_3_counts_what_the_relay_took() {
    breaks(3, |world| drop(world.kept.remove(0)));
    breaks(3, |world| world.kept.push(world.kept[0].clone()));
    breaks(3, |world| drop(world.database.tries.remove(1)));
    breaks(3, |world| world.kept.push(world.kept[1].clone()));
    breaks(3, |world| {
        // Three times is too often, with however many marks.
        world.database.tries.push(world.database.tries[1].clone());
        world.kept.push(world.kept[1].clone());
    });
    breaks(3, |world| {
        world.database.mails[0].state = "cancelled".to_owned();
    });
}

#[test]
fn invariant_4_finds_what_is_left_over() {
    breaks(4, |world| {
        world.database.jobs[0].status = "Pending".to_owned();
    });
    breaks(4, |world| {
        world.database.jobs[0].status = "Failed".to_owned();
    });
    breaks(4, |world| world.database.jobs[0].locked = true);
    breaks(4, |world| {
        world.database.mails[0].state = "sending".to_owned();
    });
    breaks(4, |world| world.listed[0].1 = "expired".to_owned());
    breaks(4, |world| drop(world.listed.remove(0)));
    breaks(4, |world| {
        world.database.jobs.push(world.database.jobs[0].clone());
    });
}

#[test]
fn invariant_5_knows_every_mail_and_when_its_code_died() {
    breaks(5, |world| world.kept[0].id = "invented".to_owned());
    breaks(5, |world| world.kept[0].to = "eve@example.com".to_owned());
    breaks(5, |world| {
        world.kept[0].at = at(3) + SignedDuration::from_secs(11);
    });
    breaks_nothing(|world| world.kept[0].at = at(3) + SignedDuration::from_secs(9));
    breaks_nothing(|world| {
        world.clock_moved = true;
        world.kept[0].at = at(3600);
    });
}

#[test]
fn invariant_6_lets_a_right_code_succeed_once() {
    breaks(6, |world| {
        let again = entry(Step::Verify, "ada", 200, "verifies-ada-twice");
        world.requests.push(again);
        world
            .database
            .events
            .push(event("verified", "verifies-ada-twice"));
    });
    breaks(6, |world| drop(world.requests.remove(1)));
    breaks(6, |world| world.database.users.clear());
    breaks(6, |world| {
        world.database.users.push(world.database.users[0].clone());
    });
    // Its success may be what got lost.
    breaks_nothing(|world| world.requests[1].answer = None);
    breaks(6, |world| {
        world.requests[1].answer = None;
        world.database.users.clear();
    });
}

#[test]
fn invariant_7_holds_answers_against_what_is_there() {
    let answered = |status: u16, retry_after: &str| Answered {
        status,
        request_id: "nothing".to_owned(),
        retry_after: retry_after.to_owned(),
    };
    breaks(7, |world| drop(world.database.events.remove(2)));
    breaks(7, |world| {
        world.requests[3].answer = Some(answered(500, ""));
    });
    breaks(7, |world| {
        world.requests[3].answer = Some(answered(429, "1"));
    });
    breaks(7, |world| {
        world.requests[3].answer = Some(answered(400, ""));
    });
    for status in [503, 504, 507] {
        breaks_nothing(|world| {
            world.requests.push(Entry {
                answer: Some(answered(status, "1")),
                ..world.requests[3].clone()
            });
        });
        breaks(7, |world| {
            world.requests[3].answer = Some(answered(status, ""));
        });
        breaks(7, |world| {
            world.relay_only = true;
            world.requests[3].answer = Some(answered(status, "1"));
        });
        breaks(7, |world| {
            // Told that nothing was changed, and yet it is there.
            let answer = world.requests[3].answer.as_mut().unwrap();
            (answer.status, answer.retry_after) = (status, "1".to_owned());
        });
    }
    breaks(7, |world| {
        world
            .requests
            .push(entry(Step::Resend, "bob", 200, "asks-again"));
    });
    breaks(7, |world| {
        let mut second = world.database.mails[0].clone();
        second.id = "second".to_owned();
        world.database.mails.push(second);
    });
    breaks(7, |world| drop(world.requests.remove(1)));
}

#[test]
fn invariant_8_counts_only_tries_that_got_to_a_recipient() {
    breaks(8, |world| world.database.mails[0].tries = 2);
    breaks(8, |world| {
        world.database.tries[0].outcome = "relay_trouble".to_owned();
    });
    breaks(8, |world| {
        world.database.tries[0].outcome = "relay_refuses_us".to_owned();
    });
    breaks_nothing(|world| {
        world.database.tries.push(Try {
            outcome: "relay_trouble".to_owned(),
            ..world.database.tries[0].clone()
        });
    });
}

#[test]
fn invariant_9_wants_all_as_before() {
    breaks(9, |world| world.vitals[0].2.descriptors = 100);
    breaks(9, |world| world.vitals[0].2.memory = 60_000);
    breaks(9, |world| {
        world.vitals[0].2.latency = Duration::from_secs(2);
    });
}

#[test]
fn a_mail_that_was_not_delivered_without_a_reason_is_found() {
    let becomes = |state: &'static str| {
        move |world: &mut Evidence| world.database.mails[1].state = state.to_owned()
    };
    for state in [
        "undeliverable",
        "poison",
        "cancelled",
        "not_needed",
        "expired",
        "sending",
    ] {
        breaks(0, becomes(state));
        breaks(0, |world| {
            becomes(state)(world);
            // Somebody else's address.
            let other = world.database.mails[0].id.clone();
            world.database.suppressions.push(other);
        });
    }
    let excused = |state: &'static str, excuse: fn(&mut Evidence)| {
        let broken = broken_by(|world| {
            becomes(state)(world);
            excuse(world);
        });
        assert!(!broken.contains(&0), "{state}: {broken:?}");
    };
    excused("undeliverable", |world| {
        world.database.mails[1].cut_offs = 2;
    });
    excused("undeliverable", |world| {
        world.database.tries[2].outcome = "recipient_refused".to_owned();
    });
    excused("undeliverable", |world| {
        // By another mail to the same person.
        let refused = world.database.mails[1].clone();
        let refused = Mail {
            id: "refused".to_owned(),
            ..refused
        };
        world.database.suppressions.push(refused.id.clone());
        world.database.mails.push(refused);
    });
    excused("poison", |world| world.database.mails[1].crashes = 3);
    excused("cancelled", |world| {
        world.database.mails[1].recipient.clear();
    });
    excused("not_needed", |world| {
        world.database.challenges[1].died_at = at(50).as_microsecond();
    });
    excused("expired", |world| world.at = at(600));
}
