-- Notes in a table by row numbers, so that looking for a note reads no text of another one.
--
-- A table without row numbers is an index of whole rows: a search in it compares whole rows, and reads those that are
-- longer than a quarter of a page to their end for it. A few accounts full of long notes made everybody's reads many
-- times as slow. In a table by row numbers nothing but numbers is compared, and the indexes hold short keys alone.
--
-- The notes of one owner still lie together: a row's number begins with its owner's. SQLite can't change the kind of a
-- table, so it is made anew; the old rows are overwritten (`secure_delete`). For a million short notes that takes a
-- quarter of a minute, in which the database can be read, and twice the notes' size on the disk, which later notes use.

create table new_notes (
    -- The owner's number times 2^32, and how many notes the owner had made before. Without a meaning where the owner's
    -- number is 2^31 or more, and in rows of programs that don't know of it: SQLite gives those a free one.
    row_id integer primary key,
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
    content text not null
) strict;

insert into new_notes
    (row_id, user_id, id, title, title_key, tags, is_pinned, is_archived, created_at, updated_at, version, change,
     trashed_at, conflict_of, words, content)
select iif(user_id < 2147483648, (user_id << 32) + change, null), user_id, id, title, title_key, tags, is_pinned,
       is_archived, created_at, updated_at, version, change, trashed_at, conflict_of, words, content
from notes order by user_id, id;

drop table notes;
alter table new_notes rename to notes;

create unique index notes_by_id on notes (id);
create unique index notes_by_change on notes (user_id, change);
create index notes_by_update on notes (user_id, updated_at, id) where trashed_at is null;
create index notes_in_trash on notes (trashed_at) where trashed_at is not null;

-- Below which numbers the owner's rows lie, as a count from the first one.
alter table note_books add column made integer not null default 0;

update note_books set made = coalesce(
    (select max(row_id) + 1 - (note_books.user_id << 32) from notes
     where row_id >= note_books.user_id << 32 and row_id < note_books.user_id + 1 << 32), 0);

create trigger notes_are_added after insert on notes begin
    update note_books
    set last_change = new.change, made = made + 1, live = live + (new.trashed_at is null),
        bytes = bytes + 512 + octet_length(new.title) + octet_length(new.title_key) + octet_length(new.tags)
                + octet_length(new.words) + octet_length(new.content)
    where user_id = new.user_id;
    delete from note_tombstones where user_id = new.user_id and id = new.id;
end;

-- A number that SQLite gave is the one after the highest: it lies among another owner's, who must not get it, too.
create trigger notes_are_added_among_others after insert on notes when new.row_id >> 32 <> new.user_id begin
    update note_books set made = made + 1 where user_id = new.row_id >> 32;
end;

create trigger notes_are_changed after update on notes when new.change <> old.change begin
    update note_books
    set last_change = new.change, live = live + (new.trashed_at is null) - (old.trashed_at is null)
    where user_id = new.user_id;
end;

create trigger notes_grow_or_shrink after update of title, title_key, tags, words, content on notes begin
    update note_books
    set bytes = bytes
                + octet_length(new.title) + octet_length(new.title_key) + octet_length(new.tags)
                + octet_length(new.words) + octet_length(new.content)
                - octet_length(old.title) - octet_length(old.title_key) - octet_length(old.tags)
                - octet_length(old.words) - octet_length(old.content)
    where user_id = new.user_id;
end;

create trigger notes_are_removed after delete on notes begin
    update note_books
    set bytes = bytes - 512 - octet_length(old.title) - octet_length(old.title_key) - octet_length(old.tags)
                - octet_length(old.words) - octet_length(old.content)
    where user_id = old.user_id;
end;
