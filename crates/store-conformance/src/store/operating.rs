//! What an operator asks of the mails and does to them.

use domain::audit::Actor;
use domain::id::{MailId, UserId};
use domain::mail::{MailKind, MailState, NewMail};
use domain::operator::{
    CancelMail, CancelRefusal, Pause, PauseQueue, ResumeQueue, Resumed, Retried, RetryMail,
    RetryRefusal, Unsuppress,
};
use domain::queue::MailFilter;
use domain::store::Store;
use jiff::Timestamp;

use crate::support::at;
use crate::support::mails::{enqueue, mail, mails_to, notice, story};
use crate::support::people::{Person, address, newest_code};

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";

pub fn operator() -> Actor {
    Actor::operator("smart-notes (an operator)".to_owned())
}

pub async fn pause(store: &Store, kind: Option<MailKind>, reason: &str, now: Timestamp) -> bool {
    let pause = PauseQueue {
        kind,
        reason: reason.to_owned(),
        actor: operator(),
        now,
    };
    store.write(pause).await.unwrap()
}

pub async fn resume(store: &Store, kind: Option<MailKind>, now: Timestamp) -> Resumed {
    let resume = ResumeQueue {
        kind,
        actor: operator(),
        now,
    };
    store.write(resume).await.unwrap()
}

pub async fn cancel(store: &Store, mail: MailId, now: Timestamp) -> Result<(), CancelRefusal> {
    let cancel = CancelMail {
        mail,
        actor: operator(),
        now,
    };
    store.write(cancel).await.unwrap()
}

pub async fn retry(store: &Store, mail: MailId, now: Timestamp) -> Result<Retried, RetryRefusal> {
    let retry = RetryMail {
        mail,
        actor: operator(),
        now,
    };
    store.write(retry).await.unwrap()
}

async fn pauses(store: &Store) -> Vec<Pause> {
    store.reader().await.unwrap().pauses().await.unwrap()
}

/// What is on record of an address, newest first.
pub async fn recorded(store: &Store, email: &str) -> Vec<String> {
    let mut reader = store.reader().await.unwrap();
    let records = reader
        .records_about(address(email).key(), 50)
        .await
        .unwrap();
    let admin = |event: &str| event == "admin";
    records
        .into_iter()
        .filter(|record| admin(&record.event))
        .filter_map(|record| record.detail)
        .collect()
}

pub async fn a_pause_lasts_until_it_is_ended_and_keeps_its_beginning(store: Store) {
    let first = pause(&store, None, "the relay moves", at(0)).await;
    let second = pause(&store, None, "the relay moves still", at(5)).await;

    let paused = pauses(&store).await;
    let resumed = resume(&store, None, at(9)).await;
    let again = resume(&store, None, at(9)).await;

    assert_eq!((first, second), (true, false));
    assert_eq!(paused.len(), 1);
    assert_eq!((paused[0].kind.as_deref(), paused[0].since), (None, at(0)));
    assert_eq!(paused[0].reason, "the relay moves still");
    assert_eq!(paused[0].by, "smart-notes (an operator)");
    assert_eq!(resumed.ended, paused);
    assert!(again.ended.is_empty() && again.left.is_empty());
    assert!(pauses(&store).await.is_empty());
}

pub async fn a_kind_is_resumed_alone_or_together_with_everything(store: Store) {
    let kinds = [MailKind::VerifyEmail, MailKind::ResetPassword];
    for kind in kinds {
        pause(&store, Some(kind), "", at(0)).await;
    }
    pause(&store, None, "", at(0)).await;

    let one = resume(&store, Some(kinds[0]), at(1)).await;
    let rest = resume(&store, None, at(2)).await;

    let kinds_of =
        |pauses: &[Pause]| -> Vec<_> { pauses.iter().map(|pause| pause.kind.clone()).collect() };
    assert_eq!(kinds_of(&one.ended), [Some("verify_email".to_owned())]);
    assert_eq!(
        kinds_of(&one.left),
        [None, Some("reset_password".to_owned())]
    );
    assert_eq!(rest.ended.len(), 2);
    assert!(rest.left.is_empty());
}

/// The next pause of a kind begins anew, though what the last one held may not be back yet.
pub async fn a_kind_paused_again_has_a_new_beginning(store: Store) {
    let kind = Some(MailKind::VerifyEmail);
    pause(&store, kind, "once", at(0)).await;
    resume(&store, kind, at(1)).await;

    let new = pause(&store, kind, "again", at(2)).await;

    assert!(new);
    assert_eq!(pauses(&store).await[0].since, at(2));
}

