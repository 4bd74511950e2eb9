-- What payment services say about who has paid.
--
-- Every event is kept once, by the service's own id, and the premium of a user is computed from all that are kept: they
-- come late, twice and in any order. Events of a user go with the user. Those that are nobody's (yet) keep their body
-- for a while only, since it may name somebody; the rest of the row stays, so that a repeat is known as one.
-- Times are microseconds since 1970-01-01 UTC.

create table payment_events (
    source text not null, -- stripe, revenuecat
    id text not null, -- the service's, or a hash of the body
    type text not null, -- in the service's words; empty if it said none
    received_at integer not null,
    made_at integer, -- by the service's clock
    user_id integer references users (id) on delete cascade,
    customer text, -- whom the service knows by this name
    subscription text,
    says text not null check (says in ('nothing', 'owner', 'paid', 'lapsed', 'ended')),
    until_at integer, -- the end of the period that was paid, or has lapsed
    did text not null, -- what came of it when it was received, in words
    body text not null, -- as it came; empty if it is not kept
    primary key (source, id)
) strict;

create index payment_events_by_user on payment_events (user_id, source) where user_id is not null;
create index payment_events_by_customer on payment_events (source, customer) where customer is not null;
create index payment_events_by_subscription on payment_events (source, subscription) where subscription is not null;
create index payment_bodies_of_nobody on payment_events (received_at) where user_id is null and body <> '';
