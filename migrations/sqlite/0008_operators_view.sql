-- What operators ask of the mail queue and do to it: pauses, suppressed addresses, when a try is to be repeated;
-- and indexes, so that a question costs what its answer is long, however many mails there are.

-- Whose mails are not to be claimed. A row that has an end gives back what was held, a few at a time, then goes.
create table pauses (
    kind text primary key, -- a kind of mail, or '' for all
    reason text not null,
    since_at integer not null,
    paused_by text not null,
    ended_at integer
) strict, without rowid;

-- The second at which a job was due that is held because its kind is paused; its `run_at` is out of reach meanwhile.
alter table mails add column held_run_at integer;
create index mails_held on mails (kind) where held_run_at is not null;

-- Addresses that a relay has refused for good: nothing is sent to them for a while.
create table suppressions (
    recipient_key text primary key,
    since_at integer not null,
    until_at integer not null,
    mail_id text not null, -- that was refused; the mail itself may be gone by now
    relay text not null,
    code integer,
    enhanced text,
    text text not null
) strict, without rowid;

create index suppressions_by_end on suppressions (until_at);

-- When the mail was to be tried again after this try, if at all.
alter table mail_tries add column again_at integer;

create index mails_by_time on mails (created_at, id);
create index mails_by_kind on mails (kind, created_at);
create index mails_by_state_and_kind on mails (state, kind, created_at);

-- With the state, so that what has ended lately is counted in the index alone.
drop index mails_by_end;
create index mails_by_end on mails (finished_at, state) where finished_at is not null;

-- Every few seconds a worker looks for mails that wait for a time which no schedule gave them: by their class, not
-- among all that wait.
create index mails_waiting on mails ((deadline_at is null), again_at) where state = 'waiting' and held_run_at is null;
