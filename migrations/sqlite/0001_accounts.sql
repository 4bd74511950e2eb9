-- Accounts: users, the attempts to become one, their challenges, and sessions.
--
-- A user exists only once a code has confirmed the address, so an attempt to register
-- is a row of its own. No table holds a code or a token: codes are derived from `nonce`
-- and a key that is not in the database, of tokens and handles there is only a hash.
-- Times are microseconds since 1970-01-01 UTC.

create table users (
    id integer primary key autoincrement, -- never given twice: clients keep it
    username text not null,
    username_key text not null unique, -- NFKC, case-folded
    email text not null, -- as typed
    email_key text not null unique, -- lower case, domain in ASCII
    password_hash text not null,
    is_active integer not null default 1 check (is_active in (0, 1)),
    -- raised by every change of password, address or state: what was checked before is void after
    credential_version integer not null default 1,
    created_at integer not null,
    registration_notice_at integer -- when the owner last heard of a registration with this address
) strict;

create table registrations (
    id text primary key,
    username text not null,
    username_key text not null,
    email text not null,
    email_key text not null,
    mailbox text not null,
    password_hash text not null, -- emptied when the attempt ends
    decoy integer not null check (decoy in (0, 1)), -- the address was a user's already
    client text not null,
    created_at integer not null,
    expires_at integer not null,
    ended_at integer -- an attempt of the address was verified
) strict;

create index registrations_by_email on registrations (email_key, created_at) where ended_at is null;
create index registrations_by_name on registrations (username_key) where ended_at is null;
create index registrations_by_expiry on registrations (expires_at);

create table challenges (
    id text primary key,
    -- whose: an attempt's or a user's
    registration_id text references registrations (id) on delete cascade,
    user_id integer references users (id) on delete cascade,
    purpose text not null,
    email_key text not null,
    generation integer not null,
    nonce blob not null check (length(nonce) = 16),
    key_id text not null, -- fingerprint of the secret key that makes the code
    handle_hash blob unique check (length(handle_hash) = 32),
    tries integer not null default 0, -- by the holder of the handle
    created_at integer not null,
    expires_at integer not null,
    superseded_at integer, -- a newer code was made: only the holder of the handle may use this one
    used_at integer,
    ended_at integer,
    check ((registration_id is null) <> (user_id is null)),
    unique (registration_id, generation)
) strict;

create index challenges_by_user on challenges (user_id, purpose) where user_id is not null;

-- Wrong tries by whoever has no handle: one counter for an address and purpose.
create table open_tries (
    email_key text not null,
    purpose text not null,
    tries integer not null,
    counted_at integer not null,
    primary key (email_key, purpose)
) strict, without rowid;

create table sessions (
    id text primary key,
    user_id integer not null references users (id) on delete cascade,
    token_hash blob not null unique check (length(token_hash) = 32),
    created_at integer not null,
    last_used_at integer not null,
    expires_at integer not null,
    client text not null,
    user_agent text not null
) strict;

create index sessions_by_user on sessions (user_id, created_at);
