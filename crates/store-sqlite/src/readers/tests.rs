//! Who is lent a connection, and when it counts as given back.

use domain::id::UserId;
use futures_util::future::poll_immediate;

use super::*;
use crate::executor::ConnectionGuard;

const PATIENCE: Duration = Duration::from_secs(30);

fn readers(most: u32) -> Readers {
    let options = SqliteConnectOptions::new().filename(":memory:");
    Readers::new(options, most, PATIENCE)
}

/// The same with all connections opened, so that only who has to wait for another caller waits.
async fn opened(most: u32) -> Readers {
    let readers = readers(most);
    let mut all = Vec::new();
    for _ in 0..most {
        let ticket = Ticket::new(Caller::Process, Instant::now() + PATIENCE);
        all.push(readers.lend(ticket).await.unwrap());
    }
    readers
}

fn ticket(number: i64) -> Ticket {
    Ticket::new(
        Caller::User(UserId(number)),
        Instant::now() + Duration::from_secs(30),
    )
}

#[tokio::test]
async fn no_caller_has_all_connections() {
    let readers = opened(3).await;
    let _held = [
        readers.lend(ticket(1)).await.unwrap(),
        readers.lend(ticket(1)).await.unwrap(),
    ];

    let third = poll_immediate(Box::pin(readers.lend(ticket(1)))).await;
    let anothers = readers.lend(ticket(2)).await;

    assert!(third.is_none(), "it waits");
    assert!(anothers.is_ok());
}

/// Has held connections for so long that it counts as greedy for a while.
fn has_read_for_long(readers: &Readers, number: i64) {
    let caller = Caller::User(UserId(number));
    let mut state = readers.0.state();
    let now = Instant::now();
    state.loans.greedy.count(&caller, PATIENCE, 0, now);
}

#[tokio::test]
async fn all_greedy_callers_together_leave_a_connection_however_many_they_are() {
    let readers = opened(4).await;
    let mut held = Vec::new();
    for number in 1..=8 {
        has_read_for_long(&readers, number);
        let mut turn = Box::pin(readers.lend(ticket(number)));
        held.extend(poll_immediate(&mut turn).await);
    }

    let short = poll_immediate(Box::pin(readers.lend(ticket(9)))).await;

    assert_eq!(held.len(), 3);
    assert!(short.is_some_and(|short| short.is_ok()));
}

#[tokio::test]
async fn a_greedy_caller_goes_on_when_another_gives_back_what_it_had() {
    let readers = opened(4).await;
    for number in [1, 2] {
        has_read_for_long(&readers, number);
    }
    let mut held = Vec::new();
    for number in [1, 1, 2] {
        held.push(readers.lend(ticket(number)).await.unwrap());
    }
    let mut turns = [1, 2].map(|number| Box::pin(readers.lend(ticket(number))));
    for turn in &mut turns {
        assert!(poll_immediate(turn).await.is_none(), "it waits");
    }
    let short = readers.lend(ticket(3)).await.unwrap();

    drop(short);
    let after_the_short_one = poll_immediate(&mut turns[0]).await;
    held.truncate(1);

    assert!(after_the_short_one.is_none(), "that place is for others");
    for turn in turns {
        held.push(turn.await.unwrap());
    }
    assert_eq!(held.len(), 3);
}

#[tokio::test]
async fn what_counts_is_how_long_statements_are_at_work() {
    let readers = opened(1).await;
    let mut worked = Vec::new();
    for rows in [1, 100_000] {
        let mut lent = readers.lend(ticket(1)).await.unwrap();
        for _ in 0..2 {
            let count = "with recursive n(i) as (select 1 union all select i + 1 from n limit ?) select count(*) from n";
            let counted: i64 = sqlx::query_scalar(count)
                .bind(rows)
                .fetch_one(&mut *lent)
                .await
                .unwrap();
            assert_eq!(counted, rows);
        }
        worked.push(lent.reader.as_ref().unwrap().worked());
    }

    let [short, long] = worked[..] else {
        panic!("two of them");
    };
    assert_eq!(short, Duration::ZERO);
    assert!(long > Duration::ZERO);
}

