//! What a relay may say or leave unsaid, at every stage, under load.

use std::collections::HashMap;

use devmail::{Fault, Stage};

use crate::support::Raw;
use crate::world::World;

/// One answer for each stage and class. The text is looked for in the tries afterwards.
const ANSWERS: [(Stage, u16, &str); 9] = [
    (Stage::Mail, 451, "4.3.0 later at mail"),
    (Stage::Mail, 550, "5.7.1 refused at mail"),
    (Stage::Rcpt, 450, "4.2.1 later at rcpt"),
    (Stage::Rcpt, 550, "5.1.1 refused at rcpt"),
    (Stage::Data, 451, "4.3.0 later at data"),
    (Stage::Data, 554, "5.6.0 refused at data"),
    (Stage::EndOfData, 452, "4.2.2 later at dot"),
    (Stage::EndOfData, 554, "5.6.0 refused at dot"),
    (Stage::EndOfData, 421, "4.3.2 closing at dot"),
];

/// Before a mail is named. A probe may get these, which is in no mail's record.
const GREETINGS: [(Stage, u16, &str); 4] = [
    (Stage::Connect, 421, "4.3.2 closing at connect"),
    (Stage::Connect, 554, "5.3.2 refused at connect"),
    (Stage::Hello, 421, "4.3.2 closing at hello"),
    (Stage::Hello, 550, "5.7.1 refused at hello"),
];

#[tokio::test]
async fn whatever_the_relay_answers_at_each_stage_every_mail_comes_to_its_end() {
    let mut world = World::builder().relay_only().start().await;
    let faults = world.catcher.faults();
    for (stage, code, text) in ANSWERS.iter().chain(&GREETINGS) {
        faults.add(Fault::reply(*stage, *code, text).times(1));
    }
    // Old connections would pass by the first stages.
    faults.cut_connections().await.unwrap();

    let load = world.people(4, 25);
    world.through(load).await;
    let mut relay = Raw::connect(world.catcher.smtp_addr()).await;
    let greeting = relay.until("\r\n").await;
    relay.write("EHLO x\r\n").await;
    let hello = relay.until("SMTPUTF8\r\n").await;
    let load = world.people(2, 2);
    let evidence = world.finish(load).await;

    assert!(greeting.starts_with("220 "), "not used up: {greeting}");
    assert!(hello.starts_with("250-"), "not used up: {hello}");
    for (stage, code, text) in ANSWERS {
        let mut tries = evidence.database.tries.iter();
        let heard = tries.any(|one| one.text.contains(text));
        assert!(heard, "{code} at {stage} was never heard");
    }
}

#[tokio::test]
async fn a_mail_whose_answer_is_cut_off_comes_at_most_twice() {
    let mut world = World::builder().relay_only().start().await;
    let faults = world.catcher.faults();
    faults.add(Fault::cut(Stage::EndOfData).storing().times(4));
    faults.add(Fault::cut(Stage::EndOfData).times(4));

    // People who use the code of a mail that counts as cut off would make the second one unneeded.
    let load = world.register((0..20).map(|n| format!("ada{n}")));
    let evidence = world.finish(load).await;

    let mut taken: HashMap<&str, usize> = HashMap::new();
    for kept in &evidence.kept {
        *taken.entry(&kept.id).or_default() += 1;
    }
    let twice = taken.values().filter(|times| **times == 2).count();
    assert!((1..=4).contains(&twice), "{twice} mails came twice");
}
