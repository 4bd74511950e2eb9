-- A try at a password is counted before the password is checked. While it is checked it is in flight: whoever gives the
-- right password at the same time waits for the outcome, instead of being refused for what may be taken back.

alter table limit_hits add column in_flight integer not null default 0 check (in_flight in (0, 1));

-- Registrations that another one of their address has won over live on as decoys until they lapse: their clients are not
-- told that the address was verified. Only the names are free. So both indexes hold those that have ended, too.

drop index registrations_by_email;
create index registrations_by_email on registrations (email_key, created_at);
drop index registrations_by_name;
create index registrations_by_name on registrations (username_key);

-- Of people without an account nothing is kept once the decoy of a code has expired, mails included.

create index challenges_of_no_account_by_expiry on challenges (expires_at) where no_account is not null;