pub async fn a_cancelled_mail_is_over_and_that_is_on_record(store: Store) {
    let id = notice(&store, ADA, at(0)).await;

    let cancelled = cancel(&store, id, at(1)).await;
    let again = cancel(&store, id, at(2)).await;

    let told = story(&store, id).await.mail;
    assert_eq!(cancelled, Ok(()));
    assert_eq!(again, Err(CancelRefusal::Ended("cancelled".into())));
    assert_eq!(told.state, "cancelled");
    assert_eq!(told.finished, Some(at(1)));
    assert_eq!(told.reason.as_deref(), Some("an operator cancelled it"));
    let expected = format!("cancelled mail {id}");
    assert_eq!(recorded(&store, ADA).await, [expected]);
}

pub async fn a_cancelled_mail_can_be_retried_while_it_is_of_use(store: Store) {
    let id = notice(&store, ADA, at(0)).await;
    cancel(&store, id, at(1)).await.unwrap();

    let retried = retry(&store, id, at(2)).await.unwrap();
    let again = retry(&store, id, at(3)).await;

    let told = story(&store, id).await.mail;
    assert_eq!(retried.was, "cancelled");
    assert_eq!(told.state, "queued");
    assert_eq!((told.finished, told.again_at), (None, None));
    let queued = Err(RetryRefusal::InProgress("queued".into()));
    assert_eq!(again.map(|retried| retried.was), queued);
    let expected = [
        format!("retried mail {id}, which was cancelled"),
        format!("cancelled mail {id}"),
    ];
    assert_eq!(recorded(&store, ADA).await, expected);
}

pub async fn a_mail_whose_code_was_used_is_not_retried(store: Store) {
    let person = Person::new("ada");
    let handle = person.registers(&store, at(0)).await;
    let id = mails_to(&store, ADA).await[0].id;
    cancel(&store, id, at(1)).await.unwrap();
    let code = newest_code(&store, ADA, at(1)).await;
    let verify = person.presents(&code, Some(&handle), at(2));
    store.write(verify).await.unwrap();

    let refused = retry(&store, id, at(3)).await.unwrap_err();

    assert_eq!(refused, RetryRefusal::Dead("its code has been used"));
    assert_eq!(story(&store, id).await.mail.state, "cancelled");
}

pub async fn a_mail_that_is_not_there_is_neither_cancelled_nor_retried(store: Store) {
    let id = MailId::generate();

    assert_eq!(cancel(&store, id, at(0)).await, Err(CancelRefusal::Unknown));
    let refused = retry(&store, id, at(0)).await.unwrap_err();
    assert_eq!(refused, RetryRefusal::Unknown);
}

/// The record of events must not name an address that is to be forgotten.
pub async fn the_cancelled_farewell_of_an_account_names_its_pseudonym_alone(store: Store) {
    let farewell = NewMail {
        forget_as: Some("gone:1".to_owned()),
        ..mail(MailKind::AccountDeleted, ADA, at(0))
    };
    let id = enqueue(&store, farewell).await;

    cancel(&store, id, at(1)).await.unwrap();
    let refused = retry(&store, id, at(2)).await.unwrap_err();

    let told = story(&store, id).await.mail;
    assert_eq!((told.to.as_str(), told.to_key.as_str()), ("", "gone:1"));
    assert_eq!(refused, RetryRefusal::Forgotten);
    assert!(recorded(&store, ADA).await.is_empty());
}

/// The ids of a list.
async fn listed(store: &Store, filter: MailFilter) -> Vec<MailId> {
    let mut reader = store.reader().await.unwrap();
    let mails = reader.mails(&filter).await.unwrap();
    mails.into_iter().map(|mail| mail.id).collect()
}

pub async fn mails_are_listed_page_by_page_whatever_is_looked_for(store: Store) {
    let mut all = Vec::new();
    // Pairs of one moment, whose order is that of their ids.
    for second in [0, 0, 1, 2, 2] {
        all.push(notice(&store, ADA, at(second)).await);
    }
    all[..2].sort_unstable();
    all[3..].sort_unstable();
    all.reverse();
    let of_ada = || Some(address(ADA).key().clone());
    let any = || MailFilter {
        limit: 2,
        ..MailFilter::default()
    };
    for filter in [
        any(),
        MailFilter {
            state: Some(MailState::Queued),
            ..any()
        },
        MailFilter {
            kind: Some(MailKind::AlreadyRegistered),
            ..any()
        },
        MailFilter {
            state: Some(MailState::Queued),
            kind: Some(MailKind::AlreadyRegistered),
            ..any()
        },
        MailFilter {
            to: of_ada(),
            ..any()
        },
        MailFilter {
            user: of_ada().map(|key| (UserId(7), key)),
            ..any()
        },
        MailFilter {
            request: Some("request".to_owned()),
            ..any()
        },
    ] {
        let mut pages = Vec::new();
        let mut before = None;
        loop {
            let next = MailFilter {
                before,
                ..filter.clone()
            };
            let page = listed(&store, next).await;
            before = page.last().copied();
            if page.is_empty() {
                break;
            }
            pages.push(page);
        }

        assert_eq!(pages.concat(), all, "{filter:?}");
        assert_eq!(pages.len(), 3, "{filter:?}");
    }
}

