//! Devices: which of them wrote the newest versions of a note.
//!
//! A device whose answer got lost does not know that its edit was written. It folds what its owner wrote since into
//! the same edit and sends it again, of the version that it knew: a conflict with itself. So a batch may name the
//! device (its outbox), and the newest versions that one device wrote are kept with the note, as its run. An edit of
//! that device is no conflict if its run covers every version since the edit's base.

use sha2::{Digest, Sha256};

use super::batch::EDITS;
use super::port::Revision;

/// The fewest characters of a device's name.
pub const SHORTEST: usize = 8;

/// The most characters of a device's name.
pub const LONGEST: usize = 64;

/// Bytes of an edit's digest. Another edit has the same one once in four billion times, and is then kept as a copy.
const DIGEST: usize = 4;

/// A device, by a digest of the name that it has given itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device([u8; 8]);

impl Device {
    /// The device of a name; none if the name has too few or too many characters.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        if !(SHORTEST..=LONGEST).contains(&name.chars().count()) {
            return None;
        }
        let mut digest = [0; 8];
        digest.copy_from_slice(&Sha256::digest(name)[..8]);
        Some(Self(digest))
    }
}

/// What tells one edit of a note from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EditDigest([u8; DIGEST]);

impl EditDigest {
    /// The digest of an edit whose hash this is.
    pub(super) fn of(hash: &[u8; 16]) -> Self {
        let mut digest = [0; DIGEST];
        digest.copy_from_slice(&hash[..DIGEST]);
        Self(digest)
    }
}

/// The newest versions of a note, all written by one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRun {
    device: Device,
    /// The version that the first of them was an edit of.
    after: i64,
    /// The last of them. If the note has another one, something else has written it since.
    version: i64,
    /// The edits that made them, [`EDITS`] at most.
    edits: Vec<EditDigest>,
}

impl DeviceRun {
    /// Whether an edit of that device of that version replaces nothing but what the device itself wrote. Not where the
    /// device has sent exactly this edit before: a proxy may have repeated it, after the device has sent a newer one.
    #[must_use]
    pub fn covers(&self, device: Device, base: i64, edit: EditDigest, note: &Revision) -> bool {
        // A run never goes on over a jump of the versions; those that the jump left out were never written here.
        let was_left_out = base < note.floor && self.version >= note.floor;
        let is_within = self.after < base && base <= self.version && !was_left_out;
        self.device == device
            && self.version == note.version
            && (base == self.after || is_within)
            && !self.edits.contains(&edit)
    }

    /// The run after the device has written a version over what was stored; `base`: what it was an edit of.
    #[must_use]
    pub fn after(
        stored: Option<&Revision>,
        device: Device,
        base: i64,
        edit: EditDigest,
        version: i64,
    ) -> Self {
        let goes_on = |stored: &&Revision| stored.version + 1 == version;
        let before = stored.filter(goes_on).and_then(|stored| {
            let run = stored.run.clone()?;
            (run.device == device && run.version == stored.version).then_some(run)
        });
        let mut run = before.unwrap_or(Self {
            device,
            after: base,
            version,
            edits: Vec::new(),
        });
        run.version = version;
        run.edits.push(edit);
        if run.edits.len() > EDITS {
            run.edits.remove(0);
            run.after = version - i64::try_from(EDITS).unwrap_or(i64::MAX);
        }
        run
    }

