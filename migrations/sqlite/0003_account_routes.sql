-- Codes for users: a new address that waits for its code, and mails whose address is to be forgotten.

-- The address, as typed, that becomes the user's when the code is presented.
alter table challenges add column target text;

-- What takes the place of the recipient once nothing more is to be done: the account is gone.
alter table mails add column forget_as text;

-- Whether the code has twelve letters and digits instead of six digits: too many wrong guesses were made.
alter table challenges add column long_code integer not null default 0 check (long_code in (0, 1));
