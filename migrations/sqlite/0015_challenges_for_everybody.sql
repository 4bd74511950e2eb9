-- A code that is asked for leaves the same rows whether or not somebody may have it, so that neither the time of
-- the answer nor anything later tells the two apart: a decoy is never mailed and never right. So a challenge may
-- belong to an address without an account, which the old check did not allow.
--
-- SQLite can't change a check: the table is made anew. Dropping the old one clears `mails.challenge_id`, which is
-- kept aside meanwhile.

create table new_challenges (
    id text primary key,
    -- whose: an attempt's, a user's, or an address's that has no account
    registration_id text references registrations (id) on delete cascade,
    user_id integer references users (id) on delete cascade,
    no_account text, -- that address, in the form that compares
    decoy integer not null default 0 check (decoy in (0, 1)), -- never mailed, never right
    purpose text not null,
    email_key text not null,
    generation integer not null,
    nonce blob not null check (length(nonce) = 16),
    key_id text not null, -- fingerprint of the secret key that makes the code
    handle_hash blob unique check (length(handle_hash) = 32),
    tries integer not null default 0, -- by the holder of the handle
    created_at integer not null,
    expires_at integer not null,
    superseded_at integer, -- a newer code was made: only who holds the challenge may use its six digits
    used_at integer,
    ended_at integer,
    target text, -- the address, as typed, that becomes the user's when the code is presented
    long_code integer not null default 0 check (long_code in (0, 1)), -- mailed with the long code beside the six digits
    check ((registration_id is not null) + (user_id is not null) + (no_account is not null) = 1),
    check (no_account is null or decoy = 1),
    unique (registration_id, generation)
) strict;

insert into new_challenges
    (id, registration_id, user_id, decoy, purpose, email_key, generation, nonce, key_id, handle_hash, tries,
     created_at, expires_at, superseded_at, used_at, ended_at, target, long_code)
select id, registration_id, user_id,
       coalesce((select decoy from registrations where registrations.id = challenges.registration_id), 0),
       purpose, email_key, generation, nonce, key_id, handle_hash, tries,
       created_at, expires_at, superseded_at, used_at, ended_at, target, long_code
from challenges;

create temp table kept_challenges as
    select id as mail_id, challenge_id from mails where challenge_id is not null;

drop table challenges;
alter table new_challenges rename to challenges;

update mails set challenge_id = kept_challenges.challenge_id
from kept_challenges where kept_challenges.mail_id = mails.id;

drop table kept_challenges;

create index challenges_by_user on challenges (user_id, purpose) where user_id is not null;
create index challenges_by_no_account on challenges (no_account, purpose) where no_account is not null;
create index challenges_by_expiry on challenges (expires_at) where registration_id is null;

-- An API of the release before adds challenges without that column: those of a decoy are decoys all the same.
create trigger challenges_of_decoys after insert on challenges
when new.decoy = 0 and exists (select 1 from registrations where id = new.registration_id and decoy = 1)
begin
    update challenges set decoy = 1 where id = new.id;
end;

-- Tokens that `password-reset-request` answers with. Who presents one has tries of their own.
create table challenge_holders (
    token_hash blob not null primary key check (length(token_hash) = 32),
    challenge_id text not null references challenges (id) on delete cascade,
    tries integer not null default 0
) strict, without rowid;

create index challenge_holders_by_challenge on challenge_holders (challenge_id);

-- Which attempts of an address have one password: that of an attempt's own id, or of the first attempt that it was
-- found to be equal to. Null in attempts from before, which count as different from every other.
alter table registrations add column same_password_as text;
