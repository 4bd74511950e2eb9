//! What codes are made of, and how they are spread.

use super::*;

fn ring(key: &str) -> KeyRing {
    KeyRing::new(&key.as_bytes().to_vec().into(), &[])
}

fn seed(ring: &KeyRing, nonce: u128) -> CodeSeed {
    CodeSeed {
        key: ring.current().clone(),
        purpose: Purpose::VerifyEmail,
        subject: "01J00000000000000000000000".to_owned(),
        generation: 1,
        nonce: nonce.to_be_bytes(),
        form: CodeForm::Short,
    }
}

#[test]
fn a_long_code_has_twelve_characters_and_is_typed_in_any_case() {
    let ring = ring("an example key of 32 bytes, or so");
    let seed = CodeSeed {
        form: CodeForm::Long,
        ..seed(&ring, 7)
    };

    let code = ring.code(&seed).unwrap();

    assert_eq!(code.expose().len(), LONG_LENGTH);
    let matches = |typed: &str| code.matches(&TypedCode::new(typed));
    assert!(matches(&code.expose().to_ascii_lowercase()));
    assert!(!matches(&code.expose()[..6]));
    assert!(!matches(&format!("{}0", code.expose())));
    // Crockford's base 32 has neither O nor I nor L: who reads one has seen a digit.
    let misread = code.expose().replace('0', "o").replace('1', "l");
    assert!(matches(&misread));
}

#[test]
fn the_same_challenge_gives_the_same_code_in_another_process() {
    let (worker, api) = (
        ring("an example key of 32 bytes, or so"),
        ring("an example key of 32 bytes, or so"),
    );

    assert_eq!(worker.code(&seed(&worker, 7)), api.code(&seed(&api, 7)));
}

#[test]
fn a_replaced_key_still_checks_its_codes_and_an_unknown_one_gives_none() {
    let old = ring("the old example key of 32 bytes..");
    let code = old.code(&seed(&old, 7));
    let new = KeyRing::new(
        &b"the new example key of 32 bytes..".to_vec().into(),
        &[b"the old example key of 32 bytes..".to_vec().into()],
    );

    assert_ne!(new.current(), old.current());
    assert_eq!(new.code(&seed(&old, 7)), code);
    assert_eq!(
        ring("some other example key, 32 bytes.").code(&seed(&old, 7)),
        None
    );
}

#[test]
fn every_part_of_the_seed_changes_the_code() {
    let ring = ring("an example key of 32 bytes, or so");
    let base = seed(&ring, 7);
    let codes: std::collections::HashSet<String> = [
        base.clone(),
        CodeSeed {
            subject: "01J00000000000000000000001".to_owned(),
            ..base.clone()
        },
        CodeSeed {
            generation: 2,
            ..base.clone()
        },
        CodeSeed {
            nonce: 8_u128.to_be_bytes(),
            ..base.clone()
        },
    ]
    .iter()
    .map(|seed| ring.code(seed).unwrap().expose().to_owned())
    .collect();

    assert_eq!(codes.len(), 4);
}

#[test]
fn typed_codes_are_trimmed_and_compared_whole() {
    let code = Code("042137".to_owned());

    let matches = |typed: &str| code.matches(&TypedCode::new(typed));
    assert!(matches(" 042137 "));
    assert!(!matches("42137") && !matches("0421370") && !matches(""));
}

/// Whether chance would make counts as uneven as these less often than once in ten thousand times, by the χ²
/// that is so rare.
fn are_uneven(counts: &[u32], rare: f64) -> bool {
    let all: u32 = counts.iter().sum();
    let expected = f64::from(all) / f64::from(u32::try_from(counts.len()).unwrap());
    let off = counts.iter().map(|&count| f64::from(count) - expected);
    off.map(|off| off * off / expected).sum::<f64>() > rare
}

/// Whether codes are spread evenly: the digits at each place, the first three together and the last three.
fn are_spread(codes: impl Iterator<Item = String>) -> bool {
    let mut digits = [[0; 10]; DIGITS];
    let (mut heads, mut tails) = ([0; 1000], [0; 1000]);
    for code in codes {
        assert_eq!(code.len(), DIGITS);
        for (place, digit) in code.bytes().enumerate() {
            digits[place][usize::from(digit - b'0')] += 1;
        }
        let (head, tail) = code.split_at(3);
        heads[head.parse::<usize>().unwrap()] += 1;
        tails[tail.parse::<usize>().unwrap()] += 1;
    }
    !digits.iter().any(|counts| are_uneven(counts, 33.7))
        && ![heads, tails]
            .iter()
            .any(|counts| are_uneven(counts, 1174.0))
}

/// OWASP ASVS 5.0 6.5.3, 11.5.1: leading zeros included. The nonces are fixed, so this never flickers.
#[test]
fn a_million_codes_are_spread_evenly() {
    let ring = ring("an example key of 32 bytes, or so");
    let mut seed = seed(&ring, 0);
    let codes = (0..1_000_000_u128).map(|nonce| {
        seed.nonce = nonce.to_be_bytes();
        ring.code(&seed).unwrap().expose().to_owned()
    });

    assert!(are_spread(codes));
}

/// That the measure can fail: of 20 bits modulo a million, the smallest numbers come twice as often.
#[test]
fn a_million_codes_of_too_few_bits_are_not_spread_evenly() {
    let codes = (0..1_000_000_u32).map(|n| {
        let hash = Sha256::digest(n.to_be_bytes());
        let bits = u32::from_be_bytes([0, hash[0] >> 4, hash[1], hash[2]]);
        format!("{:06}", bits % 1_000_000)
    });

    assert!(!are_spread(codes));
}
