-- Deleting an account removes its notes in bounded transactions, after the one that removes the user.
--
-- With the user, `on delete cascade` removed and overwrote (`secure_delete`) all notes in one transaction: up to 2 GiB,
-- for half a minute of which no other user could write, and more than a disk had room for. Now the notes outlive their
-- user until the worker's sweep has removed them, about 1 MiB a transaction. Whichever program deletes the
-- user, the trigger writes down that notes are left. Without their user, session and note book they belong to no account.

-- The foreign key of `notes` is removed from the stored text of the table, as no row changes with it (SQLite, "ALTER
-- TABLE", section 7); making the table anew would copy every note. Rows are inserted from `note_books` alone, which
-- keeps its foreign key.
pragma writable_schema = on;

update sqlite_schema
set sql = replace(sql, 'user_id integer not null references users (id) on delete cascade', 'user_id integer not null')
where type = 'table' and name = 'notes';

pragma writable_schema = reset;

-- Users who were deleted and whose notes are still to be removed.
create table deleted_users (
    id integer primary key
) strict;

create trigger notes_outlive_their_user after delete on users
when exists (select 1 from notes where notes.user_id = old.id) begin
    insert or ignore into deleted_users (id) values (old.id);
end;

-- The identifiers of those notes are free at once: a device may bring its notes to a new account.
create trigger notes_of_deleted_users_give_way before insert on notes
when exists (
    select 1 from notes join deleted_users on deleted_users.id = notes.user_id where notes.id = new.id) begin
    delete from notes where notes.id = new.id;
end;

-- A number is given twice only by an import that names it: no user begins with the notes of another.
create trigger users_begin_without_notes after insert on users
when exists (select 1 from deleted_users where id = new.id) begin
    delete from notes where user_id = new.id;
    delete from deleted_users where id = new.id;
end;