    /// The run as it is stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24 + DIGEST * self.edits.len());
        bytes.extend(self.device.0);
        bytes.extend(self.after.to_be_bytes());
        bytes.extend(self.version.to_be_bytes());
        for EditDigest(digest) in &self.edits {
            bytes.extend(digest);
        }
        bytes
    }

    /// A run as it was stored; none if the bytes are of another form.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (device, rest) = bytes.split_first_chunk()?;
        let (after, rest) = rest.split_first_chunk()?;
        let (version, rest) = rest.split_first_chunk()?;
        let edits = rest.chunks_exact(DIGEST);
        if !edits.remainder().is_empty() {
            return None;
        }
        let digest = |edit: &[u8]| edit.try_into().ok().map(EditDigest);
        Some(Self {
            device: Device(*device),
            after: i64::from_be_bytes(*after),
            version: i64::from_be_bytes(*version),
            edits: edits.filter_map(digest).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: i64 = 1000;

    fn device(n: u8) -> Device {
        Device::of(&format!("device {n}")).unwrap()
    }

    fn edit(n: u8) -> EditDigest {
        EditDigest([n; DIGEST])
    }

    fn revision(version: i64, floor: i64, run: Option<DeviceRun>) -> Revision {
        Revision {
            version,
            floor,
            run,
        }
    }

    /// What the first device makes of version 5 with so many edits.
    fn run(edits: u8) -> Revision {
        (0..edits).fold(revision(5, 1, None), |stored, n| {
            let version = stored.next();
            let run = DeviceRun::after(Some(&stored), device(1), stored.version, edit(n), version);
            revision(version, 1, Some(run))
        })
    }

    fn covers(note: &Revision, by: Device, base: i64, edit: EditDigest) -> bool {
        let run = note.run.as_ref().unwrap();
        run.covers(by, base, edit, note)
    }

    #[test]
    fn a_name_has_8_to_64_characters() {
        for (name, is_good) in [
            ("1234567".to_owned(), false),
            ("é".repeat(8), true),
            ("é".repeat(64), true),
            ("é".repeat(65), false),
        ] {
            assert_eq!(Device::of(&name).is_some(), is_good, "{name}");
        }
    }

    #[test]
    fn a_run_covers_new_edits_of_its_device_since_what_it_began_with() {
        let note = run(3);

        assert_eq!(note.version, 8);
        for base in 5..=8 {
            assert!(covers(&note, device(1), base, edit(9)), "{base}");
            assert!(!covers(&note, device(2), base, edit(9)), "{base}");
            assert!(!covers(&note, device(1), base, edit(1)), "{base}");
        }
        for base in [0, 4, 9] {
            assert!(!covers(&note, device(1), base, edit(9)), "{base}");
        }
    }

    #[test]
    fn what_others_write_ends_a_run() {
        let mut note = run(3);
        note.version += 1;

        assert!(!covers(&note, device(1), 8, edit(9)));
        let next = DeviceRun::after(Some(&note), device(1), 9, edit(9), 10);
        let note = revision(10, 1, Some(next));
        assert!(covers(&note, device(1), 9, edit(8)));
        assert!(!covers(&note, device(1), 8, edit(8)));
    }

    #[test]
    fn a_run_does_not_cover_versions_that_a_jump_left_out() {
        let note = revision(8, FLOOR, run(3).run);

        assert!(covers(&note, device(1), 6, edit(9)));
        let next = DeviceRun::after(Some(&note), device(1), 8, edit(9), FLOOR);
        let note = revision(FLOOR, FLOOR, Some(next));
        for (base, is_covered) in [
            (7, false),
            (8, true),
            (9, false),
            (999, false),
            (FLOOR, true),
        ] {
            assert_eq!(
                covers(&note, device(1), base, edit(8)),
                is_covered,
                "{base}"
            );
        }
    }

    #[test]
    fn a_run_keeps_its_last_hundred_edits_and_is_stored_whole() {
        let note = run(120);
        let run = note.run.clone().unwrap();

        assert_eq!(run.edits.len(), EDITS);
        assert_eq!(DeviceRun::from_bytes(&run.to_bytes()), Some(run));
        assert!(covers(&note, device(1), 25, edit(200)));
        assert!(!covers(&note, device(1), 24, edit(200)));
        assert_eq!(DeviceRun::from_bytes(&[0; 23]), None);
        assert_eq!(DeviceRun::from_bytes(&[0; 25]), None);
    }
}
