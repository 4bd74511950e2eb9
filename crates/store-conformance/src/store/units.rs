//! What a unit of work may rely on.

use domain::mail::MailKind;
use domain::store::{Store, StoreError};

use crate::support::at;
use crate::support::mails::{mail, mails_to};
use crate::support::people::{POLICY, Person, attempts};
use crate::support::units::{failure, unit};

pub async fn an_error_undoes_everything_the_unit_wrote(store: Store) {
    let notice = mail(MailKind::AlreadyRegistered, "ada@example.com", at(0));
    let failing = unit(move |tx| {
        let notice = notice.clone();
        Box::pin(async move {
            tx.enqueue(&notice).await?;
            Err::<(), _>(failure())
        })
    });

    let answer = store.write(failing).await;

    assert!(matches!(answer, Err(StoreError::Backend(_))), "{answer:?}");
    assert!(mails_to(&store, "ada@example.com").await.is_empty());
}

pub async fn an_answer_of_any_type_comes_back(store: Store) {
    let number = unit(|_| Box::pin(async { Ok(7_u8) }));
    let text = unit(|_| Box::pin(async { Ok("seven".to_owned()) }));

    let (number, text) = tokio::join!(store.write(number), store.write(text));

    assert_eq!(number.unwrap(), 7);
    assert_eq!(text.unwrap(), "seven");
}

pub async fn a_write_is_seen_by_the_next_reader(store: Store) {
    let ada = Person::new("ada");

    store.write(ada.registration(POLICY, at(0))).await.unwrap();

    assert_eq!(mails_to(&store, &ada.email).await.len(), 1);
    assert_eq!(attempts(&store, &ada.email, at(0)).await.len(), 1);
}
