//! The rows by themselves: none lacks its partner, and none is left over.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Evidence;

pub fn rows_have_their_partners(all: &Evidence) -> Vec<String> {
    let data = &all.database;
    let mut broken = Vec::new();
    if data.integrity != ["ok"] {
        broken.push(format!("integrity_check: {:?}", data.integrity));
    }
    if data.broken_keys != 0 {
        broken.push(format!("foreign_key_check: {} rows", data.broken_keys));
    }
    let attempts: HashSet<_> = (data.challenges.iter())
        .filter_map(|one| one.registration_id.as_ref())
        .collect();
    for one in &data.registrations {
        if !attempts.contains(&one.id) {
            broken.push(format!("registration of {} without challenge", one.email));
        }
    }
    let mailed: HashSet<_> = (data.mails.iter())
        .filter_map(|mail| mail.challenge_id.as_ref())
        .collect();
    let decoys: HashSet<_> = (data.registrations.iter())
        .filter(|one| one.decoy)
        .map(|one| &one.id)
        .collect();
    for one in &data.challenges {
        let decoy = (one.registration_id.as_ref()).is_some_and(|id| decoys.contains(id));
        if !decoy && !mailed.contains(&one.id) {
            broken.push(format!("challenge {} without a mail", one.id));
        }
        let owned = one.registration_id.is_some() || one.user_id.is_some();
        if !owned && one.no_account.is_none() {
            broken.push(format!("challenge {} is nobody's", one.id));
        }
    }
    let jobs: HashSet<_> = data.jobs.iter().map(|job| &job.id).collect();
    let mails: HashSet<_> = data.mails.iter().map(|mail| &mail.id).collect();
    let lone = jobs.symmetric_difference(&mails);
    broken.extend(lone.map(|id| format!("{id} is a mail without a job, or a job without a mail")));
    broken
}

pub fn nothing_is_pending(all: &Evidence) -> Vec<String> {
    let mut broken = Vec::new();
    let states: HashMap<_, _> = (all.database.mails.iter())
        .map(|mail| (&mail.id, mail.state.as_str()))
        .collect();
    for job in &all.database.jobs {
        let wanted = match states.get(&job.id).copied().unwrap_or_default() {
            "delivered" | "not_needed" => "Done",
            "undeliverable" | "expired" => "Failed",
            "cancelled" | "poison" => "Killed",
            _ => "no mail that is not over",
        };
        if job.status != wanted || job.locked {
            broken.push(format!(
                "job {} is {}, locked: {}, its mail {:?}",
                job.id,
                job.status,
                job.locked,
                states.get(&job.id)
            ));
        }
    }
    let mut sums: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for mail in &all.database.mails {
        sums.entry(&mail.state).or_default().0 += 1;
    }
    for (_, state) in &all.listed {
        sums.entry(state).or_default().1 += 1;
    }
    for (state, (there, listed)) in &sums {
        if there != listed {
            broken.push(format!("{there} mails are {state}, {listed} are listed so"));
        }
    }
    let sum: usize = sums.values().map(|(_, listed)| listed).sum();
    if sum != all.database.jobs.len() {
        let jobs = all.database.jobs.len();
        broken.push(format!("the states add up to {sum}, of {jobs} jobs"));
    }
    broken
}