pub async fn a_page_after_a_mail_that_is_gone_is_empty(store: Store) {
    notice(&store, ADA, at(0)).await;
    let filter = MailFilter {
        before: Some(MailId::generate()),
        limit: 10,
        ..MailFilter::default()
    };

    assert!(listed(&store, filter).await.is_empty());
}

pub async fn mails_are_listed_by_kind_since_a_time_and_by_user(store: Store) {
    let person = Person::new("ada");
    person.becomes_a_user(&store, at(0)).await;
    let code = mails_to(&store, ADA).await[0].id;
    let mut reader = store.reader().await.unwrap();
    let user = reader.user_by_email(address(ADA).key()).await.unwrap();
    let user = user.unwrap().id;
    let about_ada = NewMail {
        user: Some(user),
        ..mail(MailKind::EmailChanged, "former@example.com", at(60))
    };
    let about_ada = enqueue(&store, about_ada).await;
    let late = notice(&store, BOB, at(120)).await;

    let any = || MailFilter {
        limit: 10,
        ..MailFilter::default()
    };
    let of_kind = MailFilter {
        kind: Some(MailKind::EmailChanged),
        ..any()
    };
    let of_both = MailFilter {
        state: Some(MailState::Delivered),
        ..of_kind.clone()
    };
    let since = MailFilter {
        since: Some(at(60)),
        ..any()
    };
    let of_user = MailFilter {
        user: Some((user, address(ADA).key().clone())),
        ..any()
    };

    assert_eq!(listed(&store, of_kind).await, [about_ada]);
    assert!(listed(&store, of_both).await.is_empty());
    assert_eq!(listed(&store, since).await, [late, about_ada]);
    assert_eq!(listed(&store, of_user).await, [about_ada, code]);
}

pub async fn the_queue_is_counted_by_state_and_kind_with_its_oldest_mail(store: Store) {
    let oldest = notice(&store, ADA, at(0)).await;
    notice(&store, BOB, at(1)).await;
    enqueue(&store, mail(MailKind::EmailChanged, BOB, at(2))).await;
    let cancelled = notice(&store, BOB, at(3)).await;
    cancel(&store, cancelled, at(4)).await.unwrap();

    let mut reader = store.reader().await.unwrap();
    let soon = reader.queue_counts(at(10)).await.unwrap();
    let later = reader.queue_counts(at(100)).await.unwrap();

    let counts: Vec<_> = soon
        .states
        .iter()
        .map(|count| (count.state.as_str(), count.kind.as_str(), count.mails))
        .collect();
    assert_eq!(
        counts,
        [
            ("cancelled", "already_registered", 1),
            ("queued", "already_registered", 2),
            ("queued", "email_changed", 1),
        ]
    );
    assert_eq!(soon.oldest.unwrap().id, oldest);
    assert_eq!(soon.last_minute, [("cancelled".into(), 1)]);
    assert!(later.last_minute.is_empty());
    assert_eq!(later.last_hour, [("cancelled".into(), 1)]);
}

pub async fn attempts_of_an_address_are_told_until_one_is_verified(store: Store) {
    let person = Person::new("ada");
    person.registers(&store, at(0)).await;
    let registrations = async || {
        let mut reader = store.reader().await.unwrap();
        let key = address(ADA);
        reader.registrations_of(key.key(), 10).await.unwrap()
    };

    let before = registrations().await;
    person.becomes_a_user(&store, at(1)).await;
    let after = registrations().await;
    let stranger = Person::new("eve").at(ADA);
    stranger.registers(&store, at(2)).await;
    let decoys = registrations().await;

    assert_eq!((before.len(), after.len(), decoys.len()), (1, 0, 1));
    assert_eq!(before[0].created, at(0));
    assert_eq!(before[0].expires, at(24 * 3600));
    assert!(!before[0].decoy && decoys[0].decoy);
}

pub async fn lifting_what_is_not_suppressed_changes_and_records_nothing(store: Store) {
    let unsuppress = Unsuppress {
        to: address(ADA).key().clone(),
        actor: operator(),
        now: at(0),
    };

    assert_eq!(store.write(unsuppress).await.unwrap(), None);
    assert!(recorded(&store, ADA).await.is_empty());
}
