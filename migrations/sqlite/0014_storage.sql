-- How many bytes each user's notes take up, those in the trash included: a plan allows so many, and without such a
-- budget one account could fill the disk.
--
-- A note counts as its texts, what search keeps of them (decomposed, a word may be several times as long as it was
-- written), and 512 bytes for its row and its places in the indexes. The same sum stands in the statements that add
-- and change notes (store-sqlite, `notes/live.rs`), which check the budget.

alter table note_books add column bytes integer not null default 0;

update note_books set bytes = (
    select coalesce(sum(512 + octet_length(title) + octet_length(title_key) + octet_length(tags)
                        + octet_length(words) + octet_length(content)), 0)
    from notes where notes.user_id = note_books.user_id);

drop trigger notes_are_added;

create trigger notes_are_added after insert on notes begin
    update note_books
    set last_change = new.change, live = live + (new.trashed_at is null),
        bytes = bytes + 512 + octet_length(new.title) + octet_length(new.title_key) + octet_length(new.tags)
                + octet_length(new.words) + octet_length(new.content)
    where user_id = new.user_id;
    delete from note_tombstones where user_id = new.user_id and id = new.id;
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

-- Tombstones are counted by themselves: whoever deletes is never stopped, so of more than 10,000 (some 200 bytes each)
-- the oldest hundred are forgotten, and devices that have not heard of them start over.

alter table note_books add column tombstones integer not null default 0;

update note_books set tombstones = (
    select count(*) from note_tombstones where note_tombstones.user_id = note_books.user_id);

create trigger tombstones_are_added after insert on note_tombstones begin
    update note_books set tombstones = tombstones + 1 where user_id = new.user_id;
end;

create trigger tombstones_are_removed after delete on note_tombstones begin
    update note_books set tombstones = tombstones - 1 where user_id = old.user_id;
end;

create trigger tombstones_are_too_many after update of tombstones on note_books
when new.tombstones > 10000 and new.tombstones > old.tombstones begin
    update note_books
    set forgotten_change = max(forgotten_change, (
        select max(change) from (
            select change from note_tombstones where user_id = new.user_id order by change limit 100)))
    where user_id = new.user_id;
    delete from note_tombstones
    where user_id = new.user_id
      and change <= (select forgotten_change from note_books where user_id = new.user_id);
end;
