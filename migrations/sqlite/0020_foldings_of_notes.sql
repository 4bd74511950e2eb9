-- Notes carry by which rules their words and tags were folded. The rules are the program's: it folds a note when it is
-- written, and the worker folds those again that were written by older rules, or by an older program.

-- 8 times the number of the change with which `words` and `tag_keys` were made, plus the number of the rules. An older
-- program raises `change` and leaves this as it is, so that the two differ.
alter table notes add column folded integer not null default 0;

-- The tags as they are compared, a JSON list; null if all are ASCII: those are compared in lower case. At most some twice
-- as long as `tags`, so that it is not counted in `note_books.bytes`.
alter table notes add column tag_keys text;

-- What is to be folded again by the rules of number 1.
create index notes_to_refold on notes (user_id) where folded <> 8 * change + 1;
