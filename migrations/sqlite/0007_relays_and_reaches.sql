-- Several relays: a try may go on to the next one, and how each stands can be seen from outside the worker.

-- One row for each relay that a claim reached for; a claim had room for one only.
create table mail_reaches (
    mail_id text not null references mails (id) on delete cascade,
    claim_no integer not null,
    reach integer not null default 1, -- the order within the claim
    worker text not null,
    started_at integer not null,
    duration_ms integer not null,
    relay text not null,
    reused integer not null check (reused in (0, 1)),
    stage text not null,
    code integer,
    enhanced text,
    text text not null,
    outcome text not null,
    primary key (mail_id, claim_no, reach)
) strict, without rowid;

insert into mail_reaches
    (mail_id, claim_no, worker, started_at, duration_ms, relay, reused, stage, code, enhanced, text, outcome)
select mail_id, claim_no, worker, started_at, duration_ms, relay, reused, stage, code, enhanced, text, outcome
from mail_tries;

drop table mail_tries;
alter table mail_reaches rename to mail_tries;

-- What each worker thinks of its relays. Rows go with the worker.
create table relay_standings (
    worker text not null,
    position integer not null, -- the worker's order: 0 is preferred
    relay text not null,
    state text not null,
    since integer not null,
    reason text,
    next_probe_at integer,
    updated_at integer not null,
    primary key (worker, position)
) strict, without rowid;

-- Mails whose time is over are looked for every few seconds, also while nothing is claimed.
create index mails_by_deadline on mails (deadline_at) where finished_at is null and deadline_at is not null;
