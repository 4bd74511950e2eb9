//! Plans an import: decides which user gets a name or an address that several had.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::{
    Basis, Claimant, Clash, LeftOut, Plan, PlannedRegistration, PlannedUser, Reason, Renamed,
    Source, SourceUser,
};
use crate::email::{EmailAddress, EmailKey};
use crate::id::UserId;
use crate::password::{PasswordHash, django};
use crate::username::{MAX_LENGTH, NameKey, Username};

/// A hash that no password matches, which takes as long to check as most of the others (OWASP ASVS 5.0 6.3.8).
pub(super) fn nobodys_hash(source: &Source) -> PasswordHash {
    let mut counted: BTreeMap<u32, usize> = BTreeMap::new();
    for user in &source.users {
        if let Some(iterations) = django::iterations(&user.password) {
            *counted.entry(iterations).or_default() += 1;
        }
    }
    let usual = counted.into_iter().max_by_key(|&(_, count)| count);
    django::of_nobody(usual.map_or(django::USUAL_ITERATIONS, |(iterations, _)| iterations))
}

impl Plan {
    /// Decides. Fails if a number is somebody else's here.
    pub(super) fn of(
        source: &Source,
        basis: &Basis,
        nobodys: &PasswordHash,
        now: Timestamp,
    ) -> Result<Self, Vec<Clash>> {
        let here: HashMap<UserId, &EmailKey> = basis
            .users
            .iter()
            .map(|(id, _, email)| (*id, email))
            .collect();
        let mut line: Vec<&SourceUser> = source.users.iter().collect();
        line.sort_by_key(|user| {
            (
                Reverse(user.verified),
                Reverse(user.has_live_token()),
                user.id,
            )
        });

        let mut planning = Planning::new(basis, nobodys, now);
        let mut clashes = Vec::new();
        for user in line {
            let before = basis.imported.get(&user.id);
            match (before, here.get(&user.id)) {
                (Some(verified), _) if *verified >= user.verified => planning.was_before(user),
                (_, Some(email)) if is_at(user, email) => planning.was_before(user),
                (_, Some(email)) => clashes.push(Clash {
                    id: user.id,
                    there: user.email.clone(),
                    here: (*email).clone(),
                }),
                (_, None) => planning.place(user),
            }
        }
        if clashes.is_empty() {
            Ok(planning.finish())
        } else {
            clashes.sort_by_key(|clash| clash.id);
            Err(clashes)
        }
    }

    /// What the record of security events says of it.
    pub(super) fn detail(&self) -> String {
        let sessions = self.users.iter().filter(|user| user.token.is_some());
        let renamed = self.users.iter().filter(|user| user.renamed.is_some());
        format!(
            "imported users: {}; of these renamed: {}; sessions: {}; registrations: {}; left out: {}; imported before: {}",
            self.users.len(),
            renamed.count(),
            sessions.count(),
            self.registrations.len(),
            self.left_out.len(),
            self.before
        )
    }
}

fn is_at(user: &SourceUser, email: &EmailKey) -> bool {
    EmailAddress::parse(&user.email).is_ok_and(|address| address.key() == email)
}

/// A plan being made. The strongest come first, so whoever comes later finds what is taken.
struct Planning<'a> {
    plan: Plan,
    nobodys: &'a PasswordHash,
    now: Timestamp,
    names: HashMap<NameKey, Claimant>,
    emails: HashMap<EmailKey, Claimant>,
    /// Verified users whose name is taken, and by whom. They get new names once all others have theirs.
    nameless: Vec<(&'a SourceUser, EmailAddress, Option<Claimant>)>,
    unverified: Vec<&'a SourceUser>,
    /// Names held by registrations here, and the address each is held for.
    held: HashMap<NameKey, EmailKey>,
}

impl<'a> Planning<'a> {
    fn new(basis: &Basis, nobodys: &'a PasswordHash, now: Timestamp) -> Self {
        let names = basis.users.iter();
        let emails = basis.users.iter();
        Self {
            plan: Plan::default(),
            nobodys,
            now,
            names: names
                .map(|(id, name, _)| (name.clone(), Claimant::Here(*id)))
                .collect(),
            emails: emails
                .map(|(id, _, email)| (email.clone(), Claimant::Here(*id)))
                .collect(),
            nameless: Vec::new(),
            unverified: Vec::new(),
            held: basis.registrations.iter().cloned().collect(),
        }
    }

    /// Keeps the name and address that this one had there from the weaker ones, whatever has become of them here.
    fn was_before(&mut self, user: &SourceUser) {
        self.plan.before += 1;
        let owner = Claimant::There(user.id);
        self.names
            .entry(NameKey::of(&user.username))
            .or_insert(owner);
        if let Ok(email) = EmailAddress::parse(&user.email) {
            self.emails.entry(email.key().clone()).or_insert(owner);
        }
    }

