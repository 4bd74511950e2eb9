-- How many wrong guesses at an address's codes came in a row. Unlike what is in `limit_hits` this has no window: a
-- right code ends it, or a year without a guess.

create table guess_runs (
    key text primary key, -- a digest of the address and what the codes are for
    length integer not null,
    at integer not null -- when the last guess was made
) strict, without rowid;

create index guess_runs_by_time on guess_runs (at);
