-- Notes, what their owners' devices need to follow their changes, and who may hold more of them.
--
-- A note lies with its owner's other notes (the owner comes first in its key), so that listing and searching one's
-- own costs the same however many others have. Every change of a note takes the next number of its owner's book, in
-- the transaction that makes it: whoever has read up to a number has missed nothing below it.
-- Times are microseconds since 1970-01-01 UTC.

create table note_books (
    user_id integer primary key references users (id) on delete cascade,
    last_change integer not null default 0, -- the newest number
    live integer not null default 0, -- notes that are not in the trash
    forgotten_change integer not null default 0 -- tombstones up to this number may be gone
) strict;

create table notes (
    user_id integer not null references users (id) on delete cascade,
    id text not null, -- a UUID in lower case
    title text not null,
    title_key text not null, -- folded, for the order by title
    tags text not null, -- a JSON list of texts
    is_pinned integer not null check (is_pinned in (0, 1)),
    is_archived integer not null check (is_archived in (0, 1)),
    created_at integer not null,
    updated_at integer not null,
    version integer not null,
    change integer not null, -- the number of its newest change
    trashed_at integer,
    conflict_of text, -- the note whose newer version this is an older edit of
    words text not null, -- each folded word once, between spaces: those of the title, a line break, those of the content
    content text not null,
    primary key (user_id, id)
) strict, without rowid;

create unique index notes_by_id on notes (id);
create unique index notes_by_change on notes (user_id, change);
create index notes_by_update on notes (user_id, updated_at, id) where trashed_at is null;
create index notes_in_trash on notes (trashed_at) where trashed_at is not null;

-- Notes that were deleted for good, for devices that still have them.
create table note_tombstones (
    user_id integer not null references users (id) on delete cascade,
    id text not null,
    version integer not null,
    change integer not null,
    deleted_at integer not null,
    primary key (user_id, id)
) strict, without rowid;

create unique index note_tombstones_by_change on note_tombstones (user_id, change);
create index note_tombstones_by_age on note_tombstones (deleted_at);

-- Premium, by whom it was granted; without a row that has not ended the plan is the free one.
create table plan_grants (
    user_id integer not null references users (id) on delete cascade,
    source text not null, -- operator, stripe, revenuecat
    until_at integer, -- null: without end
    granted_at integer not null,
    primary key (user_id, source)
) strict, without rowid;

create trigger users_have_a_note_book after insert on users begin
    insert into note_books (user_id) values (new.id);
end;

insert into note_books (user_id) select id from users;

create trigger notes_are_added after insert on notes begin
    update note_books set last_change = new.change, live = live + (new.trashed_at is null)
    where user_id = new.user_id;
    delete from note_tombstones where user_id = new.user_id and id = new.id;
end;

create trigger notes_are_changed after update on notes when new.change <> old.change begin
    update note_books
    set last_change = new.change, live = live + (new.trashed_at is null) - (old.trashed_at is null)
    where user_id = new.user_id;
end;
