-- The ledger of what counts against a limit, and the record of security events.

-- One row for each thing that was counted. Rows older than every window are swept.
create table limit_hits (
    key text not null, -- the limit's name and whom it is counted for
    at integer not null,
    n integer not null, -- tells apart what was counted in one microsecond
    primary key (key, at, n)
) strict, without rowid;

create index limit_hits_by_time on limit_hits (at);

-- Clients from which a user has logged in: somebody else's wrong passwords don't slow these down.
create table known_clients (
    user_id integer not null references users (id) on delete cascade,
    client text not null,
    seen_at integer not null,
    primary key (user_id, client)
) strict, without rowid;

-- Security events. No secret is in here; rows outlive the user, with a pseudonym for the address.
create table audit (
    id integer primary key,
    at integer not null,
    event text not null,
    user_id integer,
    address text, -- the address in the form that compares, or its pseudonym once the account is gone
    request_id text not null,
    client text,
    user_agent text,
    detail text
) strict;

create index audit_by_user on audit (user_id, at) where user_id is not null;
create index audit_by_address on audit (address, at) where address is not null;
create index audit_by_time on audit (at);

-- For the sweep of what is over.
create index mails_by_end on mails (finished_at) where finished_at is not null;
create index challenges_by_expiry on challenges (expires_at) where user_id is not null;