    fn place(&mut self, user: &'a SourceUser) {
        if !user.verified {
            self.unverified.push(user);
            return;
        }
        let Some(email) = self.take_email(user) else {
            return;
        };
        match Username::parse(&user.username) {
            Err(_) => self.nameless.push((user, email, None)),
            Ok(name) => match self.names.get(name.key()) {
                Some(owner) => self.nameless.push((user, email, Some(*owner))),
                None => self.add_user(user, email, &name, None),
            },
        }
    }

    /// The address, which is the user's from now on; without one the user is left out.
    fn take_email(&mut self, user: &SourceUser) -> Option<EmailAddress> {
        let Ok(email) = EmailAddress::parse(&user.email) else {
            self.leave_out(user, Reason::EmailInvalid);
            return None;
        };
        if let Some(owner) = self.emails.get(email.key()) {
            self.leave_out(user, Reason::EmailTaken(*owner));
            return None;
        }
        self.emails
            .insert(email.key().clone(), Claimant::There(user.id));
        Some(email)
    }

    fn add_user(
        &mut self,
        user: &SourceUser,
        email: EmailAddress,
        name: &Username,
        renamed: Option<Renamed>,
    ) {
        let has_password = django::iterations(&user.password).is_some();
        self.names
            .insert(name.key().clone(), Claimant::There(user.id));
        self.plan.users.push(PlannedUser {
            id: user.id,
            username: name.as_str().to_owned(),
            username_key: name.key().clone(),
            renamed,
            email,
            password: self.password(user),
            has_password,
            active: user.active,
            created: user.joined.unwrap_or(self.now),
            token: user.token.filter(|_| user.active),
            lost_token: user.token.is_some() && !user.active,
        });
    }

    fn password(&self, user: &SourceUser) -> PasswordHash {
        match django::iterations(&user.password) {
            Some(_) => user.password.clone(),
            None => self.nobodys.clone(),
        }
    }

    /// The old name with the number, or the number alone: names that nobody has, here or there.
    fn new_name(&self, user: &SourceUser) -> Username {
        let suffix = format!("_{}", user.id);
        let room = MAX_LENGTH.saturating_sub(suffix.chars().count());
        let name: String = user.username.trim().chars().take(room).collect();
        let number = format!("user{suffix}");
        let more = (2_u64..).map(|n| format!("{number}_{n}"));
        [format!("{name}{suffix}"), number.clone()]
            .into_iter()
            .chain(more)
            .filter_map(|name| Username::parse(&name).ok())
            .find(|name| !self.names.contains_key(name.key()))
            .expect("there are more numbers than users")
    }

    fn add_registration(&mut self, user: &SourceUser) {
        if !user.active {
            self.leave_out(user, Reason::Disabled);
            return;
        }
        let Ok(name) = Username::parse(&user.username) else {
            self.leave_out(user, Reason::NameInvalid);
            return;
        };
        let held_for = self.held.get(name.key());
        let for_another = held_for.is_some_and(|email| !is_at(user, email));
        let holder = for_another.then_some(Claimant::Registering);
        if let Some(owner) = self.names.get(name.key()).copied().or(holder) {
            self.leave_out(user, Reason::NameTaken(owner));
            return;
        }
        let Some(email) = self.take_email(user) else {
            return;
        };
        self.names
            .insert(name.key().clone(), Claimant::There(user.id));
        self.plan.registrations.push(PlannedRegistration {
            id: user.id,
            username: name.as_str().to_owned(),
            username_key: name.key().clone(),
            email,
            password: self.password(user),
            lost_token: user.token.is_some(),
        });
    }

    fn leave_out(&mut self, user: &SourceUser, reason: Reason) {
        self.plan.left_out.push(LeftOut {
            id: user.id,
            username: user.username.clone(),
            email: user.email.clone(),
            verified: user.verified,
            reason,
            lost_token: user.token.is_some(),
        });
    }

    fn finish(mut self) -> Plan {
        for (user, email, taken_by) in std::mem::take(&mut self.nameless) {
            let renamed = Renamed {
                from: user.username.clone(),
                taken_by,
            };
            let name = self.new_name(user);
            self.add_user(user, email, &name, Some(renamed));
        }
        for user in std::mem::take(&mut self.unverified) {
            self.add_registration(user);
        }
        let mut plan = self.plan;
        plan.users.sort_by_key(|user| user.id);
        plan.registrations
            .sort_by_key(|registration| registration.id);
        plan.left_out.sort_by_key(|user| user.id);
        plan
    }
}
