-- A try at a password is counted before the password is checked. While it is checked it is in flight: whoever gives the
-- right password at the same time waits for the outcome, instead of being refused for what may be taken back.

alter table limit_hits add column in_flight integer not null default 0 check (in_flight in (0, 1));
