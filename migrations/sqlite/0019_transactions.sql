-- What was bought, by whom and until when, transaction by transaction.
--
-- A subscription used to be known by the types of a few events. Now every event says something about a transaction: what
-- is sold with it, and until when; and which of a service's names for customers it gives the owner. So purchases can be
-- found that were made before a login, and followed when a service transfers them. The allowed words of `says` are more,
-- which SQLite can't change in a table that is there: it is made anew. All rows are carried over; those of before say
-- nothing about products, and count as they did. Times are microseconds since 1970-01-01 UTC.

create table new_payment_events (
    source text not null, -- stripe, revenuecat
    id text not null, -- the service's, or a hash of the body
    type text not null, -- in the service's words; empty if it said none
    received_at integer not null,
    made_at integer, -- by the service's clock
    user_id integer references users (id) on delete cascade, -- whose the event is: exported and deleted with the user
    owner_id integer references users (id) on delete set null, -- who owns the transaction now, if it is another user
    customer text, -- Stripe's name for the customer
    subscription text, -- the transaction: a subscription, or a payment
    says text not null check (says in
        ('nothing', 'owner', 'pending', 'paid', 'extended', 'lapsed', 'expired', 'restored', 'ended', 'transfer')),
    began_at integer, -- the beginning of the period
    until_at integer, -- the end of the period; null where `says` is 'paid': there is none
    sold text not null default '[]', -- a JSON list of {"names": […], "until": …}; empty: not known
    once integer not null default 0 check (once in (0, 1)), -- whether it is a purchase that does not renew
    did text not null, -- what came of it when it was received, in words
    body text not null, -- as it came; empty if it is not kept
    primary key (source, id)
) strict;

-- Of RevenueCat's, only expirations were lapses.
insert into new_payment_events
    (source, id, type, received_at, made_at, user_id, customer, subscription, says, until_at, did, body)
select source, id, type, received_at, made_at, user_id, customer, subscription,
       iif(source = 'revenuecat' and says = 'lapsed', 'expired', says), until_at, did, body
from payment_events order by rowid;

drop table payment_events;
alter table new_payment_events rename to payment_events;

create index payment_events_by_user on payment_events (user_id, source) where user_id is not null;
create index payment_events_by_owner on payment_events (owner_id) where owner_id is not null;
create index payment_events_by_customer on payment_events (source, customer) where customer is not null;
create index payment_events_by_subscription on payment_events (source, subscription) where subscription is not null;
create index payment_bodies_of_nobody on payment_events (received_at) where user_id is null and body <> '';

-- The names of an event's customer: users' numbers as they are, all others as a hash.
create table payment_event_names (
    source text not null,
    event_id text not null,
    role text not null check (role in ('is', 'from')), -- from: who a transfer takes from
    position integer not null, -- the likeliest first
    name text not null,
    primary key (source, event_id, role, name),
    foreign key (source, event_id) references payment_events (source, id) on delete cascade
) strict, without rowid;

create index payment_event_names_by_name on payment_event_names (source, name);

insert into payment_event_names (source, event_id, role, position, name)
select source, id, 'is', -1, cast(user_id as text) from payment_events
where user_id is not null and (source = 'revenuecat' or says = 'owner');

-- Programs of before, which may still run while this is here, write no names.
create trigger payment_events_name_their_user after insert on payment_events
when new.user_id is not null and (new.says = 'owner' or (new.source = 'revenuecat' and new.says <> 'transfer')) begin
    insert or ignore into payment_event_names (source, event_id, role, position, name)
    values (new.source, new.id, 'is', -1, cast(new.user_id as text));
end;

-- What was transferred outlives the account that bought it. What that account's events told goes with it.
create trigger transferred_payments_outlive_their_buyer before delete on users begin
    update payment_events set user_id = owner_id, owner_id = null, body = ''
    where user_id = old.id and owner_id <> old.id;
end;
