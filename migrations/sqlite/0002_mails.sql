-- Mails: what a person wants to know of each, beside the job in apalis's `Jobs` table.
--
-- A mail's id is its job's id. `claim_no` only grows and fences every mark and every
-- settlement, also when a job is given back without a try. No foreign key leads to
-- `Jobs`, which belongs to apalis and has migrations of its own.
-- Times are microseconds since 1970-01-01 UTC.

create table mails (
    id text primary key,
    kind text not null,
    recipient text not null,
    recipient_key text not null,
    challenge_id text references challenges (id) on delete set null,
    user_id integer references users (id) on delete set null,
    request_id text not null,
    state text not null,
    reason text,
    created_at integer not null,
    deadline_at integer, -- of no use after this; null for notices
    again_at integer,
    finished_at integer,
    claim_no integer not null default 0,
    dot_claim_no integer, -- the claim whose final dot was about to be written
    tries integer not null default 0, -- that counted
    cut_offs integer not null default 0, -- tries without a readable answer after the final dot
    crashes integer not null default 0 -- workers that died with it in hand
) strict;

create index mails_by_recipient on mails (recipient_key, created_at);
create index mails_by_request on mails (request_id);
create index mails_by_state on mails (state, created_at);
create index mails_by_challenge on mails (challenge_id);
create index mails_by_user on mails (user_id);

-- One row for each try that reached for a relay, and for each that its worker did not survive.
create table mail_tries (
    mail_id text not null references mails (id) on delete cascade,
    claim_no integer not null,
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
    primary key (mail_id, claim_no)
) strict, without rowid;
