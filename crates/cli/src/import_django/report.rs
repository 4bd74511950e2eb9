//! The result of an import, or of a dry run, as text and as JSON. Users that are left out or changed are listed, not only
//! counted.

use domain::accounts::import::{Claimant, LeftOut, Plan, PlannedUser, Reason, Renamed};
use domain::email;
use domain::id::UserId;
use runtime::database::django::Django;
use serde_json::{Value, json};

use crate::table;

/// What the Django database contains.
pub struct Found {
    table: String,
    /// The number of users.
    pub users: u64,
    tokens: u64,
    stray_tokens: u64,
    staff: u64,
}

impl Found {
    /// Counts users and tokens.
    pub fn of(read: &Django) -> Self {
        let users = &read.source.users;
        Self {
            table: read.table.clone(),
            users: count(users.iter()),
            tokens: count(users.iter().filter(|user| user.token.is_some()))
                + read.source.stray_tokens,
            stray_tokens: read.source.stray_tokens,
            staff: count(users.iter().filter(|user| user.staff)),
        }
    }
}

/// The result of an import.
pub struct Report<'a> {
    /// The content of the Django database.
    pub found: Found,
    /// What is imported.
    pub plan: &'a Plan,
    /// Whether it was written.
    pub applied: bool,
    /// Whether addresses are shown in full.
    pub reveal: bool,
}

fn count<T>(all: impl Iterator<Item = T>) -> u64 {
    all.fold(0, |count, _| count + 1)
}

