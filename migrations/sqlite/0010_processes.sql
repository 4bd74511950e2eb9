-- Which processes run and which secret keys each holds, by fingerprint, so that a key which one of them lacks is found
-- before a mail waits for it. A process that ends in good order takes its row with it; one that was killed leaves a row
-- that is not seen any more.

create table processes (
    id text primary key,
    kind text not null, -- 'api' or 'worker'
    version text not null,
    keys text not null, -- fingerprints as a JSON list, the one that signs first
    started_at integer not null,
    seen_at integer not null
) strict, without rowid;