/// What it reads is not over, so it has no history: one connection that is held for long tells enough.
#[tokio::test]
async fn whoever_holds_connections_for_long_counts_as_greedy_meanwhile() {
    let readers = opened(4).await;
    let long_ago = Instant::now().checked_sub(PATIENCE).unwrap();
    {
        let loans = &mut readers.0.state().loans;
        for number in [1, 2, 3] {
            loans.begin(Caller::User(UserId(number)), long_ago);
        }
    }

    let greedy = poll_immediate(Box::pin(readers.lend(ticket(2)))).await;
    let short = poll_immediate(Box::pin(readers.lend(ticket(4)))).await;

    assert!(greedy.is_none(), "it waits");
    assert!(short.is_some_and(|short| short.is_ok()));
}

#[tokio::test]
async fn connections_are_lent_in_turns() {
    let readers = readers(1);
    let held = readers.lend(ticket(1)).await.unwrap();
    let (served, mut order) = tokio::sync::mpsc::unbounded_channel();
    for number in [1, 1, 1, 2, 3] {
        let mut turn = Box::pin({
            let readers = readers.clone();
            async move { readers.lend(ticket(number)).await.unwrap() }
        });
        assert!(poll_immediate(&mut turn).await.is_none());
        let served = served.clone();
        tokio::spawn(async move {
            let lent = turn.await;
            served.send(number).unwrap();
            drop(lent);
        });
    }

    drop(held);

    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(order.recv().await.unwrap());
    }
    assert_eq!(all, [1, 2, 3, 1, 1]);
}

/// The statement has no end of its own.
#[tokio::test]
async fn a_statement_whose_caller_goes_away_is_interrupted_and_counts_until_then() {
    let readers = readers(1);
    let slot = Arc::new(());
    let mut lent = readers
        .lend(Ticket {
            slot: Some(slot.clone()),
            ..ticket(1)
        })
        .await
        .unwrap();
    let mut endless = Box::pin(async move {
        let statement = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
        sqlx::query(statement).fetch_one(&mut *lent).await
    });
    assert!(poll_immediate(&mut endless).await.is_none());

    drop(endless);
    let counted = Arc::strong_count(&slot);
    let mut next = readers.lend(ticket(2)).await.unwrap();
    let answered: i64 = sqlx::query_scalar("select 7")
        .fetch_one(&mut *next)
        .await
        .unwrap();

    assert_eq!((counted, answered), (2, 7));
    drop(next);
    readers.close().await;
    assert_eq!(Arc::strong_count(&slot), 1, "it is given back");
}

#[tokio::test]
async fn a_connection_whose_statements_have_ended_goes_back_at_once() {
    let readers = readers(1);
    let mut held = readers.lend(ticket(1)).await.unwrap();
    let one: i64 = sqlx::query_scalar("select 1")
        .fetch_one(&mut *held)
        .await
        .unwrap();

    held.idle();
    drop(held);

    let next = poll_immediate(Box::pin(readers.lend(ticket(2)))).await;
    assert_eq!(one, 1);
    assert!(next.is_some_and(|next| next.is_ok()));
}

#[tokio::test]
async fn whoever_goes_away_while_waiting_keeps_nobody_else_waiting() {
    let readers = readers(1);
    let held = readers.lend(ticket(1)).await.unwrap();
    for _ in 0..10 {
        let mut leaver = Box::pin(readers.lend(ticket(2)));
        assert!(poll_immediate(&mut leaver).await.is_none());
    }

    drop(held);

    assert!(readers.lend(ticket(3)).await.is_ok());
    readers.close().await;
}

#[tokio::test]
async fn a_deadline_ends_the_wait() {
    let readers = readers(1);
    let _held = readers.lend(ticket(1)).await.unwrap();

    let late = Ticket::new(Caller::Process, Instant::now());
    let answer = readers.lend(late).await.err();

    assert!(matches!(answer, Some(StoreError::Busy)), "{answer:?}");
}
