-- What devices that sync notes need so that a restore from a backup, or a lost answer, makes no two of them differ.
--
-- A backup that is put back also puts the numbers of changes and versions back, but no device: numbers that devices
-- have would be given a second time, to other texts. So the next numbers jump beyond all that can have been given
-- (`smart-notes after-restore`, and by itself for a user whose device knows more than the database). Those between
-- belong to the lost changes: cursors among them are refused, and edits of such versions are conflicts.

alter table note_books add column jumped_from integer not null default 0; -- the newest change before the jump
alter table note_books add column jumped_to integer not null default 0; -- changes and versions made since are above it
alter table note_books add column jumped_at integer; -- when; null: never
-- Whether a device of the user has shown that the database was restored, rather than the operator.
alter table note_books add column jumped_alone integer not null default 0 check (jumped_alone in (0, 1));

create index note_books_jumped_alone on note_books (jumped_at) where jumped_alone = 1;

-- Which device wrote the newest versions, up to which one, after which one, and digests of its edits (`domain`,
-- `notes/device.rs`). It counts only while the version it ends with is the note's: whatever else writes the note,
-- programs that don't know of it among them, ends it.
alter table notes add column device_run blob;