impl Report<'_> {
    fn renamed(&self) -> impl Iterator<Item = (&PlannedUser, &Renamed)> {
        let users = self.plan.users.iter();
        users.filter_map(|user| Some((user, user.renamed.as_ref()?)))
    }

    fn without_password(&self) -> Vec<UserId> {
        let users = self.plan.users.iter().filter(|user| !user.has_password);
        users.map(|user| user.id).collect()
    }

    /// Users whose tokens end: disabled, unverified and left-out ones.
    fn lost_tokens(&self) -> Vec<UserId> {
        let plan = self.plan;
        let users = plan.users.iter().map(|user| (user.id, user.lost_token));
        let attempts = plan
            .registrations
            .iter()
            .map(|user| (user.id, user.lost_token));
        let left_out = plan.left_out.iter().map(|user| (user.id, user.lost_token));
        let all = users.chain(attempts).chain(left_out);
        let mut lost: Vec<_> = all.filter(|(_, lost)| *lost).map(|(id, _)| id).collect();
        lost.sort_unstable();
        lost
    }

    fn sessions(&self) -> u64 {
        count(self.plan.users.iter().filter(|user| user.token.is_some()))
    }

    fn disabled(&self) -> u64 {
        count(self.plan.users.iter().filter(|user| !user.active))
    }

    fn address(&self, address: &str) -> String {
        if self.reveal {
            address.to_owned()
        } else {
            email::mask(address)
        }
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let (found, plan) = (&self.found, self.plan);
        let attempts: Vec<_> = plan
            .registrations
            .iter()
            .map(|attempt| attempt.id)
            .collect();
        let renamed: Vec<_> = self
            .renamed()
            .map(|(user, renamed)| {
                json!({
                    "id": user.id,
                    "from": renamed.from,
                    "to": user.username,
                    "because": renamed.taken_by.map_or("name_invalid", |_| "name_taken"),
                    "of": renamed.taken_by.and_then(of),
                })
            })
            .collect();
        let left_out: Vec<_> = plan
            .left_out
            .iter()
            .map(|user| self.left_out_json(user))
            .collect();
        json!({
            "applied": self.applied,
            "found": {
                "table": found.table,
                "users": found.users,
                "tokens": found.tokens,
                "stray_tokens": found.stray_tokens,
                "staff": found.staff,
            },
            "users": plan.users.len(),
            "disabled": self.disabled(),
            "sessions": self.sessions(),
            "imported_before": plan.before,
            "registrations": attempts,
            "renamed": renamed,
            "left_out": left_out,
            "without_password": self.without_password(),
            "tokens_ended": self.lost_tokens(),
        })
    }

    fn left_out_json(&self, user: &LeftOut) -> Value {
        let (because, owner) = match user.reason {
            Reason::EmailTaken(owner) => ("email_taken", of(owner)),
            Reason::NameTaken(owner) => ("name_taken", of(owner)),
            Reason::EmailInvalid => ("email_invalid", None),
            Reason::NameInvalid => ("name_invalid", None),
            Reason::Disabled => ("disabled", None),
        };
        json!({
            "id": user.id,
            "username": user.username,
            "email": self.address(&user.email),
            "verified": user.verified,
            "because": because,
            "of": owner,
        })
    }

    /// As text.
    pub fn print(&self) {
        let (found, plan) = (&self.found, self.plan);
        say!(
            "table {}: users {}, tokens {}\n",
            found.table,
            found.users,
            found.tokens
        );
        let rows = [
            (
                "users",
                count(plan.users.iter()),
                "with unchanged number, address and password hash",
            ),
            (
                "disabled users",
                self.disabled(),
                "included above; they stay disabled",
            ),
            (
                "sessions",
                self.sessions(),
                "from live tokens, which stay valid",
            ),
            (
                "registrations",
                count(plan.registrations.iter()),
                "of unverified users; their usernames are reserved until they lapse, and a code is mailed on request",
            ),
            ("imported before", plan.before, "skipped"),
            ("left out", count(plan.left_out.iter()), "listed below"),
            (
                "staff",
                found.staff,
                "ignored: there are no staff accounts here",
            ),
            (
                "stray tokens",
                found.stray_tokens,
                "without a user: ignored",
            ),
        ];
        let rows = rows.iter().filter(|(_, count, _)| *count > 0);
        let rows = rows.map(|(what, count, means)| {
            vec![(*what).to_owned(), count.to_string(), (*means).to_owned()]
        });
        say!("{}", table::of(["WHAT", "COUNT", ""], rows));
        self.print_exceptions();
        match (
            self.applied,
            plan.users.is_empty() && plan.registrations.is_empty(),
        ) {
            (_, true) => say!("\nnothing to write"),
            (true, false) => say!("\nwritten"),
            (false, false) => {
                say!("\nnothing was written: this was a dry run. Add --apply to write");
            }
        }
    }

    fn print_exceptions(&self) {
        let renamed: Vec<_> = self
            .renamed()
            .map(|(user, renamed)| {
                let why = renamed.taken_by.map_or_else(
                    || "not a valid username".to_owned(),
                    |owner| format!("the username belongs to {}", owner_text(owner)),
                );
                vec![
                    user.id.to_string(),
                    renamed.from.clone(),
                    user.username.clone(),
                    why,
                ]
            })
            .collect();
        if !renamed.is_empty() {
            say!("\nrenamed: these users log in with the address or the new username");
            say!(
                "{}",
                table::of(["ID", "NAME", "NEW NAME", "WHY"], renamed.into_iter())
            );
        }
        let left_out: Vec<_> = self
            .plan
            .left_out
            .iter()
            .map(|user| {
                let state = if user.verified {
                    "verified"
                } else {
                    "unverified"
                };
                vec![
                    user.id.to_string(),
                    user.username.clone(),
                    self.address(&user.email),
                    state.to_owned(),
                    reason_text(user.reason),
                ]
            })
            .collect();
        if !left_out.is_empty() {
            say!("\nleft out:");
            let header = ["ID", "NAME", "ADDRESS", "STATE", "WHY"];
            say!("{}", table::of(header, left_out.into_iter()));
        }
        for (ids, means) in [
            (
                self.without_password(),
                "have no password that can be verified: they log in with their token, or reset the password by mail",
            ),
            (
                self.lost_tokens(),
                "have a token that ends, because they are disabled, unverified or left out",
            ),
        ] {
            if !ids.is_empty() {
                let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
                say!("\n{}  {means}", ids.join(", "));
            }
        }
    }
}

/// The id of the user who owns the address or username.
fn of(owner: Claimant) -> Option<UserId> {
    match owner {
        Claimant::There(id) | Claimant::Here(id) => Some(id),
        Claimant::Registering => None,
    }
}

fn owner_text(owner: Claimant) -> String {
    match owner {
        Claimant::There(id) => format!("user {id} there, apart from case and form"),
        Claimant::Here(id) => format!("user {id} here"),
        Claimant::Registering => "a pending registration here".to_owned(),
    }
}

fn reason_text(reason: Reason) -> String {
    match reason {
        Reason::EmailTaken(owner) => format!("the address belongs to {}", owner_text(owner)),
        Reason::NameTaken(owner) => format!("the username belongs to {}", owner_text(owner)),
        Reason::EmailInvalid => "not a valid address".to_owned(),
        Reason::NameInvalid => "not a valid username".to_owned(),
        Reason::Disabled => "disabled before it was verified".to_owned(),
    }
}
